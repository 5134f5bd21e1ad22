"""What clients see in the ID token, whose they are, and where their pages live."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = ("id_token_claims", "groups", "origins")


def upgrade() -> None:
    for column in COLUMNS:
        op.execute(f"ALTER TABLE client ADD COLUMN {column} text[] DEFAULT '{{}}' NOT NULL")


def downgrade() -> None:
    # Who was kept out would be let in by the version before.
    op.execute("UPDATE client SET disabled_at = now() WHERE groups <> '{}' AND disabled_at IS NULL")
    for column in COLUMNS:
        op.execute(f"ALTER TABLE client DROP COLUMN {column}")
