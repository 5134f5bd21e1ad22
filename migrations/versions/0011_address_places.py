"""How many places of an address a code took: it gives back no more when it was verified."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE challenge ADD COLUMN address_places INTEGER DEFAULT 0 NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE challenge DROP COLUMN address_places")
