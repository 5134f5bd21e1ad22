"""Links of mails, each good once; mail may go to another address than the account's."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE TABLE link (
        hash BYTEA NOT NULL,
        purpose TEXT NOT NULL,
        account_id UUID NOT NULL,
        about UUID,
        fields JSONB DEFAULT '{}'::jsonb NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        used_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_link PRIMARY KEY (hash),
        CONSTRAINT fk_link_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
    )
    """)
    op.execute("CREATE INDEX ix_link_account_id ON link (account_id)")
    op.execute("CREATE INDEX ix_link_expires_at ON link (expires_at)")
    op.execute("CREATE INDEX ix_account_email ON account (lower(email)) WHERE email_verified")
    op.execute("ALTER TABLE message ADD COLUMN sealed_to BYTEA")


def downgrade() -> None:
    op.execute("ALTER TABLE message DROP COLUMN sealed_to")
    op.execute("DROP INDEX ix_account_email")
    op.execute("DROP TABLE link")
