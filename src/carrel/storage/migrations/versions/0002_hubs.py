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
_IN_FLIGHT = sa.text(
    "actual IN ('starting', 'stopping') OR (actual IN ('running') AND wanted IN ('stopped', 'deleted'))"
    " OR wanted IN ('deleted') OR lease_owner IS NOT NULL"
)
_LEASED = sa.text("lease_owner IS NOT NULL")


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
    op.create_index(
        "ix_servers_in_flight", "servers", ["id"], sqlite_where=_IN_FLIGHT, postgresql_where=_IN_FLIGHT
    )
    op.create_index(
        "ix_servers_leased", "servers", ["lease_owner"], sqlite_where=_LEASED, postgresql_where=_LEASED
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
    for index in ("ix_servers_leased", "ix_servers_in_flight", "ix_servers_due"):
        op.drop_index(index, "servers")
    for column in ("wished", "node"):
        with op.batch_alter_table("servers") as batch:
            batch.drop_column(column)
