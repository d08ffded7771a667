"""The first schema: users, servers, tokens, sessions, OAuth clients and codes, facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_START_DUE = "(wanted IN ('running') AND actual IN ('stopped', 'failed') AND wanted_generation > generation)"
_ACTIVE = sa.text(f"actual IN ('starting', 'running', 'stopping') OR {_START_DUE}")
_UNSETTLED = sa.text(
    "actual IN ('starting', 'stopping') OR (actual IN ('running') AND wanted IN ('stopped', 'deleted')) "
    f"OR {_START_DUE} OR wanted IN ('deleted') OR lease_owner IS NOT NULL"
)
_ROUTED = sa.text("url != ''")


def upgrade() -> None:
    """Make all tables."""
    _create_users()
    _create_servers()
    _create_tokens()
    _create_sessions()
    _create_oauth()
    op.create_table(
        "facts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_facts"),
    )


def downgrade() -> None:
    """Remove all tables."""
    for table in ("facts", "oauth_codes", "oauth_clients", "sessions", "tokens", "servers", "users"):
        op.drop_table(table)


def _name() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _owner(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE")


def _server(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["server_id"], ["servers.id"], name=f"fk_{table}_server_id", ondelete="CASCADE"
    )


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _name(), nullable=False),
        sa.Column("folded", _name(), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("last_activity", sa.Double(), nullable=False),
        sa.Column("auth_state", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_users_last_activity", "users", ["last_activity", "id"])


def _create_servers() -> None:
    op.create_table(
        "servers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", _name(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("actual", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("wanted_generation", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_expires", sa.Double()),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("deadline", sa.Double()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("user_options", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text()),
        sa.Column("started", sa.Double()),
        sa.Column("last_activity", sa.Double()),
        _owner("servers"),
        sa.PrimaryKeyConstraint("id", name="pk_servers"),
        sa.UniqueConstraint("user_id", "name", name="uq_servers_user_id_name"),
        sqlite_autoincrement=True,
    )
    for name, column, condition in (
        ("active", "user_id", _ACTIVE),
        ("unsettled", "id", _UNSETTLED),
        ("routed", "id", _ROUTED),
    ):
        op.create_index(
            f"ix_servers_{name}", "servers", [column], sqlite_where=condition, postgresql_where=condition
        )


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("hashed", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text()),
        sa.Column("server_id", sa.Integer()),
        sa.Column("last_activity", sa.Double()),
        sa.Column("expires", sa.Double()),
        _server("tokens"),
        _owner("tokens"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("prefix", "hashed", name="uq_tokens_prefix_hashed"),
        sqlite_autoincrement=True,
    )
    _create_indexes("tokens", "client_id", "expires", "server_id", "session_id", "user_id")


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("hashed", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        _owner("sessions"),
        sa.PrimaryKeyConstraint("hashed", name="pk_sessions"),
    )
    _create_indexes("sessions", "expires", "user_id")


def _create_oauth() -> None:
    op.create_table(
        "oauth_clients",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("hashed_secret", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("access_scopes", sa.Text(), nullable=False),
        sa.Column("allowed_scopes", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Integer()),
        _server("oauth_clients"),
        sa.PrimaryKeyConstraint("client_id", name="pk_oauth_clients"),
    )
    op.create_table(
        "oauth_codes",
        sa.Column("hashed", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Text()),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("code_challenge_method", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.client_id"],
            name="fk_oauth_codes_client_id",
            ondelete="CASCADE",
        ),
        _owner("oauth_codes"),
        sa.PrimaryKeyConstraint("hashed", name="pk_oauth_codes"),
    )
    _create_indexes("oauth_clients", "server_id")
    _create_indexes("oauth_codes", "client_id", "expires", "session_id", "user_id")


def _create_indexes(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])
