"""The store: the relational database with incidents, notes, history and the delivery ledger."""

from __future__ import annotations

from sentinelone_collector.store.changes import Change, InstanceCheck
from sentinelone_collector.store.incidents import CLOSE_REASONS, STATUSES, Event, Incident, IncidentHit, Note
from sentinelone_collector.store.opening import open_store
from sentinelone_collector.store.overview import SORTS, IncidentFilter, Overview
from sentinelone_collector.store.store import Store
from sentinelone_collector.store.terms import TERMS, Term, split_terms

__all__ = [
    "CLOSE_REASONS",
    "SORTS",
    "STATUSES",
    "TERMS",
    "Change",
    "Event",
    "Incident",
    "IncidentFilter",
    "IncidentHit",
    "InstanceCheck",
    "Note",
    "Overview",
    "Store",
    "Term",
    "open_store",
    "split_terms",
]
