"""A session that a link opened is good for what the link is for alone."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE session ADD COLUMN link TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE session DROP COLUMN link")
