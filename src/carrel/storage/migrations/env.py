"""Alembic's environment: `carrel.storage.migrate` hands it a connection and owns its transaction."""

from __future__ import annotations

from alembic import context

from carrel.storage.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can undo a change of the schema, though Alembic does not rely on it by default.
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
