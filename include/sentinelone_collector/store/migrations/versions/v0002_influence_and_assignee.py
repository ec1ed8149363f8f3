"""How far windows influence later ones, and who works on an incident."""

from __future__ import annotations

import sqlalchemy as sa  # noqa: TID253  # run by Alembic only
from alembic import op  # noqa: TID253  # run by Alembic only

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("tagged_windows", sa.Column("influence", sa.BigInteger(), nullable=True))
    op.add_column("incidents", sa.Column("assignee", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("incidents", "assignee")
    op.drop_column("tagged_windows", "influence")
