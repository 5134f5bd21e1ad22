"""Which secret key came first: what is looked up by a keyed hash is found under that one, in whatever order they are."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE secret_key (
            id text NOT NULL,
            number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
            CONSTRAINT pk_secret_key PRIMARY KEY (id)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE secret_key")
