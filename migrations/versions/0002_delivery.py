"""Delivery: receipts, regions, breakers, suppressed numbers, notices by e-mail."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UP = (
    """
    ALTER TABLE message
        ADD COLUMN channel TEXT DEFAULT 'sms' NOT NULL,
        ADD COLUMN region TEXT,
        ADD COLUMN denied_by TEXT,
        ALTER COLUMN authenticator_id DROP NOT NULL,
        ALTER COLUMN lease_until SET DEFAULT '-infinity'::timestamp with time zone,
        DROP CONSTRAINT ck_message_state,
        ADD CONSTRAINT ck_message_state CHECK (state IN ('waiting', 'sent', 'failed', 'expired', 'denied')),
        ADD CONSTRAINT ck_message_denied_by CHECK ((state = 'denied') = (denied_by IS NOT NULL)),
        ADD CONSTRAINT ck_message_channel CHECK (channel IN ('sms', 'email')),
        ADD CONSTRAINT ck_message_phone CHECK (channel = 'email' OR authenticator_id IS NOT NULL)
    """,
    "UPDATE message SET lease_until = '-infinity' WHERE state = 'waiting' AND lease_until IS NULL",
    "DROP INDEX ix_message_waiting",
    "CREATE INDEX ix_message_waiting ON message (lease_until, created_at) WHERE state = 'waiting'",
    "CREATE INDEX ix_message_account_id ON message (account_id, created_at)",
    """
    ALTER TABLE message_attempt
        ADD COLUMN region TEXT DEFAULT 'ZZ' NOT NULL,
        ADD COLUMN delivery TEXT,
        ADD COLUMN delivery_reason TEXT,
        ADD COLUMN delivery_code TEXT,
        ADD COLUMN delivery_at TIMESTAMP WITH TIME ZONE,
        ADD CONSTRAINT ck_message_attempt_delivery
            CHECK (delivery IN ('unknown', 'queued', 'sent', 'delivered', 'undelivered', 'expired'))
    """,
    "CREATE INDEX ix_message_attempt_gateway ON message_attempt (gateway, region, started_at)",
    """
    CREATE TABLE gateway_breaker (
        gateway TEXT NOT NULL,
        region TEXT NOT NULL,
        open_until TIMESTAMP WITH TIME ZONE,
        probe_until TIMESTAMP WITH TIME ZONE,
        closed_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_gateway_breaker PRIMARY KEY (gateway, region)
    )
    """,
    "CREATE INDEX ix_gateway_breaker_open ON gateway_breaker (open_until) WHERE open_until IS NOT NULL",
    """
    CREATE TABLE suppressed_number (
        hash BYTEA NOT NULL,
        reason TEXT NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_suppressed_number PRIMARY KEY (hash)
    )
    """,
)

DOWN = (
    "DROP TABLE suppressed_number",
    "DROP TABLE gateway_breaker",
    "DROP INDEX ix_message_attempt_gateway",
    """
    ALTER TABLE message_attempt
        DROP CONSTRAINT ck_message_attempt_delivery,
        DROP COLUMN delivery_at,
        DROP COLUMN delivery_code,
        DROP COLUMN delivery_reason,
        DROP COLUMN delivery,
        DROP COLUMN region
    """,
    # What the version before cannot hold: mail to nobody's phone, and a word for what was denied.
    "DELETE FROM message WHERE channel = 'email'",
    "ALTER TABLE message DROP CONSTRAINT ck_message_denied_by",
    "UPDATE message SET state = 'failed' WHERE state = 'denied'",
    "UPDATE message SET lease_until = NULL WHERE lease_until = '-infinity'",
    "DROP INDEX ix_message_account_id",
    "DROP INDEX ix_message_waiting",
    """
    ALTER TABLE message
        DROP CONSTRAINT ck_message_phone,
        DROP CONSTRAINT ck_message_channel,
        DROP CONSTRAINT ck_message_state,
        ADD CONSTRAINT ck_message_state CHECK (state IN ('waiting', 'sent', 'failed', 'expired')),
        ALTER COLUMN lease_until DROP DEFAULT,
        ALTER COLUMN authenticator_id SET NOT NULL,
        DROP COLUMN denied_by,
        DROP COLUMN region,
        DROP COLUMN channel
    """,
    "CREATE INDEX ix_message_waiting ON message (created_at) WHERE state = 'waiting'",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
