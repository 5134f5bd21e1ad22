"""Requests of the API that came with a key, so that each is done once."""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE api_request (
            hash BYTEA NOT NULL,
            asked BYTEA NOT NULL,
            begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
            expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
            status INTEGER,
            sealed BYTEA,
            CONSTRAINT pk_api_request PRIMARY KEY (hash)
        )
    """)
    op.execute("CREATE INDEX ix_api_request_expires_at ON api_request (expires_at)")


def downgrade() -> None:
    op.execute("DROP TABLE api_request")
