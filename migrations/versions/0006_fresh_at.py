"""When the second factor was proved that a scope with `fresh` counts: `auth_time` may be the older password's."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE grant_ ADD COLUMN fresh_at timestamptz")


def downgrade() -> None:
    op.execute("ALTER TABLE grant_ DROP COLUMN fresh_at")
