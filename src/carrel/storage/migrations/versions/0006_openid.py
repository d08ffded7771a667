"""Applications that sign their users in through the hub, what keeps them connected, and keys that sign.

Only adds: hubs of the release before work on with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, an index and the tables."""
    op.add_column("oauth_clients", sa.Column("kind", sa.Text(), nullable=False, server_default="server"))
    op.add_column(
        "oauth_clients", sa.Column("confirm", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column(
        "oauth_clients", sa.Column("other_redirect_uris", sa.Text(), nullable=False, server_default="[]")
    )
    op.add_column("oauth_codes", sa.Column("nonce", sa.Text(), nullable=False, server_default=""))
    op.add_column("oauth_codes", sa.Column("auth_time", sa.Double(), nullable=False, server_default="0"))
    op.add_column("oauth_codes", sa.Column("spent", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("oauth_codes", sa.Column("token_id", sa.Integer()))
    op.add_column("oauth_codes", sa.Column("grant_id", sa.Text()))
    op.create_index("ix_oauth_clients_kind", "oauth_clients", ["kind"])
    op.create_index("ix_sessions_session_id", "sessions", ["session_id"])
    op.create_table(
        "oauth_grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("hashed", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Text()),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("auth_time", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=False),
        _cascade("oauth_grants", "client_id", "oauth_clients.client_id"),
        _cascade("oauth_grants", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_grants"),
    )
    for column in ("client_id", "session_id", "expires", "token_id", "user_id"):
        op.create_index(f"ix_oauth_grants_{column}", "oauth_grants", [column])
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("private", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_signing_keys"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("signing_keys")
    op.drop_table("oauth_grants")
    op.drop_index("ix_sessions_session_id", "sessions")
    op.drop_index("ix_oauth_clients_kind", "oauth_clients")
    for table, columns in (
        ("oauth_codes", ("grant_id", "token_id", "spent", "auth_time", "nonce")),
        ("oauth_clients", ("other_redirect_uris", "confirm", "kind")),
    ):
        for column in columns:
            with op.batch_alter_table(table) as batch:
                batch.drop_column(column)


def _cascade(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")
