"""The token that a session had before, for a form that is sent twice."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE session ADD COLUMN previous_hash BYTEA, ADD COLUMN replaced_at TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    op.execute("ALTER TABLE session DROP COLUMN previous_hash, DROP COLUMN replaced_at")
