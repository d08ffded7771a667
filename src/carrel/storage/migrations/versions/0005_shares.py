"""Shares of servers, and codes that invite to them.

Only adds: hubs of the release before work on with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "shares",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer()),
        sa.Column("group_id", sa.Integer()),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        _cascade("shares", "server_id", "servers.id"),
        _cascade("shares", "user_id", "users.id"),
        _cascade("shares", "group_id", "groups.id"),
        sa.PrimaryKeyConstraint("id", name="pk_shares"),
        sa.UniqueConstraint("server_id", "user_id", name="uq_shares_server_id_user_id"),
        sa.UniqueConstraint("server_id", "group_id", name="uq_shares_server_id_group_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shares_user_id", "shares", ["user_id"])
    op.create_index("ix_shares_group_id", "shares", ["group_id"])
    op.create_table(
        "share_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("hashed", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("exchange_count", sa.Integer(), nullable=False),
        sa.Column("last_exchanged", sa.Double()),
        _cascade("share_codes", "server_id", "servers.id"),
        sa.PrimaryKeyConstraint("id", name="pk_share_codes"),
        sa.UniqueConstraint("hashed", name="uq_share_codes_hashed"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_share_codes_server_id", "share_codes", ["server_id"])
    op.create_index("ix_share_codes_expires", "share_codes", ["expires"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("share_codes")
    op.drop_table("shares")


def _cascade(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")
