"""A program that runs the deliver task again and again in children of its own and kills each at a later step.

It reads one JSON document a line: where the world lies, what the earlier tasks handed on, and at which step (a call
that touches the world's files, a flush, a request to S3, a write of ledger or receipt) the child kills itself; 0 lets
it live. It answers with the child's exit status and, where it lived, the number of steps.
"""

# ruff: noqa: TID253  # heavy modules are loaded once, before the children

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet  # noqa: F401
from botocore.config import Config

from sentinelone_collector.deliver import deliver, known_destinations
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import FolderStorage
from sentinelone_collector.normalize import event_schema
from sentinelone_collector.results import Fetched, Normalized, Tagged
from sentinelone_collector.store import Store, open_store

_FILE_EVENTS = {"os.mkdir", "os.rename", "os.remove"}  # what was opened for writing counts by its flush


class Steps:
    """Counts steps and kills the process at one of them."""

    def __init__(self, root: Path, limit: int) -> None:
        self.root, self.limit, self.count, self.on = str(root), limit, 0, False

    def step(self) -> None:
        if self.on:
            self.count += 1
            if self.count == self.limit:
                os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        places = [str(argument) for argument in arguments[:2] if self.root in str(argument)]
        # making and clearing away scratch folders changes nothing that anyone sees
        if self.on and event in _FILE_EVENTS and any(".staging" not in place for place in places):
            self.step()

    def around(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            self.step()
            result = work(*arguments, **named)
            self.step()
            return result

        return wrapped


def run(job: dict[str, Any], report: int) -> None:
    root = Path(job["root"])
    steps = Steps(root, job["limit"])
    sys.addaudithook(steps.audit)
    real_fsync = os.fsync
    os.fsync = lambda handle: (steps.step(), real_fsync(handle))[1]
    Store.record_delivery = steps.around(Store.record_delivery)  # type: ignore[method-assign]

    def client_for(connection_id: str | None) -> Any:
        client = boto3.client("s3", config=Config(retries={"total_max_attempts": 2}))
        client.meta.events.register("before-send.s3", lambda **_: steps.step())
        client.meta.events.register("after-call.s3", lambda **_: steps.step())
        return client

    store = open_store(f"sqlite:///{root / 's1c.db'}")
    fetched = Fetched.from_dict(job["fetched"])
    steps.on = True
    deliver(
        Instance.model_validate(job["instance"]),
        fetched.stream,
        fetched.window,
        fetched=fetched,
        normalized=Normalized.from_dict(job["normalized"]),
        tagged=Tagged.from_dict(job["tagged"]),
        lake=FolderStorage(root / "lake"),
        store=store,
        base=root,
        code_version="1.2.3",
        s3_client_for=client_for,
    )
    steps.on = False
    os.write(report, str(steps.count).encode())


def warm_up() -> None:
    """Load all that a child would otherwise load anew."""
    with tempfile.TemporaryDirectory() as folder:
        open_store(f"sqlite:///{folder}/warm.db").close()
    boto3.client("s3")
    known_destinations()
    event_schema()


def main() -> None:
    warm_up()
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            status = 1
            try:
                run(json.loads(line), writing)
                status = 0
            except Exception:  # noqa: BLE001  # the child must not go on as its parent
                traceback.print_exc()
            os._exit(status)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        counted = os.read(reading, 20).decode()
        os.close(reading)
        answer = {"status": os.waitstatus_to_exitcode(status), "steps": int(counted or 0)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
