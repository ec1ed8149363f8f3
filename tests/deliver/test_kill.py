"""kill -9 at every step of the deliver task, then run it again: the same set as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deliver.conftest import STREAM, Results, World, a_hit, file_key, window_at

from sentinelone_collector.lake import FolderStorage, S3Storage, read_receipt
from sentinelone_collector.normalize import iter_events
from sentinelone_collector.store import open_store

W0, W1 = window_at(0), window_at(1)
Runner = Callable[[World, Results, int], dict[str, Any]]


@pytest.fixture(scope="module")
def program() -> Iterator[Callable[..., dict[str, Any]]]:
    started: list[subprocess.Popen[str]] = []

    def ask(job: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
        if not started:
            started.append(
                subprocess.Popen(
                    [sys.executable, str(Path(__file__).with_name("dying_task.py"))],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, **environment},
                )
            )
        (process,) = started
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, "the program died"
        return dict(json.loads(answer))

    yield ask
    for process in started:
        process.communicate()


@pytest.fixture
def run_and_die(program: Callable[..., dict[str, Any]], request: pytest.FixtureRequest) -> Runner:
    environment = request.getfixturevalue("s3_server").environment

    def run(world: World, results: Results, limit: int) -> dict[str, Any]:
        job = {
            "root": str(world.base),
            "limit": limit,
            "instance": world.content,
            "fetched": results.fetched.to_dict(),
            "normalized": results.normalized.to_dict(),
            "tagged": results.tagged.to_dict(),
        }
        return program(job, environment)

    return run


def copies(world: World, tmp_path: Path) -> Callable[[str], World]:
    """Return a maker of worlds that begin where this one is."""
    world.store.close()

    def copy(name: str) -> World:
        base = tmp_path / "copies" / name
        base.mkdir(parents=True)
        for part in ("lake", "delivered", "packed"):
            if (world.base / part).exists():
                shutil.copytree(world.base / part, base / part)
        for path in world.base.glob("s1c.db*"):
            shutil.copy(path, base / path.name)
        return World(
            FolderStorage(base / "lake"),
            None,
            base,
            destinations=world.destinations,
            s3_client_for=world.s3_client_for,
            hits=world.hits,
        )

    return copy


def deliver_again(world: World, results: Results) -> None:
    world.store = open_store(f"sqlite:///{world.base / 's1c.db'}")
    try:
        world.deliver(results)
    finally:
        world.store.close()


def test_a_task_killed_at_any_step_and_run_again_ends_with_every_window_once(
    world: World, run_and_die: Runner, tmp_path: Path
) -> None:
    """Mutants M6 and M11: no step counts before what it speaks of is there, and nothing comes twice."""
    world.destinations = (
        {"type": "file", "path": "delivered"},
        {"type": "file", "path": "packed", "compression": "gzip"},
    )
    world.deliver(world.collect(W1))
    old = world.expected(W1)
    results = world.collect(W0).with_retagged(W1)
    world.tag(W1, [a_hit("r.late", world.uids(W1)[:2])])
    new = world.expected(W1)
    expected = {W0: world.expected(W0), W1: new}
    copy = copies(world, tmp_path)

    whole = run_and_die(copy("whole"), results, 0)
    assert whole["status"] == 0
    assert whole["steps"] >= 24, "the task no longer touches what it did"
    halfway = 0
    for limit in range(1, whole["steps"] + 1):
        killed = copy(str(limit))
        assert run_and_die(killed, results, limit)["status"] == -signal.SIGKILL
        plain, packed = killed.delivered_files(), killed.delivered_files("packed")
        for files, suffix in ((plain, ".ndjson"), (packed, ".ndjson.gz")):
            assert files.keys() <= {file_key(W0, suffix), file_key(W1, suffix)}
            assert files[file_key(W1, suffix)] in (old, new)
            assert files.get(file_key(W0, suffix), expected[W0]) == expected[W0]
        receipt = read_receipt(killed.lake, "emea", STREAM, W0)
        halfway += receipt is None and file_key(W0) in plain
        if receipt is not None:
            assert file_key(W0) in plain
            assert file_key(W0, ".ndjson.gz") in packed
        other = read_receipt(killed.lake, "emea", STREAM, W1)
        assert other is not None
        if other.hits == 1:
            assert plain[file_key(W1)] == packed[file_key(W1, ".ndjson.gz")] == new

        deliver_again(killed, results)
        assert killed.delivered_files() == {file_key(window): expected[window] for window in expected}
        assert killed.delivered_files("packed") == {
            file_key(window, ".ndjson.gz"): expected[window] for window in expected
        }
        for window, hits in ((W0, 0), (W1, 1)):
            final = read_receipt(killed.lake, "emea", STREAM, window)
            assert final is not None
            assert final.hits == hits
        shutil.rmtree(killed.base)
    assert halfway >= 3, "no kill fell between delivery and receipt"


def test_a_task_killed_around_its_upload_and_run_again_leaves_one_object(
    world: World, run_and_die: Runner, s3_server: Any, tmp_path: Path
) -> None:
    client = s3_server.client()
    world.s3_client_for = lambda _: client
    results = world.collect(W0)
    expected = world.expected(W0)
    copy = copies(world, tmp_path)
    seen = set()
    limit, status = 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        limit += 1
        world.destinations = ({"type": "s3", "bucket": s3_server.bucket, "prefix": s3_server.fresh_prefix()},)
        killed = copy(str(limit))
        killed.destinations = world.destinations
        status = run_and_die(killed, results, limit)["status"]
        storage = S3Storage(s3_server.bucket, world.destinations[0]["prefix"], client)
        key = file_key(W0, ".parquet")
        before = list(storage.keys(""))
        receipt = read_receipt(killed.lake, "emea", STREAM, W0)
        seen.add((before == [key], receipt is not None))
        assert before in ([], [key])
        deliver_again(killed, results)
        assert list(storage.keys("")) == [key]
        with storage.local(key) as path:
            assert path is not None
            assert list(iter_events(path)) == expected
        assert read_receipt(killed.lake, "emea", STREAM, W0) is not None
        shutil.rmtree(killed.base)
    assert status == 0
    assert seen == {(False, False), (True, False), (True, True)}
