"""What people approve: requests that clients push, the sums of small amounts, and who may ask for what."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE TABLE pushed_request (
        hash BYTEA NOT NULL,
        client_id TEXT NOT NULL,
        request JSONB NOT NULL,
        use_by TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_pushed_request PRIMARY KEY (hash),
        CONSTRAINT fk_pushed_request_client_id FOREIGN KEY(client_id) REFERENCES client (id) ON DELETE CASCADE
    )
    """)
    op.execute("CREATE INDEX ix_pushed_request_expires_at ON pushed_request (expires_at)")
    op.execute("""
    CREATE TABLE approved_sum (
        account_id UUID NOT NULL,
        type TEXT NOT NULL,
        currency TEXT NOT NULL,
        amounts NUMERIC[] NOT NULL,
        times TIMESTAMP WITH TIME ZONE[] NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_approved_sum PRIMARY KEY (account_id, type, currency),
        CONSTRAINT fk_approved_sum_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
    )
    """)
    op.execute("CREATE INDEX ix_approved_sum_expires_at ON approved_sum (expires_at)")
    op.execute("ALTER TABLE client ADD COLUMN details_types TEXT[] DEFAULT '{}'::text[] NOT NULL")
    op.execute("ALTER TABLE client ADD COLUMN require_pushed BOOLEAN DEFAULT false NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE client DROP COLUMN require_pushed")
    op.execute("ALTER TABLE client DROP COLUMN details_types")
    op.execute("DROP TABLE approved_sum")
    op.execute("DROP TABLE pushed_request")
