"""The store: the relational database with incidents, notes, history and the delivery ledger."""

from __future__ import annotations

from sentinelone_collector.store.changes import Change, InstanceCheck
from sentinelone_collector.store.incidents import CLOSE_REASONS, STATUSES, Event, Incident, IncidentHit, Note
from sentinelone_collector.store.opening import open_store
from sentinelone_collector.store.store import Store

__all__ = [
    "CLOSE_REASONS",
    "STATUSES",
    "Change",
    "Event",
    "Incident",
    "IncidentHit",
    "InstanceCheck",
    "Note",
    "Store",
    "open_store",
]
