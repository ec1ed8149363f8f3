"""The first schema: incidents with hits, notes and history, tagged windows, the delivery ledger."""

from __future__ import annotations

import sqlalchemy as sa  # noqa: TID253  # run by Alembic only
from alembic import op  # noqa: TID253  # run by Alembic only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "delivery_ledger",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("instance", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("window", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("delivered_at", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("destination", "target", name=op.f("pk_delivery_ledger")),
    )
    op.create_index("ix_delivery_ledger_window", "delivery_ledger", ["instance", "stream", "window"], unique=False)
    op.create_table(
        "incident_hits",
        sa.Column("instance", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("window", sa.String(length=40), nullable=False),
        sa.Column("hit_id", sa.String(length=32), nullable=False),
        sa.Column("incident_id", sa.String(length=32), nullable=False),
        sa.Column("console", sa.Text(), nullable=False),
        sa.Column("last_time", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("instance", "stream", "window", "hit_id", name=op.f("pk_incident_hits")),
    )
    op.create_index("ix_incident_hits_incident_id", "incident_hits", ["incident_id"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("rule_id", sa.String(length=64), nullable=False),
        sa.Column("rule_version", sa.String(length=12), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("family", sa.String(length=40), nullable=False),
        sa.Column("classification", sa.String(length=40), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("severity_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("console", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("attacker", sa.Text(), nullable=True),
        sa.Column("victim", sa.Text(), nullable=True),
        sa.Column("attacks", sa.Text(), nullable=False),
        sa.Column("attacks_v19", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_reason", sa.String(length=32), nullable=True),
        sa.Column("status_changed_at", sa.String(length=40), nullable=True),
        sa.Column("snooze_until", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index("ix_incidents_listing", "incidents", ["superseded", "status", "last_seen"], unique=False)
    op.create_index("ix_incidents_rule_id", "incidents", ["rule_id"], unique=False)
    op.create_table(
        "tagged_windows",
        sa.Column("instance", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("window", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("instance", "stream", "window", name=op.f("pk_tagged_windows")),
    )
    op.create_table(
        "incident_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("incident_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_incident_history_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_history")),
    )
    op.create_index("ix_incident_history_incident_id", "incident_history", ["incident_id"], unique=False)
    op.create_table(
        "incident_notes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("incident_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_incident_notes_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_notes")),
    )
    op.create_index("ix_incident_notes_incident_id", "incident_notes", ["incident_id"], unique=False)
    op.create_table(
        "incident_seen_hits",
        sa.Column("incident_id", sa.String(length=32), nullable=False),
        sa.Column("hit_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_incident_seen_hits_incident_id")),
        sa.PrimaryKeyConstraint("incident_id", "hit_id", name=op.f("pk_incident_seen_hits")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("incident_seen_hits")
    op.drop_index("ix_incident_notes_incident_id", table_name="incident_notes")
    op.drop_table("incident_notes")
    op.drop_index("ix_incident_history_incident_id", table_name="incident_history")
    op.drop_table("incident_history")
    op.drop_table("tagged_windows")
    op.drop_index("ix_incidents_rule_id", table_name="incidents")
    op.drop_index("ix_incidents_listing", table_name="incidents")
    op.drop_table("incidents")
    op.drop_index("ix_incident_hits_incident_id", table_name="incident_hits")
    op.drop_table("incident_hits")
    op.drop_index("ix_delivery_ledger_window", table_name="delivery_ledger")
    op.drop_table("delivery_ledger")
