"""The process that starts the others, starts again what dies, and ends all of it on SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sentinelone_collector.local.layout import Layout
from sentinelone_collector.local.processes import Started, read_state, spawn, stop, write_state

__all__ = ["SUPERVISOR", "Service", "Supervisor", "detach", "running"]

SUPERVISOR = "supervisor"
_log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_GRACE_SECONDS = 15.0
_LONGEST_PAUSE = 30.0


@dataclass
class Service:
    """One process to keep alive."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    deaths: int = 0
    not_before: float = 0.0


class Supervisor:
    """Keep services alive until told to end; `clock` counts seconds and only ever forward."""

    def __init__(
        self, layout: Layout, services: Sequence[Service], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._layout = layout
        self._services = {service.name: service for service in services}
        self._running: dict[str, Started] = {}
        self._clock = clock
        self._ending = threading.Event()

    def run(self) -> None:
        """Start all services and look after them until SIGTERM or SIGINT comes."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ending.set())
        try:
            while not self._ending.is_set():
                self.look()
                self._ending.wait(_LOOK_SECONDS)
        finally:
            stop(list(self._running.values()), grace=_GRACE_SECONDS)
            self._layout.state_file.unlink(missing_ok=True)

    def look(self) -> None:
        """Start every service that does not run, later the more often it has died."""
        changed = False
        for name, service in self._services.items():
            known = self._running.get(name)
            if known is not None and known.process() is not None:
                continue
            if known is not None:
                del self._running[name]
                service.deaths += 1
                pause = min(2.0 ** (service.deaths - 1), _LONGEST_PAUSE)
                service.not_before = self._clock() + pause
                _log.warning("%s ended; starting it again in %.0f s", name, pause)
                changed = True
            if self._clock() >= service.not_before:
                self._running[name] = self._start(service)
                changed = True
        if changed:
            write_state(self._layout.state_file, [_self(), *self._running.values()])

    def _start(self, service: Service) -> Started:
        _log.info("starting %s", service.name)
        return spawn(
            service.name,
            service.command,
            log=self._layout.logs / f"{service.name}.log",
            environment=service.environment,
            cwd=self._layout.project,
        )


def _self() -> Started:
    return Started(SUPERVISOR, os.getpid(), psutil.Process().create_time())


def running(layout: Layout) -> list[Started]:
    """Return the processes of this layout that still run, the supervisor first if it does."""
    return [started for started in read_state(layout.state_file) if started.process() is not None]


def detach(layout: Layout, command: Sequence[str], environment: Mapping[str, str], project: Path) -> Started:
    """Start the supervisor itself in a session of its own."""
    log = layout.logs / "supervisor.log"
    return spawn(SUPERVISOR, [sys.executable, *command], log=log, environment=environment, cwd=project)
