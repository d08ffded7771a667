"""Services, and the tokens with which they call.

Only adds: hubs of the release before work on with this schema, and know no services.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "services",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text()),
        sa.Column("no_confirm", sa.Boolean(), nullable=False),
        sa.Column("display", sa.Boolean(), nullable=False),
        sa.Column("info", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("timeout", sa.Integer(), nullable=False),
        sa.Column("from_config", sa.Boolean(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_expires", sa.Double()),
        sa.Column("node", sa.Text(), server_default="", nullable=False),
        sa.Column("pid", sa.Integer(), server_default="0", nullable=False),
        sa.Column("start_time", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_services"),
        sa.UniqueConstraint("client_id", name="uq_services_client_id"),
        sa.UniqueConstraint("name", name="uq_services_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "service_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("hashed", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("generated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name="fk_service_tokens_service_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_service_tokens"),
        sa.UniqueConstraint("prefix", "hashed", name="uq_service_tokens_prefix_hashed"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_service_tokens_service_id", "service_tokens", ["service_id"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("service_tokens")
    op.drop_table("services")
