"""${message}."""

from __future__ import annotations

import sqlalchemy as sa  # noqa: TID253  # run by Alembic only
from alembic import op  # noqa: TID253  # run by Alembic only

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Take the revision back."""
    ${downgrades if downgrades else "pass"}
