"""What is known of a number's SIM: of a message, its question, the proof it became, and the phone."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("message", "challenge", "authentication_event")


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ADD COLUMN swap TEXT")
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_swap CHECK (swap IN ('swapped', 'not_swapped', 'unknown'))"
        )
    op.execute("ALTER TABLE authenticator ADD COLUMN swapped_at TIMESTAMP WITH TIME ZONE")
    op.execute("CREATE INDEX ix_challenge_phone ON challenge (authenticator_id) WHERE factor = 'sms'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_challenge_phone")
    op.execute("ALTER TABLE authenticator DROP COLUMN swapped_at")
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} DROP COLUMN swap")
