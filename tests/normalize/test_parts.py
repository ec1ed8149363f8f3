"""Parts of rows that are mapped once and shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sentinelone_collector.normalize.shapes import Declared, places_of


def test_equal_values_of_other_types_share_nothing(
    activity: Callable[..., dict[str, Any]], as_event: Callable[..., dict[str, Any]]
) -> None:
    events = [as_event(activity(3008, {"username": name, "computerName": name})) for name in (1, True, 1.0, "1", 1)]
    assert [event["actor"].get("user", {}).get("name") for event in events] == ["1", None, None, "1", "1"]
    assert [event.get("device", {}).get("hostname") for event in events] == ["1", None, None, "1", "1"]


@pytest.mark.parametrize("odd", [{}, ["x"], {"a": [1]}])
def test_objects_in_place_of_texts_are_no_error(
    activity: Callable[..., dict[str, Any]], as_event: Callable[..., dict[str, Any]], odd: Any
) -> None:
    event = as_event(activity(3008, {"byUser": odd, "computerName": odd}, agentId="7"))
    assert event["device"]["uid"] == "7"
    assert event["unmapped"]["data"]["byUser"] == odd


def test_only_declared_fields_can_be_read() -> None:
    fields = Declared(places_of(["a", "b"], ["a"]), [1, None])
    assert (fields.get("a"), fields.get("b")) == (1, None)
    with pytest.raises(KeyError):
        fields.get("c")
