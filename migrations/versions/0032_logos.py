"""A client may have a logo."""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE client ADD COLUMN logo TEXT")
    op.execute(
        "CREATE TABLE client_logo ("
        " client_id TEXT NOT NULL CONSTRAINT pk_client_logo PRIMARY KEY"
        " CONSTRAINT fk_client_logo_client_id REFERENCES client (id) ON DELETE CASCADE,"
        " kind TEXT NOT NULL, content BYTEA NOT NULL)"
    )


def downgrade() -> None:
    op.execute("DROP TABLE client_logo")
    op.execute("ALTER TABLE client DROP COLUMN logo")
