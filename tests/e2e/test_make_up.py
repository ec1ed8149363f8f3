"""The two commands of the README, as a newcomer types them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psutil
import pytest
import requests

from sentinelone_collector.local.processes import read_state
from sentinelone_collector.windows import DAY

from .conftest import E2E, PATIENCE, PROJECT, free_ports, run_folder

pytestmark = E2E

_RUNS_ALREADY = "It runs already."


class Start:
    """`make up` and `make down` with a run-time folder and ports of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = free_ports(3)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "S1C_"))}
        self.environment = kept | {
            "S1C_RUN_DIR": str(root),
            "S1C_PORT": str(self.port),
            "S1C_SIMULATOR_PORT": str(self.port + 1),
            "COLUMNS": "160",
        }

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--no-print-directory", *words],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def s1c(self, *words: str) -> object:
        command = f". {shlex.quote(str(self.root / 'env.sh'))} && {PROJECT}/.venv/bin/s1c {shlex.join(words)} --json"
        done = subprocess.run(
            ["sh", "-c", command], env=self.environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def processes(self) -> list[psutil.Process]:
        started = [entry.process() for entry in read_state(self.root / "processes.json")]
        return [process for process in started if process is not None]


@pytest.fixture(scope="module")
def up() -> Iterator[Start]:
    with run_folder() as root:
        yield from _up(Start(root))


def _up(start: Start) -> Iterator[Start]:
    before = subprocess.run(["git", "status", "--porcelain"], cwd=PROJECT, capture_output=True, text=True, check=False)
    try:
        done = start.make("up")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        start.printed = done.stdout  # type: ignore[attr-defined]
        yield start
        after = subprocess.run(
            ["git", "status", "--porcelain"], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert after.stdout == before.stdout, "make up left traces in the work tree"
    finally:
        start.make("down")


def test_it_collects_three_days_of_two_consoles_and_says_where_to_look(up: Start) -> None:
    printed: str = up.printed  # type: ignore[attr-defined]
    (password,) = re.findall(r"password (\S+)", printed)
    assert f"http://127.0.0.1:{up.port}" in printed
    answer = requests.post(
        f"http://127.0.0.1:{up.port}/auth/token", json={"username": "admin", "password": password}, timeout=PATIENCE
    )
    assert answer.status_code == 201
    for slug in ("emea", "apac"):
        assert slug in printed
        rows = up.s1c("coverage", slug)
        assert isinstance(rows, list)
        spans = [
            (
                datetime.fromisoformat(row["window"]["end"]) - datetime.fromisoformat(row["window"]["start"]),
                row["state"],
            )
            for row in rows
        ]
        assert [state for span, state in spans if span == DAY] == ["complete"] * 3
    incidents = up.s1c("incidents", "list")
    assert isinstance(incidents, list)
    assert {"emea", "apac"} <= {slug for incident in incidents for slug in incident["instances"]}
    assert list((up.root / "delivered").rglob("*.ndjson"))


def test_everything_listens_on_loopback_only(up: Start) -> None:
    processes = [member for leader in up.processes() for member in (leader, *leader.children(recursive=True))]
    assert len(processes) > 5
    assert {address for process in processes for address in _listening(process)} == {"127.0.0.1"}


def _listening(process: psutil.Process) -> set[str]:
    try:
        found = process.net_connections(kind="inet")
    except (psutil.Error, FileNotFoundError):  # a worker whose task has ended meanwhile
        return set()
    return {connection.laddr.ip for connection in found if connection.status == psutil.CONN_LISTEN}


def test_a_second_start_says_that_it_runs(up: Start) -> None:
    done = up.make("up")
    assert done.returncode == 0
    assert _RUNS_ALREADY in done.stdout


def test_after_a_kill_of_everything_it_starts_again_with_its_data(up: Start) -> None:
    before = {path.name for path in (up.root / "lake" / "receipts").rglob("*.json")}
    # Leaders first: they would start again what they look after.
    family = [member for leader in up.processes() for member in (leader, *leader.children(recursive=True))]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=PATIENCE)
    done = up.make("up")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert _RUNS_ALREADY not in done.stdout
    assert before <= {path.name for path in (up.root / "lake" / "receipts").rglob("*.json")}


def test_down_stops_all_that_up_started_and_nothing_else(up: Start) -> None:
    family = {member for leader in up.processes() for member in (leader, *leader.children(recursive=True))}
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        assert up.make("down").returncode == 0
        assert not [process for process in family if _runs(process)]
        assert stranger.poll() is None
        stranger.kill()
    assert "Nothing runs" in up.make("down").stdout


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_taken_port_is_named(up: Start) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", up.port))
        holder.listen()
        done = up.make("up")
    assert done.returncode != 0
    assert f"port {up.port}" in done.stderr
    assert "S1C_PORT" in done.stderr
