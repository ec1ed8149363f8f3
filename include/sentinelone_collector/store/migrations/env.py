"""What Alembic runs: migrations on the connection that `open_store` holds, inside its transaction."""

from __future__ import annotations

from alembic import context  # noqa: TID253  # run by Alembic only

from sentinelone_collector.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
