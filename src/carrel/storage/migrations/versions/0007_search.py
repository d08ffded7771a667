"""Indexes for the search within names, which reads all of them.

Only adds: hubs of the release before work on with this schema.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    op.create_index("ix_users_id_folded", "users", ["id", "folded"])
    op.create_index("ix_users_name_folded", "users", ["name", "folded"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_users_name_folded", "users")
    op.drop_index("ix_users_id_folded", "users")
