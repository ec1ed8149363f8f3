"""The inventory as DAG files read it: local files only, no connection, no variable, no heavy import."""

from __future__ import annotations

from sentinelone_collector.deliver import check_destinations
from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import Instance, Inventory, load_instance, load_inventory
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
        try:
            for stream in instance.streams:
                get_stream(stream)
            check_destinations(instance)
        except ConfigurationError as error:
            errors.append(
                ConfigurationError(error.text, path=error.path or folder / f"{instance.slug}.yaml", line=error.line)
            )
        else:
            usable.append(instance)
    return usable, errors
