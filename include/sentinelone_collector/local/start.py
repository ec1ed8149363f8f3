"""Up, down, status."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sentinelone_collector.errors import CollectorError, ConfigurationError
from sentinelone_collector.local import demo
from sentinelone_collector.local.airflow import (
    COMPONENTS,
    USER,
    airflow_command,
    airflow_environment,
    migrate_command,
    store_password,
)
from sentinelone_collector.local.client import AirflowClient
from sentinelone_collector.local.layout import Layout, taken_ports, write_private
from sentinelone_collector.local.postgres import start_postgres, stop_postgres
from sentinelone_collector.local.processes import read_state, stop
from sentinelone_collector.local.supervisor import SUPERVISOR, Service, Supervisor, detach, running
from sentinelone_collector.pipeline import Installation
from sentinelone_collector.settings import Settings
from sentinelone_collector.windows import DAY

__all__ = ["down", "status", "supervise", "up"]

_out = Console(highlight=False)
_HEALTHY_WITHIN = 600.0
_COLLECTED_WITHIN = 600.0
_LIVE_WINDOWS = 3
_GRACE = 20.0


def up(layout: Layout) -> int:
    """Start everything, wait until windows are collected, print where to log in; return the exit code."""
    if _supervised(layout):
        _out.print("It runs already.")
        _summary(layout)
        return 0
    _clear_leftovers(layout)
    _refuse_taken_ports(layout)
    with _step("PostgreSQL"):
        environment = _environment(layout)
    with _step("Airflow's database"):
        _migrate(layout, environment)
    with _step("Airflow"):
        detach(layout, ["-m", "sentinelone_collector.local", "supervise"], environment, layout.project)
        airflow = AirflowClient(layout.url, USER, store_password(layout))
        _wait_until_healthy(layout, airflow)
        airflow.log_in()
    if layout.demo:
        with _step("Two simulated consoles, registered as emea and apac"):
            demo.register(layout, Settings.from_environment(environment).instances, airflow)
    _wait_for_windows(layout, environment)
    _summary(layout)
    return 0


def down(layout: Layout) -> int:
    """Stop all that `up` started; return the exit code."""
    started = read_state(layout.state_file)
    supervisors = [entry for entry in started if entry.name == SUPERVISOR]
    stop(supervisors, grace=_GRACE)
    stop(started, grace=_GRACE)
    layout.state_file.unlink(missing_ok=True)
    stopped = stop_postgres(layout.root / "postgres")
    _out.print("Stopped." if started or stopped else "Nothing runs.")
    return 0


def status(layout: Layout) -> int:
    """Print what runs; return 0 if the supervisor does, else 1."""
    found = running(layout)
    for entry in found:
        _out.print(f"{entry.name:20} pid {entry.pid}")
    if not _supervised(layout):
        _out.print("Not running; start it with `make up`.")
        return 1
    return 0


def supervise(layout: Layout) -> int:
    """Be the supervisor: run Airflow's components, and the simulated consoles in demo mode."""
    environment = dict(os.environ)
    services = [Service(name, airflow_command(*words), environment) for name, words in COMPONENTS.items()]
    if layout.demo:
        services += [Service(name, command, environment) for name, command in demo.simulator_commands(layout)]
    Supervisor(layout, services).run()
    return 0


def _supervised(layout: Layout) -> bool:
    return any(entry.name == SUPERVISOR for entry in running(layout))


def _clear_leftovers(layout: Layout) -> None:
    """End what a supervisor that was killed has left behind."""
    left = running(layout)
    if left:
        _out.print(f"Ending {len(left)} processes that an earlier start left behind.")
        stop(left, grace=_GRACE)


def _refuse_taken_ports(layout: Layout) -> None:
    wanted = {layout.api_port: "S1C_PORT"}
    if layout.demo:
        wanted |= dict.fromkeys(demo.simulator_ports(layout), "S1C_SIMULATOR_PORT")
    taken = taken_ports(wanted)
    if taken:
        names = ", ".join(f"{port} (choose another with {wanted[port]}=…)" for port in taken)
        raise ConfigurationError(f"taken on this machine: port {names}; nothing was started")


def _environment(layout: Layout) -> dict[str, str]:
    """Start PostgreSQL unless databases of one's own are set, and return the environment of all processes."""
    chosen = dict(os.environ)
    layout.airflow_home.mkdir(parents=True, exist_ok=True)
    own = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "S1C_STORE"} <= set(chosen)
    urls = {} if own else start_postgres(layout.root / "postgres", ["airflow", "s1c"])
    instances = layout.root / "instances" if layout.demo else Path(chosen.get("S1C_INSTANCES", "include/instances.d"))
    extra = {
        "S1C_LAKE": chosen.get("S1C_LAKE") or str(layout.root / "lake"),
        "S1C_STORE": chosen.get("S1C_STORE") or urls["s1c"],
        "S1C_INSTANCES": str(instances.absolute()),
        "S1C_RUN_DIR": str(layout.root),
        "S1C_CONSOLE_DEMO": chosen.get("S1C_CONSOLE_DEMO") or ("1" if layout.demo else "0"),
        "DEMO": "1" if layout.demo else "0",
    }
    instances.mkdir(parents=True, exist_ok=True)
    _write_shell_file(layout, extra)
    store_password(layout)
    return airflow_environment(layout, database=urls.get("airflow", ""), extra=extra)


def _write_shell_file(layout: Layout, extra: dict[str, str]) -> None:
    lines = [f"export {name}={shlex.quote(extra[name])}" for name in ("S1C_LAKE", "S1C_STORE", "S1C_INSTANCES")]
    if layout.demo:
        import json

        from sentinelone_collector.instances.connection import variable_name

        for connection_id, fields in demo.connections(layout).items():
            lines.append(f"export {variable_name(connection_id)}={shlex.quote(json.dumps(fields))}")
    write_private(layout.environment_file, "\n".join(lines) + "\n")


