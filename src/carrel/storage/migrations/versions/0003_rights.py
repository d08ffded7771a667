"""Groups, roles and who has them, and what log-in tells about a person.

Only adds: hubs of the release before work on with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column, an index and the tables."""
    op.add_column("users", sa.Column("user_info", sa.Text()))
    op.create_index(
        "ix_users_admin",
        "users",
        ["id"],
        sqlite_where=sa.text("admin = 1"),
        postgresql_where=sa.text("admin"),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _name(), nullable=False),
        sa.Column("properties", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.UniqueConstraint("name", name="uq_groups_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        _cascade("group_members", "group_id", "groups.id"),
        _cascade("group_members", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("group_id", "user_id", name="pk_group_members"),
    )
    op.create_table(
        "roles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _name(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("managed_by_auth", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("name", name="uq_roles_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "role_users",
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("managed_by_auth", sa.Boolean(), nullable=False),
        _cascade("role_users", "role_id", "roles.id"),
        _cascade("role_users", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("role_id", "user_id", name="pk_role_users"),
    )
    op.create_table(
        "role_bearers",
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", _name(), nullable=False),
        sa.Column("managed_by_auth", sa.Boolean(), nullable=False),
        _cascade("role_bearers", "role_id", "roles.id"),
        sa.PrimaryKeyConstraint("role_id", "kind", "name", name="pk_role_bearers"),
    )
    op.create_index("ix_group_members_user_id", "group_members", ["user_id"])
    op.create_index("ix_role_users_user_id", "role_users", ["user_id"])
    op.create_index("ix_role_bearers_kind_name", "role_bearers", ["kind", "name"])


def downgrade() -> None:
    """Remove them."""
    for table in ("role_bearers", "role_users", "roles", "group_members", "groups"):
        op.drop_table(table)
    op.drop_index("ix_users_admin", "users")
    with op.batch_alter_table("users") as batch:
        batch.drop_column("user_info")


def _name() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _cascade(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")
