"""One record in, one event out for the streams beside activities, as files that people review.

`S1C_GOLDEN=write python -m pytest tests/normalize/test_golden_streams.py` writes the events anew; the records stay.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinelone_collector.normalize.streams import stream_names

FILES = sorted(Path(__file__).with_name("golden_streams").glob("*/*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_record_becomes_the_reviewed_event(path: Path, event_of: Any, columns_of: Any, problems: Any) -> None:
    stream = path.parent.name
    golden = json.loads(path.read_text("utf-8"))
    line = msgspec.json.encode(golden["record"])
    event = event_of(stream, line)
    assert event.pop("raw_data") == line.decode()
    if os.environ.get("S1C_GOLDEN") == "write":
        golden["event"] = event
        path.write_text(json.dumps(golden, indent=2, ensure_ascii=False) + "\n", "utf-8")
    assert event == golden["event"]
    assert problems(event) == []
    assert columns_of(stream, line) == {**event, "raw_data": line.decode()}


def test_every_stream_has_some() -> None:
    assert {path.parent.name for path in FILES} == set(stream_names()) - {"activities"}
