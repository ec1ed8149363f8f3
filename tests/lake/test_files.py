"""A lake in a folder: atomic under kill -9, leftovers never seen, errors that name the path and the cure."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sentinelone_collector.errors import LakeError
from sentinelone_collector.lake import FolderStorage

KEY = "events/instance=emea/stream=threats/day=2026-11-22/20261122T100000Z--20261122T101000Z.parquet"
OLD, NEW = b"old" * 1000, b"new" * 2000

# Kills itself at the N-th step of the put: every call of the file system that Python reports, and each flush to disk.
_PUTTER = """
import os, signal, sys
from pathlib import Path
from sentinelone_collector.lake import FolderStorage

root, key, source, limit = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "shutil.move", "tempfile.mkdtemp"}
lake = FolderStorage(root)
steps, real_fsync = 0, os.fsync

def step(*_):
    global steps
    steps += 1
    if steps == limit:
        os.kill(os.getpid(), signal.SIGKILL)

def fsync(handle):
    step()
    real_fsync(handle)
    step()

os.fsync = fsync
sys.addaudithook(lambda event, _: step() if event in EVENTS else None)
lake.put(key, source if source.name != "-" else b"new" * 2000)
print(steps)
"""


def put_and_die(root: Path, source: str, limit: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _PUTTER, str(root), KEY, source, str(limit)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", ["bytes", "file"])
def test_a_killed_put_leaves_the_old_object_or_the_new_one_whole(tmp_path: Path, kind: str) -> None:
    def prepare(name: str) -> tuple[FolderStorage, str]:
        lake = FolderStorage(tmp_path / name)
        lake.put(KEY, OLD)
        if kind == "bytes":
            return lake, "-"
        source = tmp_path / f"{name}.source"
        source.write_bytes(NEW)
        return lake, str(source)

    lake, source = prepare("whole")
    whole = put_and_die(tmp_path / "whole", source, 0)
    assert whole.returncode == 0, whole.stderr
    assert lake.read(KEY) == NEW
    steps = int(whole.stdout)
    assert steps >= 8, "the put no longer flushes, renames and flushes"

    seen = set()
    for limit in range(1, steps + 1):
        name = f"killed{limit}"
        lake, source = prepare(name)
        killed = put_and_die(tmp_path / name, source, limit)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        content = lake.read(KEY)
        assert content in (OLD, NEW), f"half an object after step {limit}"
        assert list(lake.keys("")) == [KEY], f"a leftover shows after step {limit}"
        seen.add(content)
        lake.put(KEY, b"newest")
        assert lake.read(KEY) == b"newest"
    assert seen == {OLD, NEW}


def test_the_bytes_are_on_disk_before_the_name_and_the_name_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[tuple[str, str]] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(handle: int) -> None:
        log.append(("flush", str(Path(f"/proc/self/fd/{handle}").readlink())))
        real_fsync(handle)

    def replace(source: Path, target: Path) -> None:
        log.append(("rename", str(target)))
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    root = tmp_path / "lake"
    FolderStorage(root).put("a/b/object", NEW)
    at = log.index(("rename", str(root / "a/b/object")))
    assert [kind for kind, path in log[:at] if path.startswith(str(root / ".staging"))] == ["flush"]
    flushed_after = {path for kind, path in log[at:] if kind == "flush"}
    assert {str(root / "a/b"), str(root / "a"), str(root)} <= flushed_after


def test_keys_sort_by_their_text_where_files_and_folders_mix(tmp_path: Path) -> None:
    lake = FolderStorage(tmp_path / "lake")
    keys = ["a/b/2", "a.b", "a/b.c", "b/x", "a/b-d/3", "ab/1", "a/b/.staging/1"]
    for key in keys:
        lake.put(key, b"")
    with lake.scratch() as folder:
        (folder / "on its way").write_bytes(b"x")
        assert list(lake.keys("")) == [found.key for found in lake.versions("")] == sorted(keys)


def test_leftovers_are_reaped_after_a_day_and_not_before(tmp_path: Path) -> None:
    clock = [1_800_000_000.0]
    lake = FolderStorage(tmp_path / "lake", now=lambda: clock[0])
    lake.put("a/b", b"x")
    leftover = tmp_path / "lake/.staging/s1c-killed"
    leftover.mkdir()
    (leftover / "object").write_bytes(b"half")
    for path in (leftover / "object", leftover):
        os.utime(path, (clock[0], clock[0]))
    clock[0] += 86_400
    lake.put("a/c", b"x")
    assert leftover.exists()
    assert list(lake.keys("")) == ["a/b", "a/c"]
    clock[0] += 1
    lake.put("a/d", b"x")
    assert not leftover.exists()


def test_a_folder_that_is_still_written_to_is_not_reaped(tmp_path: Path) -> None:
    clock = [1_800_000_000.0]
    lake = FolderStorage(tmp_path / "lake", now=lambda: clock[0])
    with lake.scratch() as folder:
        (folder / "growing").write_bytes(b"")
        os.utime(folder, (clock[0], clock[0]))
        clock[0] += 100_000
        os.utime(folder / "growing", (clock[0], clock[0]))
        lake.put("a/b", b"x")
        assert (folder / "growing").exists()


def test_foreign_folders_in_the_staging_area_are_left_alone(tmp_path: Path) -> None:
    lake = FolderStorage(tmp_path / "lake", now=lambda: 4e9)
    foreign = tmp_path / "lake/.staging/somebody-elses"
    foreign.mkdir(parents=True)
    lake.put("a/b", b"x")
    assert foreign.exists()


@pytest.mark.parametrize("key", ["", "/etc/passwd", "a/../../b", "./a", "a//b", ".staging/a", "a/"])
def test_a_key_that_leads_out_of_the_lake_is_refused(tmp_path: Path, key: str) -> None:
    lake = FolderStorage(tmp_path / "lake")
    for work in (lambda: lake.put(key, b""), lambda: lake.read(key), lambda: lake.delete(key)):
        with pytest.raises(LakeError, match="no key"):
            work()
    assert not (tmp_path / "b").exists()


def test_an_error_names_the_path_and_the_cure(tmp_path: Path) -> None:
    lake = FolderStorage(tmp_path / "lake")
    lake.put("a/b", b"x")
    expected = rf"{tmp_path}/lake/a/b/c.*check space, rights and the path"
    for work in (
        lambda: lake.put("a/b/c", b""),
        lambda: lake.read("a/b/c"),
        lambda: lake.digest("a/b/c"),
        lambda: lake.delete("a/b/c"),
        lambda: list(lake.keys("a/b/c/")),
    ):
        with pytest.raises(LakeError, match=expected):
            work()


def test_a_lake_whose_place_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    with pytest.raises(LakeError, match=r"lake.*check space, rights"), FolderStorage(tmp_path / "lake").scratch():
        pytest.fail("no folder to give")


def test_what_the_caller_does_in_the_scratch_folder_is_not_called_a_lake_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), FolderStorage(tmp_path / "lake").scratch() as folder:
        (folder / "missing").read_bytes()


def test_a_source_on_another_file_system_is_copied_then_renamed(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system only")
    source = elsewhere / f"s1c-test-{os.getpid()}"
    try:
        source.write_bytes(NEW)
        lake = FolderStorage(tmp_path / "lake")
        lake.put("a/b", source)
        assert lake.read("a/b") == NEW
    finally:
        if source.exists():
            source.unlink()
        shutil.rmtree(tmp_path / "lake")
