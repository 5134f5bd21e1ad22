"""From when on an e-mail address recovers an account: one that was changed with little proof is on hold, too."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE account ADD COLUMN email_trusted_at TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    op.execute("ALTER TABLE account DROP COLUMN email_trusted_at")
