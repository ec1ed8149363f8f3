"""One record in, one whole event out, as files that people review; `test_every_type.py` has all the types.

`S1C_GOLDEN=write python -m pytest tests/normalize/test_golden.py` writes the events anew; the records stay.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

FILES = sorted(Path(__file__).with_name("golden").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_record_becomes_the_reviewed_event(path: Path, as_event: Any, through_columns: Any, problems: Any) -> None:
    golden = json.loads(path.read_text("utf-8"))
    line = msgspec.json.encode(golden["record"])
    event = as_event(line)
    assert event.pop("raw_data") == line.decode()
    if os.environ.get("S1C_GOLDEN") == "write":
        golden["event"] = event
        path.write_text(json.dumps(golden, indent=2, ensure_ascii=False) + "\n", "utf-8")
    assert event == golden["event"]
    assert problems(event) == []
    assert through_columns(line) == {**event, "raw_data": line.decode()}
