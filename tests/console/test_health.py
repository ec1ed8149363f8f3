"""The state of an instance in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.console.conftest import NOW

from sentinelone_collector.console import DagState
from sentinelone_collector.console.health import Facts, state_of
from sentinelone_collector.instances import Instance
from sentinelone_collector.windows import Window

INSTANCE = Instance.model_validate(
    {"slug": "emea", "name": "EMEA", "connection_id": "c", "live_since": NOW - timedelta(hours=20), "every": "1h"}
)


def hour(number: int) -> Window:
    start = NOW + timedelta(hours=number)
    return Window(start, start + timedelta(hours=1))


RUNNING = Facts(INSTANCE, NOW, DagState(is_paused=False), due=20, last_complete=hour(-1))
ADDED = INSTANCE.model_copy(
    update={"live_since": NOW - timedelta(minutes=2), "collection_start": NOW - timedelta(days=3)}
)
HISTORY = tuple(ADDED.calendar.due(NOW))
BEGINNING = Facts(ADDED, NOW, DagState(is_paused=False), due=len(HISTORY), behind=HISTORY)
OLD = tuple(hour(number) for number in (-9, -8))


def _soon(**span: float) -> datetime:
    return NOW + timedelta(**span)


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        (RUNNING, "Collecting"),
        (replace(RUNNING, behind=(hour(-1),)), "Collecting"),
        (replace(RUNNING, behind=OLD), "Late"),
        (replace(RUNNING, behind=OLD, active=2), "Late"),
        (replace(RUNNING, behind=OLD, failed=OLD[:1]), "Failing"),
        (replace(RUNNING, behind=OLD, failed=OLD, dag=DagState(is_paused=True)), "Paused"),
        (replace(RUNNING, expires_at=_soon(days=20)), "Collecting"),
        (replace(RUNNING, expires_at=_soon(days=3, hours=2)), "Token expires in 3 days"),
        (replace(RUNNING, expires_at=_soon(days=1)), "Token expires in 1 day"),
        (replace(RUNNING, expires_at=_soon(hours=2)), "Token expires today"),
        (replace(RUNNING, expires_at=_soon(hours=-2), failed=OLD, behind=OLD), "Token expired"),
        (replace(RUNNING, expires_at=_soon(days=3), behind=OLD), "Late"),
        (replace(RUNNING, dag=None), "Configured"),
        (replace(RUNNING, last_complete=None, due=0), "Configured"),
        (replace(RUNNING, last_complete=None, active=3, behind=OLD), "Collecting"),
        (replace(RUNNING, last_complete=None, behind=OLD), "Not yet collected"),
        (BEGINNING, "Configured"),
        (replace(BEGINNING, now=_soon(minutes=14)), "Not yet collected"),
        (replace(BEGINNING, last_complete=HISTORY[0], behind=HISTORY[1:]), "Collecting"),
        (replace(BEGINNING, last_complete=HISTORY[0], behind=HISTORY[1:], now=_soon(hours=3)), "Late"),
        (replace(RUNNING, last_complete=hour(-30), active=3, behind=OLD), "Collecting"),
        (replace(RUNNING, last_complete=hour(-30), behind=OLD), "Late"),
    ],
)
def test_a_state_is_told_in_words(facts: Facts, word: str) -> None:
    state = state_of(facts)
    assert state.word == word
    assert state.why or word == "Collecting"
