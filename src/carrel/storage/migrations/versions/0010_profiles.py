"""The class that drives a server's run, and the profile that it was started with.

Only adds: hubs of the release before work on with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ADDED = ("spawner", "profile")


def upgrade() -> None:
    """Add two columns."""
    for column in _ADDED:
        op.add_column("servers", sa.Column(column, sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Remove them."""
    for column in _ADDED:
        op.drop_column("servers", column)
