"""Day counters, and which windows they were made from."""

from __future__ import annotations

import sqlalchemy as sa  # noqa: TID253  # run by Alembic only
from alembic import op  # noqa: TID253  # run by Alembic only

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "counted_windows",
        sa.Column("instance", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("window", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("verdicts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("instance", "stream", "window", name=op.f("pk_counted_windows")),
    )
    op.create_index("ix_counted_windows_day", "counted_windows", ["instance", "stream", "day"])
    op.create_table(
        "baseline_days",
        sa.Column("id", _Serial, nullable=False),
        sa.Column("instance", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("window", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("feature", sa.String(length=40), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_baseline_days")),
    )
    op.create_index("ix_baseline_days_window", "baseline_days", ["instance", "stream", "window"])
    op.create_index("ix_baseline_days_feature", "baseline_days", ["instance", "stream", "feature", "day"])
    op.create_index("ix_baseline_days_entity", "baseline_days", ["instance", "stream", "feature", "entity", "day"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("baseline_days")
    op.drop_table("counted_windows")
