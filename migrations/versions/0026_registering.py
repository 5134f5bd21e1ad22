"""Accounts that somebody began to register are found when they are to go."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE INDEX ix_account_provisional_until ON account (provisional_until) WHERE provisional_until IS NOT NULL
    """)


def downgrade() -> None:
    op.execute("DROP INDEX ix_account_provisional_until")
