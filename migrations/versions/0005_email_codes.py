"""Codes by e-mail."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = (
    """
    ALTER TABLE authentication_event
        DROP CONSTRAINT ck_authentication_event_factor,
        ADD CONSTRAINT ck_authentication_event_factor
            CHECK (factor IN ('password', 'sms', 'email', 'totp', 'recovery'))
    """,
    """
    ALTER TABLE challenge
        ADD CONSTRAINT ck_challenge_factor CHECK (factor IN ('sms', 'email', 'totp', 'recovery')),
        ADD CONSTRAINT ck_challenge_email CHECK (factor <> 'email' OR authenticator_id IS NULL)
    """,
    "CREATE INDEX ix_challenge_email ON challenge (account_id) WHERE factor = 'email'",
)

DOWN = (
    "DROP INDEX ix_challenge_email",
    # What the version before cannot read: it would fail on every request of these browsers.
    "DELETE FROM message WHERE channel = 'email' AND kind = 'code'",
    "DELETE FROM challenge WHERE factor = 'email'",
    "DELETE FROM authentication_event WHERE factor = 'email'",
    "ALTER TABLE challenge DROP CONSTRAINT ck_challenge_email, DROP CONSTRAINT ck_challenge_factor",
    """
    ALTER TABLE authentication_event
        DROP CONSTRAINT ck_authentication_event_factor,
        ADD CONSTRAINT ck_authentication_event_factor CHECK (factor IN ('password', 'sms', 'totp', 'recovery'))
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
