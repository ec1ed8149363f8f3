"""Processes that were started here, told apart from all others by pid and start time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from sentinelone_collector.local.layout import write_private

__all__ = ["Started", "read_state", "spawn", "stop", "write_state"]

_KILLED_WITHIN = 60.0  # seconds; nothing resists, but a busy machine may take its time
# Own children become zombies unless somebody asks for their exit state; asking is done by their handle.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Started:
    """A process by its identity; `pid` alone may belong to somebody else after a reboot."""

    name: str
    pid: int
    created: float

    def process(self) -> psutil.Process | None:
        """Return the process if it still runs, None if it does not or if its pid is another's now."""
        child = _children.get(self.pid)
        if child is not None and child.poll() is not None:
            del _children[self.pid]
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.created) < 1
        except psutil.Error:
            return None
        return found if same and _runs(found) else None


def spawn(name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str], cwd: Path) -> Started:
    """Start a process in a session of its own, its output appended to a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
        )
    _children[child.pid] = child
    try:
        created = psutil.Process(child.pid).create_time()
    except psutil.Error:  # it has ended already; the caller sees that it does not run
        created = 0.0
    return Started(name, child.pid, created)


def stop(processes: Sequence[Started], *, grace: float) -> None:
    """End processes with all their descendants: TERM to their groups, KILL to what is left after `grace` seconds."""
    running = [found for started in processes if (found := started.process()) is not None]
    family = [member for leader in running for member in (*_descendants(leader), leader)]
    for leader in running:
        _signal_group(leader.pid, signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=grace)
    for leader in running:
        _signal_group(leader.pid, signal.SIGKILL)
    for member in left:
        try:
            member.kill()
        except psutil.Error:
            continue
    deadline = time.monotonic() + _KILLED_WITHIN
    while any(map(_runs, left)) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=0.05)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def read_state(path: Path) -> list[Started]:
    """Return what was written last, an empty list where nothing was."""
    try:
        return [Started(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (FileNotFoundError, json.JSONDecodeError):
        return []


def write_state(path: Path, processes: Sequence[Started]) -> None:
    """Remember the processes."""
    write_private(path, json.dumps([asdict(entry) for entry in processes], indent=1))
