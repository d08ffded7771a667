"""Several hubs: who they are, which machine a server belongs to, and when its present wish was made.

Only adds: hubs of the release before work on with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_START_DUE = sa.text(
    "(wanted IN ('running') AND actual IN ('stopped', 'failed') AND wanted_generation > generation)"
)


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("servers", sa.Column("node", sa.Text(), nullable=False, server_default=""))
    op.add_column("servers", sa.Column("wished", sa.Double(), nullable=False, server_default="0"))
    op.create_index(
        "ix_servers_due",
        "servers",
        ["wished", "id"],
        sqlite_where=_START_DUE,
        postgresql_where=_START_DUE,
    )
    op.create_table(
        "hubs",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_hubs"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("hubs")
    op.drop_index("ix_servers_due", "servers")
    for column in ("wished", "node"):
        with op.batch_alter_table("servers") as batch:
            batch.drop_column(column)
