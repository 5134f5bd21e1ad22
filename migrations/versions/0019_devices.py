"""Browsers that people signed in from, and which factor somebody wants to be asked for first."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE device (
    account_id UUID NOT NULL,
    key BYTEA NOT NULL,
    label TEXT DEFAULT '' NOT NULL,
    user_agent TEXT NOT NULL,
    address TEXT,
    factor TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_device PRIMARY KEY (account_id, key),
    CONSTRAINT fk_device_account_id FOREIGN KEY (account_id) REFERENCES account (id) ON DELETE CASCADE
)""")
    op.execute("CREATE INDEX ix_device_expires_at ON device (expires_at)")
    op.execute("ALTER TABLE session ADD COLUMN device_key BYTEA")
    op.execute("ALTER TABLE account ADD COLUMN prefers TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE account DROP COLUMN prefers")
    op.execute("ALTER TABLE session DROP COLUMN device_key")
    op.execute("DROP TABLE device")
