"""Counts and names of users by blocks of their ids, for the search within names and for pages far behind.

Kept right by triggers, so that hubs of the release before, which know nothing of it, keep it right, too. Only
adds: they work on with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SQLITE = (
    """
CREATE TRIGGER user_blocks_insert AFTER INSERT ON users BEGIN
INSERT INTO user_blocks (block, people, names)
VALUES (NEW.id >> 7, 1, char(10) || NEW.folded || char(10))
ON CONFLICT (block) DO UPDATE SET people = people + 1, names = names || substr(excluded.names, 2);
END
""",
    """
CREATE TRIGGER user_blocks_update AFTER UPDATE OF folded ON users BEGIN
UPDATE user_blocks SET names = names || NEW.folded || char(10)
WHERE block = NEW.id >> 7 AND instr(names, char(10) || NEW.folded || char(10)) = 0;
END
""",
    """
CREATE TRIGGER user_blocks_delete AFTER DELETE ON users BEGIN
UPDATE user_blocks SET people = people - 1 WHERE block = OLD.id >> 7;
DELETE FROM user_blocks WHERE block = OLD.id >> 7 AND people < 1;
END
""",
)
_FILL_SQLITE = """
INSERT INTO user_blocks (block, people, names)
SELECT id >> 7, count(*), char(10) || group_concat(folded, char(10)) || char(10) FROM users GROUP BY 1
"""
# A whole statement's rows at once: a database is filled with a hundred thousand of them.
_POSTGRESQL = (
    """
CREATE OR REPLACE FUNCTION keep_user_blocks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF TG_OP = 'INSERT' THEN
  INSERT INTO user_blocks AS kept (block, people, names)
  SELECT id >> 7, count(*), chr(10) || string_agg(folded, chr(10)) || chr(10)
  FROM changed GROUP BY 1 ORDER BY 1
  ON CONFLICT (block) DO UPDATE
  SET people = kept.people + excluded.people, names = kept.names || substr(excluded.names, 2);
ELSIF TG_OP = 'UPDATE' THEN
  UPDATE user_blocks SET names = names || NEW.folded || chr(10)
  WHERE block = NEW.id >> 7 AND strpos(names, chr(10) || NEW.folded || chr(10)) = 0;
ELSE
  UPDATE user_blocks SET people = user_blocks.people - gone.people
  FROM (SELECT id >> 7 AS block, count(*) AS people FROM changed GROUP BY 1) AS gone
  WHERE user_blocks.block = gone.block;
  DELETE FROM user_blocks WHERE people < 1 AND block IN (SELECT id >> 7 FROM changed);
END IF;
RETURN NULL;
END
$$
""",
    "CREATE TRIGGER user_blocks_insert AFTER INSERT ON users REFERENCING NEW TABLE AS changed"
    " FOR EACH STATEMENT EXECUTE FUNCTION keep_user_blocks()",
    "CREATE TRIGGER user_blocks_update AFTER UPDATE OF folded ON users"
    " FOR EACH ROW EXECUTE FUNCTION keep_user_blocks()",
    "CREATE TRIGGER user_blocks_delete AFTER DELETE ON users REFERENCING OLD TABLE AS changed"
    " FOR EACH STATEMENT EXECUTE FUNCTION keep_user_blocks()",
    # A block's names stay within its row, as they are: to fetch or unpack them takes longer than to look.
    "ALTER TABLE user_blocks SET (toast_tuple_target = 8160)",
    "ALTER TABLE user_blocks ALTER COLUMN names SET STORAGE EXTERNAL",
    # Behind the triggers, which lock out who would add a user in between.
    """
INSERT INTO user_blocks (block, people, names)
SELECT id >> 7, count(*), chr(10) || string_agg(folded, chr(10)) || chr(10) FROM users GROUP BY 1
""",
)


def upgrade() -> None:
    """Add the table, what keeps it right, and what there is to say."""
    names = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "user_blocks",
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("names", names, nullable=False),
        sa.PrimaryKeyConstraint("block", name="pk_user_blocks"),
    )
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in (*_SQLITE, _FILL_SQLITE) if on_sqlite else _POSTGRESQL:
        op.execute(statement.strip())


def downgrade() -> None:
    """Remove it all."""
    for name in ("insert", "update", "delete"):
        on = "" if op.get_bind().dialect.name == "sqlite" else " ON users"
        op.execute(f"DROP TRIGGER user_blocks_{name}{on}")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION keep_user_blocks()")
    op.drop_table("user_blocks")
