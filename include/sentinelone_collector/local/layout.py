"""Where the run-time state lies and which ports are used; everything stays below one folder and on loopback."""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentinelone_collector.errors import ConfigurationError

__all__ = ["HOST", "Layout", "taken_ports"]

HOST = "127.0.0.1"
_API_PORT = 8080
_SIMULATOR_PORT = 18080


@dataclass(frozen=True, slots=True)
class Layout:
    """Folders, files and ports of one local start."""

    project: Path
    root: Path
    demo: bool
    api_port: int
    simulator_port: int

    @classmethod
    def from_environment(cls, project: Path, environment: Mapping[str, str] = os.environ) -> Layout:
        """Read `S1C_RUN_DIR`, `S1C_PORT`, `S1C_SIMULATOR_PORT` and `DEMO`."""
        return cls(
            project=project,
            root=Path(environment.get("S1C_RUN_DIR") or project / ".run").absolute(),
            demo=environment.get("DEMO", "1").lower() not in {"0", "no", "false"},
            api_port=_port(environment, "S1C_PORT", _API_PORT),
            simulator_port=_port(environment, "S1C_SIMULATOR_PORT", _SIMULATOR_PORT),
        )

    @property
    def url(self) -> str:
        """Where people log in."""
        return f"http://{HOST}:{self.api_port}"

    @property
    def airflow_home(self) -> Path:
        """Airflow's own folder."""
        return self.root / "airflow"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def state_file(self) -> Path:
        """Which processes run."""
        return self.root / "processes.json"

    @property
    def environment_file(self) -> Path:
        """A shell file that lets `s1c` work on this lake and store; readable by the owner only."""
        return self.root / "env.sh"

    @property
    def passwords_file(self) -> Path:
        """The log-in of Airflow's UI."""
        return self.airflow_home / "passwords.json"

    def secret(self, name: str, length: int = 32) -> str:
        """Return a random secret that is made once and kept, readable by the owner only."""
        path = self.root / "secrets" / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(length))
        return path.read_text(encoding="utf-8").strip()

    def remembered(self, name: str, value: Any) -> Any:
        """Return the value that was stored under a name at the first start, storing the given one now if none was."""
        path = self.root / f"{name}.json"
        if not path.exists():
            write_private(path, json.dumps(value))
        return json.loads(path.read_text(encoding="utf-8"))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.new")
    staged.unlink(missing_ok=True)
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    staged.replace(path)


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 1 << 16:
        raise ConfigurationError(f"{name}={text!r} is no port; choose one between 1 and 65535")
    return int(text)


def taken_ports(ports: Iterable[int]) -> list[int]:
    """Return those of the loopback ports that another process listens on."""
    taken = []
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                taken.append(port)
    return taken
