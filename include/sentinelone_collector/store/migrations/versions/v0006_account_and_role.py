"""In which account incidents happened, and the role of who did it."""

from __future__ import annotations

import sqlalchemy as sa  # noqa: TID253  # run by Alembic only
from alembic import op  # noqa: TID253  # run by Alembic only

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("incidents", sa.Column("account", sa.Text(), nullable=True))
    op.add_column("incidents", sa.Column("role", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("incidents", "role")
    op.drop_column("incidents", "account")
