"""A client has a level of its own, and while its secret is changed two of them."""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE client ADD COLUMN level SMALLINT DEFAULT 2 NOT NULL")
    op.execute("ALTER TABLE client ADD COLUMN old_secret_hash BYTEA")
    op.execute("ALTER TABLE client ADD COLUMN old_secret_until TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE client ADD COLUMN old_secret_used_at TIMESTAMP WITH TIME ZONE")
    # Promise 1: no client asks for less than two factors.
    op.execute("ALTER TABLE client ADD CONSTRAINT ck_client_two_factors CHECK (level >= 2)")
    op.execute(
        "ALTER TABLE client ADD CONSTRAINT ck_client_old_secret"
        " CHECK ((old_secret_hash IS NULL) = (old_secret_until IS NULL))"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE client DROP CONSTRAINT ck_client_old_secret")
    op.execute("ALTER TABLE client DROP CONSTRAINT ck_client_two_factors")
    op.execute("ALTER TABLE client DROP COLUMN old_secret_used_at")
    op.execute("ALTER TABLE client DROP COLUMN old_secret_until")
    op.execute("ALTER TABLE client DROP COLUMN old_secret_hash")
    op.execute("ALTER TABLE client DROP COLUMN level")
