"""Two e-mail addresses are one by the case of ASCII letters alone, in every database."""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute('CREATE INDEX ix_account_mailbox ON account (lower(email COLLATE "C")) WHERE email_verified')
    op.execute("DROP INDEX ix_account_email")


def downgrade() -> None:
    op.execute("CREATE INDEX ix_account_email ON account (lower(email)) WHERE email_verified")
    op.execute("DROP INDEX ix_account_mailbox")