def _migrate(layout: Layout, environment: dict[str, str]) -> None:
    from importlib.metadata import version

    stamp = layout.airflow_home / "migrated"
    wanted = f"{version('apache-airflow-core')} {environment['AIRFLOW__DATABASE__SQL_ALCHEMY_CONN'].rsplit('@', 1)[-1]}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    result = subprocess.run(migrate_command(), env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CollectorError(f"`airflow db migrate` failed:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    stamp.write_text(wanted, encoding="utf-8")


@contextmanager
def _step(title: str) -> Iterator[None]:
    begun = time.monotonic()
    with _out.status(f"{title} …"):
        yield
    _out.print(f"[green]✓[/] {title} [dim]({time.monotonic() - begun:.0f} s)[/]")


def _alive(layout: Layout) -> bool:
    found = {entry.name for entry in running(layout)}
    return not found or "api-server" in found


def _wait_until_healthy(layout: Layout, airflow: AirflowClient) -> None:
    deadline = time.monotonic() + _HEALTHY_WITHIN
    while not airflow.healthy():
        if time.monotonic() > deadline:
            raise CollectorError(f"Airflow was not ready within {_HEALTHY_WITHIN:.0f} s; see the logs in {layout.logs}")
        if not _alive(layout):
            raise CollectorError(f"Airflow ended while starting; see the logs in {layout.logs}")
        time.sleep(0.5)


def _wait_for_windows(layout: Layout, environment: dict[str, str]) -> None:
    """Wait until the history and the first live windows of every instance have their receipts."""
    site = Installation(Settings.from_environment(environment))
    deadline = time.monotonic() + _COLLECTED_WITHIN
    with _out.status("Collecting …") as shown:
        while time.monotonic() < deadline:
            wanted, complete = _progress(site)
            shown.update(f"Collecting: {complete} of {wanted} windows of the history and the first live ones …")
            if complete >= wanted:
                return
            if not _supervised(layout):
                raise CollectorError(f"the supervisor ended; see {layout.logs / 'supervisor.log'}")
            time.sleep(1)
    _out.print("[yellow]Windows are still being collected; `s1c coverage SLUG` says which.[/]")


def _progress(site: Installation) -> tuple[int, int]:
    from sentinelone_collector.lake import windows_with_receipt

    wanted = complete = 0
    for instance in site.inventory.instances:
        due = list(instance.calendar.due(site.now()))
        history = {window for window in due if window.end - window.start == DAY}
        live = [window for window in due if window not in history]
        goal = {*history, *live[:_LIVE_WINDOWS]}
        for stream in instance.streams:
            wanted += len(goal)
            complete += len(goal & set(windows_with_receipt(site.lake, instance.slug, stream)))
    return wanted, complete


def _summary(layout: Layout) -> None:
    environment = _known_environment(layout)
    site = Installation(Settings.from_environment(environment))
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("instance", "windows complete", "behind", "records", "events", "quarantined", "hits", "incidents"):
        shown.add_column(title, justify="left" if title == "instance" else "right")
    for row in _rows(site):
        shown.add_row(*row)
    _out.print(shown)
    for error in site.inventory.errors:
        _out.print(f"[red]{error}[/]")
    _out.print(
        f"\nAirflow     [bold]{layout.url}[/]   user [bold]{USER}[/]   password [bold]{store_password(layout)}[/]"
    )
    _out.print(f"Console     [bold]{layout.url}/plugin/sentinelone[/]")
    _out.print(f"Lake        {site.settings.lake}")
    _out.print(f"Command     . {_relative(layout.environment_file)} && .venv/bin/s1c coverage SLUG")
    _out.print("Stop        make down")


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _known_environment(layout: Layout) -> dict[str, str]:
    """Return the settings that the running start wrote down."""
    known = dict(os.environ)
    for line in layout.environment_file.read_text(encoding="utf-8").splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        known[name] = shlex.split(value)[0]
    return known


def _rows(site: Installation) -> Iterator[tuple[str, ...]]:
    from sentinelone_collector.lake import receipts_between

    now = site.now()
    for instance in site.inventory.instances:
        receipts = [
            receipt
            for stream in instance.streams
            for receipt in receipts_between(
                site.lake, instance.slug, stream, instance.calendar.begin, now + timedelta(1)
            )
        ]
        due = sum(1 for _ in instance.calendar.due(now)) * len(instance.streams)
        yield (
            instance.slug,
            f"{len(receipts)} of {due}",
            str(max(due - len(receipts), 0)),
            f"{sum(receipt.fetched - receipt.duplicates for receipt in receipts):,}",
            f"{sum(receipt.events for receipt in receipts):,}",
            str(sum(receipt.quarantined for receipt in receipts)),
            str(sum(receipt.hits for receipt in receipts)),
            str(site.count_incidents(instance.slug)),
        )


def main(arguments: list[str]) -> int:
    """Run one of `up`, `down`, `status`, `supervise`; return the exit code."""
    project = Path(__file__).resolve().parents[3]
    verbs = {"up": up, "down": down, "status": status, "supervise": supervise}
    if len(arguments) != 1 or arguments[0] not in verbs:
        sys.stderr.write(f"usage: python -m sentinelone_collector.local {'|'.join(verbs)}\n")
        return 2
    try:
        return verbs[arguments[0]](Layout.from_environment(project))
    except CollectorError as error:
        Console(stderr=True, highlight=False).print(f"{type(error).__name__}: {error}", style="red", markup=False)
        return 2 if isinstance(error, ConfigurationError) else 1
