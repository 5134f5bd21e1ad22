"""An account that was frozen, or recovered by less than it had, opens nothing strong (decision 0014)."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE account ADD COLUMN frozen_at TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE account ADD COLUMN strong_from TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    op.execute("ALTER TABLE account DROP COLUMN strong_from")
    op.execute("ALTER TABLE account DROP COLUMN frozen_at")
