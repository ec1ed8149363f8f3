from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.local.layout import HOST, Layout, taken_ports, write_private
from sentinelone_collector.local.processes import Started, read_state, spawn, stop, write_state
from sentinelone_collector.local.supervisor import Service, Supervisor

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
# ignores TERM and has a child of its own
STUBBORN = [
    sys.executable,
    "-c",
    (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)"
    ),
]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(project=tmp_path, root=tmp_path / ".run", demo=True, api_port=8080, simulator_port=18080)


def start(tmp_path: Path, command: list[str], name: str = "one") -> Started:
    return spawn(name, command, log=tmp_path / f"{name}.log", environment=dict(os.environ), cwd=tmp_path)


def test_stop_ends_a_process_and_what_it_started(tmp_path: Path) -> None:
    started = start(tmp_path, STUBBORN)
    leader = started.process()
    assert leader is not None
    while "ready" not in (tmp_path / "one.log").read_text():
        assert leader.is_running()
    children = leader.children(recursive=True)
    assert children
    stop([started], grace=0.3)
    assert not [child for child in children if Started("child", child.pid, child.create_time()).process()]
    assert started.process() is None


def test_stop_leaves_a_stranger_with_a_reused_pid_alone() -> None:
    with subprocess.Popen(SLEEPER) as stranger:
        stop([Started("old", stranger.pid, created=1.0)], grace=0.1)
        assert stranger.poll() is None
        stranger.kill()


def test_state_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "processes.json"
    assert read_state(path) == []
    entries = [Started("a", 1, 2.5), Started("b", 3, 4.5)]
    write_state(path, entries)
    assert read_state(path) == entries


def test_supervisor_starts_again_what_dies_and_waits_longer_each_time(tmp_path: Path, layout: Layout) -> None:
    now = 100.0
    supervisor = Supervisor(layout, [Service("one", SLEEPER, dict(os.environ))], clock=lambda: now)
    pids = []
    try:
        for pause in (1.0, 2.0, 4.0):
            supervisor.look()
            (entry,) = [found for found in read_state(layout.state_file) if found.name == "one"]
            pids.append(entry.pid)
            os.kill(entry.pid, signal.SIGKILL)
            psutil.wait_procs([psutil.Process(entry.pid)])
            supervisor.look()
            assert [found.name for found in read_state(layout.state_file)] == ["supervisor"]
            now += pause - 0.01
            supervisor.look()
            assert [found.name for found in read_state(layout.state_file)] == ["supervisor"]
            now += 0.02
    finally:
        stop([found for found in read_state(layout.state_file) if found.name == "one"], grace=1)
    assert len(set(pids)) == 3


def test_taken_ports_are_found() -> None:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert taken_ports([port]) == [port]
    assert taken_ports([port]) == []


def test_secrets_are_made_once_and_private(layout: Layout) -> None:
    first = layout.secret("x")
    assert layout.secret("x") == first
    assert (layout.root / "secrets" / "x").stat().st_mode & 0o777 == 0o600


def test_private_files_replace_a_readable_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["http", "0", "70000"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="S1C_PORT"):
        Layout.from_environment(tmp_path, {"S1C_PORT": text})
