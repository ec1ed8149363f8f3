"""Real Airflow processes under the supervisor of `make up`, PostgreSQL, and two simulated consoles."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from sentinelone_collector.errors import CollectorError
from sentinelone_collector.instances import Instance, write_instance
from sentinelone_collector.lake import receipts_between, windows_with_receipt
from sentinelone_collector.local import start
from sentinelone_collector.local.airflow import USER, store_password
from sentinelone_collector.local.client import AirflowClient
from sentinelone_collector.local.layout import Layout
from sentinelone_collector.local.processes import read_state
from sentinelone_collector.local.supervisor import detach
from sentinelone_collector.pipeline import Installation
from sentinelone_collector.settings import Settings
from sentinelone_collector.simulator import Simulator
from sentinelone_collector.windows import Window

PROJECT = Path(__file__).resolve().parents[2]
SETTLE = timedelta(seconds=5)


PATIENCE = 900.0
"""Seconds that anything may take: the machine also runs all of Airflow and the other tests."""

E2E = [pytest.mark.e2e, pytest.mark.timeout(2 * PATIENCE)]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the order of the files: they are one day's work on one installation, `site`.

    What has an installation of its own comes before it, so that there is never more than one.
    """
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    others = [item for item in items if item not in set(ours)]
    items[:] = others + sorted(
        ours, key=lambda item: ("site" in getattr(item, "fixturenames", ()), item.path, item.location[1] or 0)
    )


