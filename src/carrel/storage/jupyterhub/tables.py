"""The tables of JupyterHub 6.1; those of older releases lack some of the columns, and some have more tables.

Names of keys and indexes follow its own convention, so that its migrations find them.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Unicode,
    false,
)

#: The newest revision that JupyterHub 6.1 knows, which is what it starts on.
REVISION = "f460b0348206"
#: The revisions that can be read, oldest first, and whose they are.
RELEASES = {
    "896818069c98": "0.9",
    "4dc2d5a8c53c": "1",
    "833da8570507": "2",
    "651f5419b74d": "3",
    "0eee8c825d24": "4",
    "3c2384c5aae1": "a preview of 5",
    "4621fec11365": "5",
    "be8ecf03ddac": "a preview of 6",
    "afd65840b69e": "a preview of 6",
    "ff1860e38070": "6.0",
    REVISION: "6.1",
}

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(column_0_label)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _key() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _of(name: str, target: str, ondelete: str = "CASCADE", *, key: bool = False) -> Column[int]:
    return Column(name, ForeignKey(target, ondelete=ondelete), primary_key=key)


def _managed() -> Column[bool]:
    return Column("managed_by_auth", Boolean, nullable=False, server_default=false())


servers = Table(
    "servers",
    metadata,
    _key(),
    Column("proto", Unicode(15)),
    Column("ip", Unicode(255)),
    Column("port", Integer),
    Column("base_url", Unicode(255)),
    Column("cookie_name", Unicode(255)),
)

roles = Table(
    "roles",
    metadata,
    _key(),
    Column("name", Unicode(255), unique=True),
    Column("description", Unicode(1023)),
    Column("scopes", Text),
    _managed(),
)

groups = Table(
    "groups", metadata, _key(), Column("name", Unicode(255), unique=True), Column("properties", Text)
)

users = Table(
    "users",
    metadata,
    _key(),
    Column("name", Unicode(255), unique=True),
    Column("user_info", Text),
    Column("admin", Boolean),
    Column("created", DateTime),
    Column("last_activity", DateTime),
    Column("cookie_id", Unicode(255), nullable=False, unique=True),
    Column("state", Text),
    Column("encrypted_auth_state", LargeBinary),
)

user_group_map = Table(
    "user_group_map",
    metadata,
    _of("user_id", "users.id", key=True),
    _of("group_id", "groups.id", key=True),
)

oauth_clients = Table(
    "oauth_clients",
    metadata,
    _key(),
    Column("identifier", Unicode(255), unique=True),
    Column("description", Unicode(1023)),
    Column("secret", Unicode(255)),
    Column("redirect_uri", Unicode(1023)),
    Column("allowed_scopes", Text),
)

spawners = Table(
    "spawners",
    metadata,
    _key(),
    _of("user_id", "users.id"),
    _of("server_id", "servers.id", "SET NULL"),
    Column("state", Text),
    Column("name", Unicode(255)),
    Column("display_name", Unicode(255)),
    Column("started", DateTime),
    Column("last_activity", DateTime),
    Column("user_options", Text),
    _of("oauth_client_id", "oauth_clients.identifier", "SET NULL"),
)

services = Table(
    "services",
    metadata,
    _key(),
    Column("name", Unicode(255), unique=True),
    Column("admin", Boolean),
    Column("url", Unicode(2047)),
    Column("oauth_client_allowed_scopes", Text),
    Column("info", Text),
    Column("display", Boolean),
    Column("oauth_no_confirm", Boolean),
    Column("command", Text),
    Column("cwd", Unicode(4095)),
    Column("environment", Text),
    Column("user", Unicode(255)),
    Column("timeout", Integer, nullable=False, server_default="30"),
    Column("from_config", Boolean),
    _of("_server_id", "servers.id", "SET NULL"),
    Column("pid", Integer),
    _of("oauth_client_id", "oauth_clients.identifier", "SET NULL"),
)

user_role_map = Table(
    "user_role_map",
    metadata,
    _of("user_id", "users.id", key=True),
    _of("role_id", "roles.id", key=True),
    _managed(),
)
group_role_map = Table(
    "group_role_map",
    metadata,
    _of("group_id", "groups.id", key=True),
    _of("role_id", "roles.id", key=True),
    _managed(),
)
service_role_map = Table(
    "service_role_map",
    metadata,
    _of("service_id", "services.id", key=True),
    _of("role_id", "roles.id", key=True),
    _managed(),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    _of("user_id", "users.id"),
    _of("service_id", "services.id"),
    _key(),
    Column("hashed", Unicode(255), unique=True),
    Column("prefix", Unicode(16), index=True),
    _of("client_id", "oauth_clients.identifier"),
    Column("session_id", Unicode(255)),
    Column("created", DateTime),
    Column("expires_at", DateTime),
    Column("last_activity", DateTime),
    Column("note", Unicode(1023)),
    Column("scopes", Text),
)

oauth_codes = Table(
    "oauth_codes",
    metadata,
    _key(),
    _of("client_id", "oauth_clients.identifier"),
    Column("code", Unicode(36)),
    Column("expires_at", Integer),
    Column("redirect_uri", Unicode(1023)),
    Column("session_id", Unicode(255)),
    _of("user_id", "users.id"),
    Column("scopes", Text),
    Column("code_challenge", Unicode(255)),
    Column("code_challenge_method", Unicode(64)),
)

shares = Table(
    "shares",
    metadata,
    _of("user_id", "users.id"),
    _of("group_id", "groups.id"),
    _key(),
    Column("created_at", DateTime, nullable=False),
    Column("scopes", Text),
    Column("expires_at", DateTime),
    _of("owner_id", "users.id"),
    _of("spawner_id", "spawners.id"),
)

share_codes = Table(
    "share_codes",
    metadata,
    Column("hashed", Unicode(255), unique=True),
    Column("prefix", Unicode(16), index=True),
    Column("exchange_count", Integer),
    Column("last_exchanged_at", DateTime),
    _key(),
    Column("created_at", DateTime, nullable=False),
    Column("scopes", Text),
    Column("expires_at", DateTime),
    _of("owner_id", "users.id"),
    _of("spawner_id", "spawners.id"),
)

# Of older releases alone; in a MetaData of their own, since no new database has them.
_old = MetaData()

#: Until 1.5: what servers got for their visitors' browsers.
oauth_access_tokens = Table(
    "oauth_access_tokens",
    _old,
    _key(),
    Column("client_id", Unicode(255)),
    Column("expires_at", Integer),
    Column("user_id", Integer),
    Column("session_id", Unicode(255)),
    Column("hashed", Unicode(255)),
    Column("prefix", Unicode(16)),
    Column("created", DateTime),
    Column("last_activity", DateTime),
)
#: In 2: tokens and clients had roles instead of scopes.
api_token_role_map = Table(
    "api_token_role_map", _old, Column("api_token_id", Integer), Column("role_id", Integer)
)
oauth_client_role_map = Table(
    "oauth_client_role_map", _old, Column("oauth_client_id", Integer), Column("role_id", Integer)
)
