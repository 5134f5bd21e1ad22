"""The address that was a person's before: notices go there too for a while, so that who changes it silences nobody."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE account ADD COLUMN former_email TEXT")
    op.execute("ALTER TABLE account ADD COLUMN former_until TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE message ADD COLUMN former BOOLEAN DEFAULT false NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE message DROP COLUMN former")
    op.execute("ALTER TABLE account DROP COLUMN former_until")
    op.execute("ALTER TABLE account DROP COLUMN former_email")
