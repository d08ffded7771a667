"""What comes of a JupyterHub database: log-ins of browsers that go on, and codes whose digest is salted.

Only adds: hubs of the release before work on with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table, a column and an index."""
    op.create_table(
        "imported_logins",
        sa.Column("hashed", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("spent", sa.Double()),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_imported_logins_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hashed", name="pk_imported_logins"),
    )
    for column in ("expires", "user_id"):
        op.create_index(f"ix_imported_logins_{column}", "imported_logins", [column])
    op.add_column("share_codes", sa.Column("prefix", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_share_codes_prefix", "share_codes", ["prefix"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_share_codes_prefix", "share_codes")
    op.drop_column("share_codes", "prefix")
    op.drop_table("imported_logins")
