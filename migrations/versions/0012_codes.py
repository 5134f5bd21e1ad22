"""Codes are carried sealed and stored by their exchange alone; those too long to travel are parked."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP TABLE authorization_code")
    op.execute("""
    CREATE TABLE parked_code (
        hash BYTEA NOT NULL,
        sealed TEXT NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_parked_code PRIMARY KEY (hash)
    )
    """)
    op.execute("CREATE INDEX ix_parked_code_expires_at ON parked_code (expires_at)")
    op.execute("ALTER TABLE session ADD COLUMN generation INTEGER DEFAULT 0 NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE session DROP COLUMN generation")
    op.execute("DROP TABLE parked_code")
    op.execute("""
    CREATE TABLE authorization_code (
        hash BYTEA NOT NULL,
        grant_id UUID NOT NULL,
        level SMALLINT NOT NULL,
        redirect_uri TEXT NOT NULL,
        code_challenge TEXT,
        nonce TEXT,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        used_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_authorization_code PRIMARY KEY (hash),
        CONSTRAINT ck_authorization_code_two_factors CHECK (level >= 2),
        CONSTRAINT fk_authorization_code_grant_id FOREIGN KEY(grant_id) REFERENCES grant_ (id) ON DELETE CASCADE
    )
    """)
    op.execute("CREATE INDEX ix_authorization_code_grant_id ON authorization_code (grant_id)")
