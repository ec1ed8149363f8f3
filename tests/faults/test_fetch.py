"""Fetch against a console that fails in every way it knows: whole and byte for byte, or a clear error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinelone_collector.errors import (
    CollectorError,
    ConfigurationError,
    IncompleteWindow,
    PermissionDenied,
    ProtocolError,
    RetryableError,
    TokenError,
)
from sentinelone_collector.instances import Connection
from sentinelone_collector.simulator import Simulator
from sentinelone_collector.simulator.faults import FAULTS
from sentinelone_collector.source import check_console
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.rate import Limits

# what each fault is when it never ends; None: it costs nothing but time or repeated rows
FOR_GOOD = {
    "401-mid-walk": TokenError,
    "403-stream": PermissionDenied,
    "429": RetryableError,
    "429-date": RetryableError,
    "429-seconds": RetryableError,
    "500": RetryableError,
    "502": RetryableError,
    "503": RetryableError,
    "count-larger": IncompleteWindow,
    "count-moving": IncompleteWindow,
    "count-smaller": IncompleteWindow,
    "cursor-cycle": ProtocolError,
    "cursor-rejected": ProtocolError,
    "duplicates": None,
    "empty-page": ProtocolError,
    "errors-200": ProtocolError,
    "feature-off": None,  # concerns the alerts of rules only
    "html-200": ProtocolError,
    "redirect": ConfigurationError,
    "reset": RetryableError,
    "shuffled": None,
    "slow": None,
    "truncated": ProtocolError,
}
AT_ONCE = {"401-mid-walk", "403-stream", "redirect"}  # these fail the task however rarely they strike
OPTIONS = {"slow": ":seconds=0.01"}
TASK_TRIES = 5


def test_every_fault_of_the_simulator_has_its_expectation() -> None:
    assert set(FAULTS) == set(FOR_GOOD)


def test_a_console_without_faults_is_copied_byte_for_byte(collector: Any) -> None:
    result = collector.fetch()
    assert collector.stored() == collector.truth()
    assert result.expected > 500
    assert result.duplicates == 0


@pytest.mark.parametrize("when", ["at=2", "every=6"])
@pytest.mark.parametrize("name", sorted(FOR_GOOD.keys() - AT_ONCE))
def test_a_fault_that_passes_costs_no_record(collector: Any, name: str, when: str) -> None:
    collector.simulator.set_faults(f"{name}:{when}{OPTIONS.get(name, '')}")
    result, kinds = None, set()
    for _ in range(1 if when.startswith("at=") else TASK_TRIES):
        try:
            result = collector.fetch()
            break
        except IncompleteWindow:
            # a count that lies often enough can't be told from lost records
            assert name.startswith("count-")
            assert not when.startswith("at=")
            assert collector.stored() is None
            return
        except CollectorError as error:
            # slices are read side by side: it may strike each try of one, and then the task is run again
            kinds.add(type(error))
            assert collector.stored() is None
    assert kinds <= {FOR_GOOD[name]}
    assert result is not None
    assert collector.stored() == collector.truth()
    assert result.fetched - result.duplicates == result.expected == collector.truth().count(b"\n")


@pytest.mark.parametrize("name", sorted(FOR_GOOD))
def test_a_fault_for_good_ends_in_a_clear_error_or_does_no_harm(collector: Any, name: str) -> None:
    collector.simulator.set_faults(f"{name}:every=1{OPTIONS.get(name, '')}")
    kind = FOR_GOOD[name]
    if kind is None:
        collector.fetch()
        assert collector.stored() == collector.truth()
        return
    with pytest.raises(CollectorError) as caught:
        collector.fetch()
    assert type(caught.value) is kind, str(caught.value)
    assert str(caught.value).startswith(f"emea/activities {collector.window}: ")
    assert collector.simulator.token not in str(caught.value)
    assert collector.stored() is None
    collector.simulator.clear_faults()
    collector.fetch()
    assert collector.stored() == collector.truth()


@pytest.mark.parametrize("name", sorted(AT_ONCE))
def test_a_refusal_in_the_middle_leaves_the_old_object(collector: Any, name: str) -> None:
    collector.fetch()
    before = collector.stored()
    collector.simulator.set_faults(f"{name}:at=5")
    with pytest.raises(FOR_GOOD[name]):
        collector.fetch()
    assert collector.stored() == before


def test_all_passing_faults_at_once(collector: Any) -> None:
    names = [name for name in FOR_GOOD if name not in AT_ONCE and not name.startswith("count-")]
    collector.simulator.set_faults(*(f"{name}:rate=0.02{OPTIONS.get(name, '')}" for name in names))
    collector.fetch(patience=1e6)
    assert collector.stored() == collector.truth()


def test_the_redirects_target_is_named_and_never_asked(collector: Any) -> None:
    with Simulator(seed=1, days=1) as other:
        collector.simulator.set_faults(f"redirect:at=3:to={other.url}/web/api/v2.1/activities")
        with pytest.raises(ConfigurationError, match=other.url.removeprefix("http://")):
            collector.fetch()
        assert other.requests == []


def test_an_outage_of_ten_minutes_is_sat_out(collector: Any) -> None:
    sleep, ends = collector.clock.sleep, collector.clock.now + 600.0

    def sleeping(seconds: float) -> None:
        sleep(seconds)
        if collector.clock.now >= ends:
            collector.simulator.come_up()

    collector.simulator.go_down("502")
    collector.clock.sleep = sleeping
    collector.fetch()
    assert collector.stored() == collector.truth()
    assert 600.0 <= collector.clock.now < 700.0


@pytest.mark.parametrize("mode", ["502", "refuse"])
def test_an_outage_beyond_patience_is_left_to_the_next_attempt(collector: Any, mode: str) -> None:
    collector.simulator.go_down(mode)
    try:
        with pytest.raises(RetryableError, match="given up after"):
            collector.fetch()
    finally:
        collector.simulator.come_up()
    assert collector.clock.now <= 901.0


def test_a_rotated_token_is_refused_at_once(tmp_path: Any, collector: Any) -> None:
    with Simulator(seed=2, days=1, records_per_day=1000) as own:
        console = Console(Connection(own.url, own.token), limits=Limits())
        own.rotate_token()
        with pytest.raises(TokenError):
            console.count(collector.stream.endpoint, {})
        found = check_console(console, [collector.stream])
        assert not found.ok
        assert len(own.requests) == 2


def test_records_that_appear_late_come_with_the_next_run_of_the_window(tmp_path: Any, collector: Any) -> None:
    now = [collector.window.end + timedelta(minutes=6)]
    with Simulator(
        seed=5, records_per_day=20_000, days=1, late_share=0.05, now=lambda: now[0], rate_limits=False
    ) as late:
        collector.simulator = late
        first = collector.fetch()
        assert collector.stored() == collector.truth()
        now[0] += timedelta(hours=12)
        second = collector.fetch()
        assert collector.stored() == collector.truth()
        assert second.expected > first.expected


def test_a_token_of_one_site_gets_its_records_alone(collector: Any) -> None:
    places = (place.site_id for place in collector.simulator.organisation.places)
    site = next(found for found in places if found)
    scoped = collector.instance.model_copy(update={"scope": type(collector.instance.scope)(site_ids=(site,))})
    collector.instance = scoped
    collector.fetch()
    rows = collector.simulator.truth(collector.window.start, collector.window.end, site_ids=(site,))
    assert collector.stored() == b"".join(row + b"\n" for row in rows)
    assert len(rows) > 0


def test_a_client_that_keeps_its_rate_is_never_throttled(tmp_path: Any, collector: Any) -> None:
    """The console enforces 10 requests a second and bursts of 30; real time passes here."""
    with Simulator(seed=3, records_per_day=2_000, days=2, now=lambda: datetime(2026, 11, 22, 18, tzinfo=UTC)) as strict:
        collector.simulator = strict
        console = Console(Connection(strict.url, strict.token), limits=Limits())
        for _ in range(45):
            console.count(collector.stream.endpoint, {})
        assert {seen.status for seen in strict.requests} == {200}
