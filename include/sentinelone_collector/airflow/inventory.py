"""The inventory as DAG files read it: local files only, no connection, no variable, no heavy import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sentinelone_collector.deliver import check_destinations
from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import Instance, Inventory, load_instance, load_inventory
from sentinelone_collector.instances.inventory import line_of
from sentinelone_collector.normalize.streams import get_stream
from sentinelone_collector.pipeline import utc_now
from sentinelone_collector.settings import Settings

__all__ = ["readable_instances", "refuse_bad_files"]

_PREFIX = "sentinelone__"


def readable_instances(*, only_dag: str | None = None) -> list[Instance]:
    """Return the instances whose files are right, sorted; with `only_dag`, the one of that DAG alone."""
    folder = Settings.from_environment().instances
    if only_dag is not None:
        path = folder / f"{only_dag.removeprefix(_PREFIX)}.yaml"
        if not only_dag.startswith(_PREFIX) or not path.is_file():
            return []
        return [load_instance(path, now=utc_now())]
    usable, _ = _checked(load_inventory(folder, now=utc_now()))
    return usable


def refuse_bad_files() -> None:
    """Raise one `ConfigurationError` that names every bad inventory file with line and cure, if there is any."""
    _, errors = _checked(load_inventory(Settings.from_environment().instances, now=utc_now()))
    if errors:
        raise ConfigurationError("\n".join(str(error) for error in errors))


def _checked(inventory: Inventory) -> tuple[list[Instance], list[ConfigurationError]]:
    folder = Settings.from_environment().instances
    usable: list[Instance] = []
    errors = list(inventory.errors)
    for instance in inventory.instances:
        found = list(_problems(instance, folder / f"{instance.slug}.yaml"))
        errors += found
        if not found:
            usable.append(instance)
    return usable, errors


def _problems(instance: Instance, path: Path) -> Iterator[ConfigurationError]:
    """Yield what only the rooms below the inventory know to be wrong."""
    checks: dict[str, Callable[[], object]] = {
        "streams": lambda: [get_stream(stream) for stream in instance.streams],
        "destinations": lambda: check_destinations(instance),
    }
    for key, check in checks.items():
        try:
            check()
        except ConfigurationError as error:
            yield ConfigurationError(error.text, path=path, line=line_of(path, key))
