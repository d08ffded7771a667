"""All tables. A change here needs a migration; a test holds the two equal.

Moments are Unix seconds, JSON is text, enums are their value. Identifiers are never used twice: they
outlive their rows in caches, process labels and routes.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
    false,
    literal_column,
    or_,
    text,
    true,
)

from carrel.domain.servers import Actual, Wanted

#: The newest migration: what this release reads and writes.
REVISION = "0012"
#: The oldest revision whose releases work with these tables, and may start anew after the upgrade. A
#: migration that only adds leaves it; one that takes away what a release uses names the first that does not.
USABLE_SINCE = "0002"

#: Tables that a migration has removed. A database of an older release has them, and its backups must.
FORMER_TABLES: frozenset[str] = frozenset()

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

#: Sorts by code point on both databases, so that a page is the same page on either.
_NAME = Text().with_variant(Text(collation="C"), "postgresql")


def _user() -> Column[int]:
    return Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False)


users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", _NAME, nullable=False, unique=True),
    Column("folded", _NAME, nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("created", Double, nullable=False),
    # Zero for never: the two databases sort an absent value to opposite ends.
    Column("last_activity", Double, nullable=False),
    Column("auth_state", Text),
    Column("user_info", Text),
    Index("ix_users_last_activity", "last_activity", "id"),
    # Narrow copies of the names for the search within them, in both orders that it may be asked for.
    Index("ix_users_id_folded", "id", "folded"),
    Index("ix_users_name_folded", "name", "folded"),
    sqlite_autoincrement=True,
)

#: Users by blocks of `BLOCK` ids, kept right by triggers on `users`: those are in the migrations, and for new
#: SQLite databases in `storage/sql/user_blocks.py`. Rebuilding `users` there drops them: make them again.
user_blocks = Table(
    "user_blocks",
    metadata,
    Column("block", Integer, primary_key=True, autoincrement=False),
    Column("people", Integer, nullable=False),
    # Every folded name that somebody of the block has, or had, between line breaks.
    Column("names", _NAME, nullable=False),
)
#: How many ids a block has: fewer would take longer to look through, more would find less exactly.
BLOCK = 128

servers = Table(
    "servers",
    metadata,
    Column("id", Integer, primary_key=True),
    _user(),
    Column("name", _NAME, nullable=False),
    Column("created", Double, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("actual", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("wanted_generation", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("lease_expires", Double),
    Column("fence", Integer, nullable=False),
    Column("deadline", Double),
    Column("state", Text, nullable=False),
    Column("user_options", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("failure", Text),
    Column("started", Double),
    Column("last_activity", Double),
    # With defaults, so that hubs of the release before can add rows.
    Column("node", Text, nullable=False, server_default=""),
    Column("wished", Double, nullable=False, server_default="0"),
    Column("spawner", Text, nullable=False, server_default=""),
    Column("profile", Text, nullable=False, server_default=""),
    UniqueConstraint("user_id", "name"),
    sqlite_autoincrement=True,
)


def _is(column: Column[str], *values: str) -> ColumnElement[bool]:
    # Written out instead of bound: a partial index serves only a query that repeats its condition.
    return column.in_([literal_column(f"'{value}'") for value in values])


#: A start is wanted that has not begun.
START_DUE = and_(
    _is(servers.c.wanted, Wanted.RUNNING),
    _is(servers.c.actual, Actual.STOPPED, Actual.FAILED),
    servers.c.wanted_generation > servers.c.generation,
).self_group()

#: Something of the server may exist in the world, or is about to (`Server.active`).
ACTIVE = or_(_is(servers.c.actual, Actual.STARTING, Actual.RUNNING, Actual.STOPPING), START_DUE)
#: A run is under way, or is being ended: what it has is still its.
UNDER_WAY = _is(servers.c.actual, Actual.STARTING, Actual.RUNNING, Actual.STOPPING)
#: `Server.ready`.
READY = and_(_is(servers.c.actual, Actual.RUNNING), _is(servers.c.wanted, Wanted.RUNNING))
_TO_BE_ENDED = and_(
    _is(servers.c.actual, Actual.RUNNING), _is(servers.c.wanted, Wanted.STOPPED, Wanted.DELETED)
).self_group()
#: The fact is not the wish, or a lease still names the server.
UNSETTLED = or_(
    _is(servers.c.actual, Actual.STARTING, Actual.STOPPING),
    _TO_BE_ENDED,
    START_DUE,
    _is(servers.c.wanted, Wanted.DELETED),
    servers.c.lease_owner.is_not(None),
)
#: Those of them that are no waiting starts, of which there may be any number.
IN_FLIGHT = or_(
    _is(servers.c.actual, Actual.STARTING, Actual.STOPPING),
    _TO_BE_ENDED,
    _is(servers.c.wanted, Wanted.DELETED),
    servers.c.lease_owner.is_not(None),
)
LEASED = servers.c.lease_owner.is_not(None)
ROUTED: ColumnElement[bool] = servers.c.url != literal_column("''")

# On PostgreSQL they are partial by the migrations: to say so here would load its dialect at every start.
Index("ix_servers_active", servers.c.user_id, sqlite_where=ACTIVE)
Index("ix_servers_unsettled", servers.c.id, sqlite_where=UNSETTLED)
Index("ix_servers_routed", servers.c.id, sqlite_where=ROUTED)
Index("ix_servers_in_flight", servers.c.id, sqlite_where=IN_FLIGHT)
Index("ix_servers_leased", servers.c.lease_owner, sqlite_where=LEASED)
Index("ix_servers_due", servers.c.wished, servers.c.id, sqlite_where=START_DUE)

Index("ix_users_admin", users.c.id, sqlite_where=text("admin = 1"))

# A row counts while the server is in that run, or waits for that start: nothing has to be taken away.
device_leases = Table(
    "device_leases",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("server_id", ForeignKey("servers.id", ondelete="CASCADE"), nullable=False),
    Column("generation", Integer, nullable=False),
    Index("ix_device_leases_server_id", "server_id"),
)

device_waits = Table(
    "device_waits",
    metadata,
    Column("server_id", ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("amount", Integer, nullable=False),
)

groups = Table(
    "groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", _NAME, nullable=False, unique=True),
    Column("properties", Text, nullable=False),
    sqlite_autoincrement=True,
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_group_members_user_id", "user_id"),
)

roles = Table(
    "roles",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", _NAME, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("managed_by_auth", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

role_users = Table(
    "role_users",
    metadata,
    Column("role_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("managed_by_auth", Boolean, nullable=False),
    Index("ix_role_users_user_id", "user_id"),
)

# By name: whoever removes a group and makes it again must not shake off what its members may do. Who adds a
# service must hold what is waiting for its name.
role_bearers = Table(
    "role_bearers",
    metadata,
    Column("role_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("managed_by_auth", Boolean, nullable=False),
    Index("ix_role_bearers_kind_name", "kind", "name"),
)

hubs = Table(
    "hubs",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("started", Double, nullable=False),
    Column("expires", Double, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    _user(),
    Column("prefix", Text, nullable=False),
    Column("hashed", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("note", Text, nullable=False),
    Column("client_id", Text, nullable=False, index=True),
    Column("session_id", Text, index=True),
    Column("server_id", ForeignKey("servers.id", ondelete="CASCADE"), index=True),
    Column("last_activity", Double),
    Column("expires", Double, index=True),
    UniqueConstraint("prefix", "hashed"),
    Index("ix_tokens_user_id", "user_id"),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("hashed", Text, primary_key=True),
    _user(),
    Column("session_id", Text, nullable=False, index=True),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False, index=True),
    Index("ix_sessions_user_id", "user_id"),
)

# Whose JupyterHub's log-in cookies are, and which were exchanged: see `storage/imported_logins.py`.
imported_logins = Table(
    "imported_logins",
    metadata,
    Column("hashed", Text, primary_key=True),
    _user(),
    Column("expires", Double, nullable=False, index=True),
    Column("spent", Double),
    Index("ix_imported_logins_user_id", "user_id"),
)

oauth_clients = Table(
    "oauth_clients",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("hashed_secret", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("access_scopes", Text, nullable=False),
    Column("allowed_scopes", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("server_id", ForeignKey("servers.id", ondelete="CASCADE"), index=True),
    # With defaults, here and below, so that hubs of the release before can add rows.
    Column("kind", Text, nullable=False, server_default="server", index=True),
    Column("confirm", Boolean, nullable=False, server_default=true()),
    Column("other_redirect_uris", Text, nullable=False, server_default="[]"),
)

oauth_codes = Table(
    "oauth_codes",
    metadata,
    Column("hashed", Text, primary_key=True),
    Column(
        "client_id", ForeignKey("oauth_clients.client_id", ondelete="CASCADE"), nullable=False, index=True
    ),
    _user(),
    Column("session_id", Text, index=True),
    Column("redirect_uri", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("expires", Double, nullable=False, index=True),
    Column("code_challenge", Text, nullable=False),
    Column("code_challenge_method", Text, nullable=False),
    Column("nonce", Text, nullable=False, server_default=""),
    Column("auth_time", Double, nullable=False, server_default="0"),
    Column("spent", Boolean, nullable=False, server_default=false()),
    # Not foreign keys: both are never used twice, and may be gone.
    Column("token_id", Integer),
    Column("grant_id", Text),
    Index("ix_oauth_codes_user_id", "user_id"),
)

# One row for each server and receiver, who is a user or a group.
shares = Table(
    "shares",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("server_id", ForeignKey("servers.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), index=True),
    Column("scopes", Text, nullable=False),
    Column("created", Double, nullable=False),
    UniqueConstraint("server_id", "user_id"),
    UniqueConstraint("server_id", "group_id"),
    sqlite_autoincrement=True,
)

share_codes = Table(
    "share_codes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("server_id", ForeignKey("servers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("hashed", Text, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False, index=True),
    Column("exchange_count", Integer, nullable=False),
    Column("last_exchanged", Double),
    # The beginning of the code: one whose digest is salted cannot be looked for by its digest.
    Column("prefix", Text, nullable=False, server_default="", index=True),
    sqlite_autoincrement=True,
)

services = Table(
    "services",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", _NAME, nullable=False, unique=True),
    Column("admin", Boolean, nullable=False),
    Column("url", Text, nullable=False),
    Column("client_id", Text, unique=True),
    Column("no_confirm", Boolean, nullable=False),
    Column("display", Boolean, nullable=False),
    Column("info", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("timeout", Integer, nullable=False),
    Column("from_config", Boolean, nullable=False),
    Column("lease_owner", Text),
    Column("lease_expires", Double),
    Column("node", Text, nullable=False, server_default=""),
    Column("pid", Integer, nullable=False, server_default="0"),
    Column("start_time", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

service_tokens = Table(
    "service_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("service_id", ForeignKey("services.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("prefix", Text, nullable=False),
    Column("hashed", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("note", Text, nullable=False),
    Column("generated", Boolean, nullable=False),
    UniqueConstraint("prefix", "hashed"),
    sqlite_autoincrement=True,
)

oauth_grants = Table(
    "oauth_grants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hashed", Text, nullable=False),
    Column(
        "client_id", ForeignKey("oauth_clients.client_id", ondelete="CASCADE"), nullable=False, index=True
    ),
    _user(),
    Column("session_id", Text, index=True),
    Column("scopes", Text, nullable=False),
    Column("auth_time", Double, nullable=False),
    Column("expires", Double, nullable=False, index=True),
    Column("token_id", Integer, nullable=False, index=True),
    Index("ix_oauth_grants_user_id", "user_id"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("private", Text, nullable=False),
    Column("created", Double, nullable=False),
)

facts = Table(
    "facts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

#: Tables that triggers fill.
DERIVED_TABLES = frozenset({user_blocks.name})
#: Every table that is ours; others of a shared database are left alone.
OWN_TABLES = frozenset({*metadata.tables, *FORMER_TABLES, "alembic_version"})
