"""Which destinations there are, and how a wrong entry of an inventory file is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deliver.conftest import World, window_at

from sentinelone_collector.deliver import check_destinations, destinations, known_destinations
from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import Instance
from sentinelone_collector.results import Delivery


def instance_with(*entries: dict[str, Any]) -> Instance:
    return Instance.model_validate(
        {
            "slug": "emea",
            "name": "EMEA",
            "connection_id": "sentinelone_emea",
            "live_since": "2026-11-22",
            "destinations": list(entries),
        }
    )


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [{"type": "file", "path": "delivered"}],
        [{"type": "file", "path": "/srv/out", "format": "ndjson", "compression": "gzip"}],
        [{"type": "s3", "bucket": "security-logs"}],
        [{"type": "s3", "bucket": "a.b-c", "prefix": "raw/s1", "connection_id": "aws_logs", "format": "ndjson"}],
        [{"type": "file", "path": "a"}, {"type": "file", "path": "b"}, {"type": "s3", "bucket": "logs"}],
    ],
)
def test_right_entries_pass(entries: list[dict[str, Any]]) -> None:
    check_destinations(instance_with(*entries))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"type": "kafka"}, "there is no destination type 'kafka'; known are file, s3"),
        ({"type": "file"}, r"path is missing; add it"),
        ({"type": "file", "path": ""}, "path: "),
        ({"type": "file", "path": "  "}, "path: "),
        ({"type": "file", "path": "x", "compression": "rar"}, "compression: .*none.*gzip"),
        ({"type": "file", "path": "x", "format": "csv"}, "format: .*ndjson"),
        (
            {"type": "file", "path": "x", "bucket": "y"},
            "bucket: no such key; known are type, path, format, compression",
        ),
        ({"type": "s3"}, "bucket is missing"),
        ({"type": "s3", "bucket": "Not_A_Bucket"}, "bucket: "),
        ({"type": "s3", "bucket": "logs", "prefix": "/begins"}, "prefix: "),
        ({"type": "s3", "bucket": "logs", "prefix": "ends/"}, "prefix: "),
        ({"type": "s3", "bucket": "logs", "format": "avro"}, "format: "),
        ({"type": "s3", "bucket": "logs", "connection_id": "no spaces"}, "connection_id: "),
    ],
)
def test_a_wrong_entry_is_named_with_the_cure(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"emea: destination 1.*{said}"):
        check_destinations(instance_with(entry))


def test_what_was_pasted_by_mistake_is_not_shown() -> None:
    entry = {"type": "s3", "bucket": "HUNTER2hunter2", "aws_secret": "hunter2-hunter2"}
    with pytest.raises(ConfigurationError) as caught:
        check_destinations(instance_with(entry))
    assert "hunter2" not in str(caught.value).lower()


def test_the_same_entry_twice_is_refused() -> None:
    entry = {"type": "file", "path": "delivered"}
    with pytest.raises(ConfigurationError, match=r"destination 3 .*same as destination 1"):
        check_destinations(instance_with(entry, {"type": "s3", "bucket": "logs"}, dict(entry)))


def test_checking_imports_nothing_heavy() -> None:
    code = (
        "import sys; from sentinelone_collector.deliver import known_destinations; known_destinations();"
        "print([name for name in ('pandas', 'pyarrow', 'duckdb', 'boto3', 'botocore', 'sqlalchemy', 'airflow')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


_ONE_FILE = """
from pydantic import BaseModel, ConfigDict
from sentinelone_collector.results import Delivery

TYPE = "shelf"


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    board: int


class Shelf:
    def __init__(self, options):
        self.name = f"shelf:{options.board}"

    def deliver(self, payload):
        events = list(payload.iter_events())
        return Delivery(destination=self.name, target="board", records=len(events), sha256="", written=True)


def build(options, surroundings):
    return Shelf(options)
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "destinations"
    folder.mkdir()
    (folder / "shelf.py").write_text(_ONE_FILE)
    monkeypatch.setattr(destinations, "__path__", [*destinations.__path__, str(folder)])
    known_destinations.cache_clear()
    yield
    known_destinations.cache_clear()
    sys.modules.pop(f"{destinations.__name__}.shelf", None)


@pytest.mark.usefixtures("shelf")
def test_a_destination_is_added_as_one_new_file(world: World) -> None:
    assert set(known_destinations()) == {"file", "s3", "shelf"}
    with pytest.raises(ConfigurationError, match="board is missing"):
        check_destinations(instance_with({"type": "shelf"}))
    world.destinations = ({"type": "shelf", "board": 3},)
    delivered = world.deliver(world.collect(window_at(0), 4))
    assert delivered.deliveries == (
        Delivery(destination="shelf:3", target="board", records=4, sha256="", written=True),
    )
