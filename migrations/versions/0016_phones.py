"""People add phones themselves: the code that verifies one, and which of several codes go to."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE authenticator ADD COLUMN preferred_at TIMESTAMP WITH TIME ZONE")
    op.execute("""
CREATE TABLE verification (
    authenticator_id UUID NOT NULL,
    replaces UUID,
    key_id TEXT NOT NULL,
    nonce BYTEA NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    max_attempts INTEGER NOT NULL,
    sends INTEGER DEFAULT 0 NOT NULL,
    swap TEXT,
    CONSTRAINT pk_verification PRIMARY KEY (authenticator_id),
    CONSTRAINT fk_verification_authenticator_id FOREIGN KEY(authenticator_id)
        REFERENCES authenticator (id) ON DELETE CASCADE,
    CONSTRAINT ck_verification_swap CHECK (swap IN ('swapped', 'not_swapped', 'unknown')),
    CONSTRAINT ck_verification_attempts CHECK (attempts <= max_attempts)
)""")


def downgrade() -> None:
    op.execute("DROP TABLE verification")
    op.execute("ALTER TABLE authenticator DROP COLUMN preferred_at")
