"""Files and processes as evidence of a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentinelone_collector.normalize.ocsf import Observable, caption, observable
from sentinelone_collector.normalize.sections import Section
from sentinelone_collector.normalize.states import basename
from sentinelone_collector.normalize.values import number, text

__all__ = ["FileFields", "ProcessFields", "linked", "observe_process", "present", "read_file", "read_process"]

_BITS: Final = {"md5": 128, "sha1": 160, "sha256": 256}
_KINDS: Final = {"md5": 1, "sha1": 2, "sha256": 3}
_INTEGRITY: Final[Mapping[str, int]] = {
    "unknown": 0,
    "untrusted": 1,
    "low": 2,
    "medium": 3,
    "high": 4,
    "system": 5,
}


@dataclass(frozen=True, slots=True)
class FileFields:
    """The names of a file's fields in a section; "" where the section has no such field."""

    name: str = ""
    path: str = ""
    md5: str = ""
    sha1: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class ProcessFields:
    """The names of a process's fields in a section."""

    name: str
    uid: str
    pid: str
    line: str
    started: str
    integrity: str
    user: str
    image: FileFields


def present(**values: Any) -> dict[str, Any]:
    """Return the attributes that hold something."""
    return {name: value for name, value in values.items() if value is not None and value not in ({}, [])}


def read_file(section: Section, fields: FileFields, path: str | None, seen: list[Observable]) -> dict[str, Any]:
    """Return a file; empty, with nothing of it mapped, where neither a name nor a path is known.

    `path` is that of the file in the event, for its observables; None where it has none.
    """
    if text(section.peek(fields.name)) is None and basename(text(section.peek(fields.path))) is None:
        return {}
    place = section.text(fields.path)
    name = section.text(fields.name) or basename(place)
    hashes: list[dict[str, Any]] = [
        {"algorithm_id": kind, "algorithm": caption("hash", kind), "value": value}
        for word, kind in _KINDS.items()
        if (value := section.hash(getattr(fields, word), bits=_BITS[word])) is not None
    ]
    if path is not None and name is not None:
        seen.append(observable(f"{path}.name", 7, name))
        seen.extend(observable(f"{path}.hashes", 8, entry["value"]) for entry in hashes)
    return present(name=name, type_id=1, type="Regular File", path=place, hashes=hashes)


def read_process(section: Section, fields: ProcessFields, path: str | None, seen: list[Observable]) -> dict[str, Any]:
    """Return a process; empty, with nothing of it mapped, where it has neither a pid nor an id."""
    if number(section.peek(fields.pid)) is None and text(section.peek(fields.uid)) is None:
        return {}
    # The file has the name of its own, where the section tells of both with one field.
    name = section.text(fields.name)
    image = read_file(section, fields.image, f"{path}.file" if path else None, seen)
    line = section.text(fields.line)
    integrity = section.choice(fields.integrity, _INTEGRITY)
    account = section.text(fields.user)
    if path is not None:
        observe_process(path, name, line, seen)
    return present(
        pid=section.number(fields.pid),
        uid=section.text(fields.uid),
        name=name,
        cmd_line=line,
        created_time=section.time(fields.started),
        integrity_id=integrity,
        integrity=None if integrity is None else caption("integrity", integrity),
        user=None if account is None else {"name": account},
        file=image,
    )


def observe_process(path: str, name: str | None, line: str | None, seen: list[Observable]) -> None:
    """Add the observables of a process."""
    if name is not None:
        seen.append(observable(f"{path}.name", 9, name))
    if line is not None:
        seen.append(observable(f"{path}.cmd_line", 13, line))


def linked(storyline: str | None, finding: str, name: str) -> str:
    """Return an id for a process of which the console tells the name only: `<storyline>:<name>`.

    OCSF wants an id or a pid. Within a storyline (else within its finding) a name stands for one process.
    """
    return f"{storyline or finding}:{name}"
