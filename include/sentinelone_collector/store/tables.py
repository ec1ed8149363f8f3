"""The store's tables, as the newest migration leaves them; imported inside tasks only.

Times are epoch milliseconds in UTC where they are content of hits, and ISO 8601 texts where they say when somebody or
the collector did something.
"""

from __future__ import annotations

from sqlalchemy import (  # noqa: TID253  # imported inside tasks only
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = [
    "baseline_days",
    "console_audit",
    "counted_windows",
    "history",
    "hits",
    "incidents",
    "instance_checks",
    "ledger",
    "metadata",
    "notes",
    "person_hits",
    "seen_hits",
    "tagged_windows",
]

_Id = String(32)
_Serial = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up INTEGER keys only
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

tagged_windows = Table(
    "tagged_windows",
    metadata,
    Column("instance", String(40), primary_key=True),
    Column("stream", String(40), primary_key=True),
    Column("window", String(40), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("hits", Integer, nullable=False),
    Column("influence", BigInteger),  # ms; null until all windows that it concerns were tagged again
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("rule_id", String(64), nullable=False),
    Column("rule_version", String(12), nullable=False),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("family", String(40), nullable=False),
    Column("classification", String(40), nullable=False),
    Column("level", String(16), nullable=False),
    Column("severity_id", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("note", Text),
    Column("console", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("bucket", BigInteger, nullable=False),
    Column("attacker", Text),
    Column("victim", Text),
    Column("attacks", Text, nullable=False),
    Column("attacks_v19", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("superseded", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("status_reason", String(32)),
    Column("status_changed_at", String(40)),
    Column("snooze_until", String(40)),
    Column("created_at", String(40), nullable=False),
    Column("assignee", Text),
    Column("account", Text),
    Column("role", Text),
    Index("ix_incidents_listing", "superseded", "status", "last_seen"),
    Index("ix_incidents_rule_id", "rule_id"),
)

hits = Table(
    "incident_hits",
    metadata,
    Column("instance", String(40), primary_key=True),
    Column("stream", String(40), primary_key=True),
    Column("window", String(40), primary_key=True),
    Column("hit_id", _Id, primary_key=True),
    Column("incident_id", _Id, nullable=False),
    Column("console", Text, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_incident_hits_incident_id", "incident_id"),
)

person_hits = Table(
    "person_hits",
    metadata,
    Column("instance", String(40), primary_key=True),
    Column("stream", String(40), primary_key=True),
    Column("window", String(40), primary_key=True),
    Column("hit_id", _Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_person_hits_at", "instance", "stream", "at"),
)

seen_hits = Table(
    "incident_seen_hits",
    metadata,
    Column("incident_id", _Id, ForeignKey("incidents.id"), primary_key=True),
    Column("hit_id", _Id, primary_key=True),
)

notes = Table(
    "incident_notes",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("incident_id", _Id, ForeignKey("incidents.id"), nullable=False),
    Column("at", String(40), nullable=False),
    Column("author", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_incident_notes_incident_id", "incident_id"),
)

history = Table(
    "incident_history",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("incident_id", _Id, ForeignKey("incidents.id"), nullable=False),
    Column("at", String(40), nullable=False),
    Column("author", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_incident_history_incident_id", "incident_id"),
)

ledger = Table(
    "delivery_ledger",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("instance", String(40), nullable=False),
    Column("stream", String(40), nullable=False),
    Column("window", String(40), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("records", Integer, nullable=False),
    Column("delivered_at", String(40), nullable=False),
    Index("ix_delivery_ledger_window", "instance", "stream", "window"),
)

counted_windows = Table(
    "counted_windows",
    metadata,
    Column("instance", String(40), primary_key=True),
    Column("stream", String(40), primary_key=True),
    Column("window", String(40), primary_key=True),
    Column("day", Integer, nullable=False),  # days since the epoch
    Column("digest", String(64), nullable=False),  # of the window's counters
    Column("settled", Boolean, nullable=False),  # false until all windows that the counters concern were judged again
    Column("verdicts", Text, nullable=False),
    Index("ix_counted_windows_day", "instance", "stream", "day"),
)

baseline_days = Table(
    "baseline_days",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("instance", String(40), nullable=False),
    Column("stream", String(40), nullable=False),
    Column("window", String(40), nullable=False),
    Column("day", Integer, nullable=False),
    Column("feature", String(40), nullable=False),
    Column("entity", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Index("ix_baseline_days_window", "instance", "stream", "window"),
    Index("ix_baseline_days_feature", "instance", "stream", "feature", "day"),
    Index("ix_baseline_days_entity", "instance", "stream", "feature", "entity", "day"),
)

console_audit = Table(
    "console_audit",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", String(40), nullable=False),
    Column("user", Text, nullable=False),
    Column("action", String(40), nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("request_key", String(64), unique=True),  # of a form; a second click finds what the first one did
)

instance_checks = Table(
    "instance_checks",
    metadata,
    Column("instance", String(40), primary_key=True),
    Column("checked_at", String(40), nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("expires_at", String(40)),
    Column("sentences", Text, nullable=False),
)
