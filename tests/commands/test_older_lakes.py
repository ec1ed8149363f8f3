"""Lakes that an earlier release wrote: events without what later releases know about addresses."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector.simulator import Simulator

from .conftest import CANARY, YESTERDAY, Desk, hours, iso

HOURS = (1, 4)


@pytest.fixture(scope="module")
def attacked() -> Any:
    """A console with a password spray that ends in a takeover, at one o'clock yesterday."""
    scenario = f"takeover@{iso(YESTERDAY + timedelta(hours=1, minutes=30))}"
    with Simulator(
        seed=5, users=15, records_per_day=1200, days=3, scenarios=[scenario], token=CANARY, rate_limits=False
    ) as simulator:
        yield simulator


def _without_addresses(path: Path) -> None:
    """Write a file of events as before there were places, networks and enrichments; all else stays as it is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    place = table.schema.get_field_index("src_endpoint")
    source = table.column("src_endpoint").combine_chunks()
    kept = [name for name in (field.name for field in source.type) if name not in {"location", "autonomous_system"}]
    assert len(kept) == source.type.num_fields - 2
    fields = [source.type.field(source.type.get_field_index(name)) for name in kept]
    arrays = [source.field(name) for name in kept]
    smaller = pa.StructArray.from_arrays(arrays, fields=fields, mask=source.is_null())
    older = table.set_column(place, pa.field("src_endpoint", smaller.type), smaller).drop_columns(["enrichments"])
    assert older.num_rows == table.num_rows
    pq.write_table(older, path)


def _incidents(desk: Desk) -> list[dict[str, Any]]:
    found = desk.run("incidents", "list", "--json").json
    return sorted(
        ({key: value for key, value in one.items() if key != "created_at"} for one in found), key=lambda one: one["id"]
    )


@pytest.mark.parametrize("older", [slice(None), slice(1)], ids=["all", "the first"])
def test_events_of_before_addresses_are_tagged_like_events_without_any(
    desk: Desk, attacked: Simulator, older: slice
) -> None:
    """Under all rules, with correlations over files of both kinds, and login anomalies counted from both."""
    desk.set("S1C_ADDRESSES", "none")
    desk.connect(attacked.url)
    desk.add()
    desk.run("collect", "emea", *hours(*HOURS))
    hits, incidents = desk.objects("hits"), _incidents(desk)
    assert {"ul-004", "ul-006-spray", "ub-009", "aa-010", "ub-015"} <= {one["rule_id"] for one in incidents}
    for key in [key for key in desk.objects("events") if "stream=activities" in key][older]:
        _without_addresses(desk.lake / key)
    for key in hits:
        (desk.lake / key).unlink()
    desk.run("collect", "emea", *hours(*HOURS), "--reprocess", "tag")
    assert desk.objects("hits") == hits
    assert _incidents(desk) == incidents
