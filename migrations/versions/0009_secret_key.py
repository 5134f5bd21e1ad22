"""Which secret key came first: what is looked up by a keyed hash is found under that one, in whatever order they are."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE TABLE secret_key (id text PRIMARY KEY, number bigint NOT NULL GENERATED ALWAYS AS IDENTITY)")


def downgrade() -> None:
    op.execute("DROP TABLE secret_key")
