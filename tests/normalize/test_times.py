"""Many times at once are read as one is."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.normalize.times import LENGTH, console_times
from sentinelone_collector.normalize.values import EARLIEST_MS, LATEST_MS, console_ms

MOMENTS = st.datetimes(datetime(1969, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  # the zone comes extra
    lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
)
NEARLY = st.builds(
    lambda text, place, letter: text[:place] + letter + text[place + 1 :],
    MOMENTS,
    st.integers(0, LENGTH - 1),
    st.sampled_from("0123456789-:TZ. /x"),
)
EDGES = st.sampled_from(
    [
        "2024-02-29T23:59:59.999999Z",
        "2026-02-29T00:00:00.000000Z",
        "2100-02-29T00:00:00.000000Z",
        "2026-04-31T00:00:00.000000Z",
        "2026-12-31T24:00:00.000000Z",
        "2026-00-10T00:00:00.000000Z",
        "2026-01-00T00:00:00.000000Z",
        "2026-13-01T00:00:00.000000Z",
        "2026-01-01T00:60:00.000000Z",
        "2026-01-01T00:00:60.000000Z",
        "0000-01-01T00:00:00.000000Z",
    ]
)
_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@settings(max_examples=150)
@given(texts=st.lists(MOMENTS | NEARLY | EDGES, min_size=1, max_size=8))
def test_many_times_are_read_as_one_is(texts: list[str]) -> None:
    octets = np.frombuffer("".join(texts).encode(), np.uint8).reshape(-1, LENGTH)
    times, good = console_times(octets)
    expected = [console_ms(text) for text in texts]
    # the reader of one time also takes a full stop for a colon, as Python's own does; such a line goes the long way
    wanted = [
        one is not None and EARLIEST_MS < one < LATEST_MS and _FORM.fullmatch(text) is not None
        for one, text in zip(expected, texts, strict=True)
    ]
    assert good.tolist() == wanted
    assert [time for time, well in zip(times.tolist(), good, strict=True) if well] == [
        one for one, well in zip(expected, wanted, strict=True) if well
    ]
