"""Hits by person, which rules over the hits of others sum up; windows tagged before have none until tagged again."""

from __future__ import annotations

import sqlalchemy as sa  # noqa: TID253  # run by Alembic only
from alembic import op  # noqa: TID253  # run by Alembic only

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "person_hits",
        sa.Column("instance", sa.String(40), nullable=False),
        sa.Column("stream", sa.String(40), nullable=False),
        sa.Column("window", sa.String(40), nullable=False),
        sa.Column("hit_id", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("instance", "stream", "window", "hit_id", name=op.f("pk_person_hits")),
    )
    op.create_index("ix_person_hits_at", "person_hits", ["instance", "stream", "at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("person_hits")
