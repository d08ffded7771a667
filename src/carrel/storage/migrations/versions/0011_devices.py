"""Devices that runs have to themselves, and starts that wait for some.

Only adds: hubs of the release before work on with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables."""
    op.create_table(
        "device_leases",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name="fk_device_leases_server_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("kind", "device", name="pk_device_leases"),
    )
    op.create_index("ix_device_leases_server_id", "device_leases", ["server_id"])
    op.create_table(
        "device_waits",
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name="fk_device_waits_server_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", "kind", name="pk_device_waits"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("device_waits")
    op.drop_index("ix_device_leases_server_id", "device_leases")
    op.drop_table("device_leases")
