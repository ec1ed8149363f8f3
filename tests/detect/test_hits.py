from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.detect.hits import Hit, hit_schema, read_hits, write_hits

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
NUMBER = st.integers(-(2**63), 2**63 - 1)
HITS = st.lists(
    st.builds(
        Hit,
        hit_id=TEXT,
        incident_id=st.none() | TEXT,
        rule_id=TEXT,
        rule_version=TEXT,
        rule_title=TEXT | st.sampled_from(["2026-01-14T00:00:00Z", "1", "null", "true", '{"a": 1}']),
        family=TEXT,
        classification=TEXT,
        visibility=st.sampled_from(["incident", "observation"]),
        level=TEXT,
        severity_id=st.integers(-(2**31), 2**31 - 1),
        kind=st.sampled_from(["event", "correlation", "anomaly"]),
        event_uids=st.lists(TEXT, max_size=5).map(tuple),
        event_count=NUMBER,
        time=NUMBER,
        last_time=NUMBER,
        bucket=NUMBER,
        entity=TEXT,
        attacker=st.none() | TEXT,
        victim=st.none() | TEXT,
        summary=TEXT,
        note=st.none() | TEXT,
        attacks=st.lists(TEXT, max_size=2).map(tuple),
        attacks_v19=st.lists(TEXT, max_size=2).map(tuple),
    ),
    max_size=5,
)


@settings(max_examples=60)
@given(hits=HITS)
def test_hits_come_back_as_they_were_in_a_file_of_the_frozen_schema(
    hits: list[Hit], tmp_path_factory: pytest.TempPathFactory
) -> None:
    import pyarrow.parquet as pq

    path = tmp_path_factory.mktemp("hits") / "hits.parquet"
    assert write_hits(path, hits) == len(hits)
    assert read_hits(path) == sorted(hits, key=lambda hit: hit.order)
    assert pq.read_schema(path).equals(hit_schema())


def one_hit(**more: Any) -> Hit:
    values: dict[str, Any] = dict.fromkeys(Hit.__struct_fields__, "x")
    values |= dict.fromkeys(("severity_id", "event_count", "time", "last_time", "bucket"), 1)
    values |= {"visibility": "incident", "kind": "event", "event_uids": ("u",), "analysis": None}
    values |= dict.fromkeys(("attacks", "attacks_v19"), ())
    return Hit(**(values | more))


def test_many_large_hits_are_kept_whole(tmp_path: Path) -> None:
    hits = [one_hit(hit_id=str(n), event_uids=("u" * 36,) * 200) for n in range(2_000)]
    hits.append(one_hit(summary="s" * 3_000_000))
    write_hits(tmp_path / "h", hits)
    assert read_hits(tmp_path / "h") == sorted(hits, key=lambda hit: hit.order)


def test_writing_hits_does_not_load_pandas(tmp_path: Path) -> None:
    (tmp_path / "hit.json").write_bytes(msgspec.json.encode(one_hit()))
    code = """if True:
        import msgspec, pathlib, sys
        from sentinelone_collector.detect.hits import Hit, write_hits
        folder = pathlib.Path(sys.argv[1])
        hit = msgspec.json.decode((folder / "hit.json").read_bytes(), type=Hit)
        print(write_hits(folder / "none", []), write_hits(folder / "one", [hit]), "pandas" in sys.modules)
    """
    answer = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    assert answer.stdout == "0 1 False\n"