def free_ports(count: int) -> int:
    """Return the first of some ports in a row that are free, and that no outgoing connection is given."""
    for port in random.Random().sample(range(20_000, 32_000, count), 500):
        with contextlib.ExitStack() as held:
            try:
                for number in range(port, port + count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
    raise AssertionError("no free ports")


@dataclass
class Site:
    """One running installation and what a test asks of it."""

    layout: Layout
    environment: dict[str, str]
    consoles: dict[str, Simulator]
    airflow: AirflowClient
    started: datetime
    log: list[str] = field(default_factory=list)

    @property
    def installation(self) -> Installation:
        return Installation(Settings.from_environment(self.environment))

    def instance(self, slug: str) -> Instance:
        return self.installation.inventory.get(slug)

    def complete(self, slug: str) -> set[Window]:
        return set(windows_with_receipt(self.installation.lake, slug, "activities"))

    def wait(self, what: str, ready: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = ready()
            if found:
                return found
            time.sleep(0.5)
        raise AssertionError(f"{what}: not within {PATIENCE:.0f} s\n{self.describe()}")

    def wait_for(self, slug: str, windows: list[Window]) -> None:
        self.wait(
            f"{slug}: {len(windows)} windows from {windows[0]} to {windows[-1]}",
            lambda: set(windows) <= self.complete(slug),
        )

    def describe(self) -> str:
        try:
            runs = self.airflow.call("GET", "dags/~/dagRuns?limit=100&order_by=-run_after")["dag_runs"]
            lines = [f"{run['dag_run_id']} {run['state']}" for run in runs if run["state"] != "success"]
        except CollectorError as error:
            lines = [str(error), *(self.layout.logs / "api-server.log").read_text().splitlines()[-60:]]
        for slug in self.consoles:
            lines.append(f"{slug}: {len(self.complete(slug))} complete")
        return "\n".join(lines[-100:])

    def pid(self, name: str) -> int:
        (pid,) = [entry.pid for entry in read_state(self.layout.state_file) if entry.name == name]
        return pid

    def kill(self, name: str) -> None:
        """Kill a component and all it has started, as the kernel's out-of-memory killer or a power cut would."""
        leader = psutil.Process(self.pid(name))
        for process in [*leader.children(recursive=True), leader]:
            with contextlib.suppress(psutil.NoSuchProcess):
                os.kill(process.pid, signal.SIGKILL)

    def delivered(self, slug: str, window: Window) -> list[bytes]:
        """Return the raw records in the file that a window was delivered as."""
        folder = self.installation.settings.delivered / "delivered" / f"instance={slug}" / "stream=activities"
        path = folder / f"day={window.day}" / f"{window.name}.ndjson"
        return [json.loads(line)["raw_data"].encode() for line in path.read_bytes().splitlines()]

    def assert_delivered(self, slug: str, windows: list[Window]) -> int:
        """Compare what was delivered with what the console holds: nothing lost, nothing twice, nothing changed."""
        console, instance, count = self.consoles[slug], self.instance(slug), 0
        for window in windows:
            begin = instance.collected_from(window)
            # a record that became visible later than the settle time may or may not have been there when it was read
            settled = set(console.truth(begin, window.end, visible_at=window.end + instance.settle))
            held = set(console.truth(begin, window.end))
            found = self.delivered(slug, window)
            assert len(found) == len(set(found)), f"{slug} {window}: delivered twice"
            assert settled <= set(found), f"{slug} {window}: {len(settled - set(found))} records lost"
            assert set(found) <= held, f"{slug} {window}: records that the console does not hold"
            count += len(found)
        (receipts,) = [
            list(receipts_between(self.installation.lake, slug, "activities", windows[0].start, windows[-1].end))
        ]
        for receipt in receipts:
            assert receipt.fetched == receipt.events + receipt.quarantined + receipt.duplicates
        return count

    def due(self, slug: str, until: datetime | None = None) -> list[Window]:
        return list(self.instance(slug).calendar.due(until or datetime.now(UTC)))


def _instances(folder: Path, now: datetime) -> None:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    common: dict[str, Any] = {
        "live_since": now,
        "settle": SETTLE,
        "destinations": [{"type": "file", "path": "delivered"}],
    }
    alpha = {"every": "1m", "collection_start": now - timedelta(minutes=5)}
    beta = {"every": "4h", "collection_start": midnight - timedelta(days=3)}
    for slug, name, fields in (("alpha", "APAC production", alpha), ("beta", "EMEA production", beta)):
        instance = Instance.model_validate(
            {"slug": slug, "name": name, "connection_id": f"sentinelone_{slug}", **common, **fields}
        )
        write_instance(folder, instance, now=now)


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """Give a folder for run-time state outside of pytest's own, which every start of pytest closes to other users.

    PostgreSQL runs as a user of its own where the tests run as root.
    """
    with tempfile.TemporaryDirectory(prefix="s1c-e2e-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "run"


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with run_folder() as root:
        yield from _site(root)


def _site(root: Path) -> Iterator[Site]:
    now = datetime.now(UTC).replace(microsecond=0)
    layout = Layout(project=PROJECT, root=root, demo=False, api_port=free_ports(1), simulator_port=0)
    consoles = {
        "alpha": Simulator(seed=5, records_per_day=20_000, days=10, rate_limits=False),
        "beta": Simulator(seed=6, records_per_day=20_000, days=10, scenarios=[f"takeover@{now - timedelta(hours=30)}"]),
    }
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for console in consoles.values():
            stack.enter_context(console)
        patch.setenv("S1C_INSTANCES", str(root / "instances"))
        patch.setenv("S1C_RETRY_SECONDS", "20")
        patch.setenv("S1C_CONSOLE_DEMO", "1")
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "admin:admin,vera:viewer,uwe:user,olga:op")
        for name in ("AIRFLOW_HOME", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__DAGS_FOLDER"):
            patch.delenv(name, raising=False)
        environment = start._environment(layout)
        start._migrate(layout, environment)
        detach(layout, ["-m", "sentinelone_collector.local", "supervise"], environment | _SUPERVISED(layout), PROJECT)
        stack.callback(start.down, layout)
        airflow = AirflowClient(layout.url, USER, store_password(layout), timeout=PATIENCE)
        site = Site(layout, environment, consoles, airflow, now)
        deadline = time.monotonic() + PATIENCE
        while not airflow.healthy():
            assert time.monotonic() < deadline, (layout.logs / "supervisor.log").read_text()[-3000:]
            time.sleep(0.5)
        airflow.log_in()
        for slug, console in consoles.items():
            host, _, port = console.url.removeprefix("http://").partition(":")
            airflow.put_connection(
                f"sentinelone_{slug}",
                {
                    "conn_type": "sentinelone",
                    "host": f"http://{host}",
                    "port": int(port),
                    "password": console.token,
                },
            )
        _instances(root / "instances", now)
        yield site


def _SUPERVISED(layout: Layout) -> dict[str, str]:  # noqa: N802
    return {"S1C_RUN_DIR": str(layout.root), "S1C_PORT": str(layout.api_port), "DEMO": "0"}
