"""Where people begin to use an application: their account page leads there."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE client ADD COLUMN home_uri TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE client DROP COLUMN home_uri")
