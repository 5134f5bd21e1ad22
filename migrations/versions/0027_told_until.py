"""Until when a phone that was removed with little proof is told what happens: whoever removes one silences nobody."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE authenticator ADD COLUMN told_until TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    op.execute("ALTER TABLE authenticator DROP COLUMN told_until")
