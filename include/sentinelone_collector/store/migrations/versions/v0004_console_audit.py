"""Who changed what in the console, and what the last check of each connection found."""

from __future__ import annotations

import sqlalchemy as sa  # noqa: TID253  # run by Alembic only
from alembic import op  # noqa: TID253  # run by Alembic only

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "console_audit",
        sa.Column("id", serial, nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("request_key", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_audit")),
        sa.UniqueConstraint("request_key", name=op.f("uq_console_audit_request_key")),
    )
    op.create_table(
        "instance_checks",
        sa.Column("instance", sa.String(40), nullable=False),
        sa.Column("checked_at", sa.String(40), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.String(40), nullable=True),
        sa.Column("sentences", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("instance", name=op.f("pk_instance_checks")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("instance_checks")
    op.drop_table("console_audit")
