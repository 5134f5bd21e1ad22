"""Passkeys."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

SECOND = "'sms', 'email', 'totp', 'recovery'"


def factors(table: str, names: str) -> str:
    return f"""
    ALTER TABLE {table}
        DROP CONSTRAINT ck_{table}_factor,
        ADD CONSTRAINT ck_{table}_factor CHECK (factor IN ({names}))
    """


UP = (
    factors("authenticator", "'sms', 'totp', 'recovery', 'passkey'"),
    factors("authentication_event", f"'password', {SECOND}, 'passkey'"),
    factors("challenge", f"{SECOND}, 'passkey'"),
    """
    ALTER TABLE authenticator
        ADD COLUMN credential_id BYTEA,
        ADD COLUMN sign_count BIGINT DEFAULT 0 NOT NULL,
        ADD COLUMN eligible BOOLEAN,
        ADD COLUMN copied BOOLEAN,
        ADD COLUMN attested BOOLEAN,
        ADD COLUMN transports TEXT[],
        ADD COLUMN aaguid TEXT,
        ADD CONSTRAINT ck_authenticator_passkey CHECK (
            factor <> 'passkey' OR (sealed IS NOT NULL AND credential_id IS NOT NULL AND eligible IS NOT NULL))
    """,
    """
    CREATE UNIQUE INDEX ix_authenticator_credential_id ON authenticator (credential_id)
    WHERE credential_id IS NOT NULL
    """,
    "ALTER TABLE authentication_event ADD COLUMN verified BOOLEAN",
    """
    CREATE TABLE used_challenge (
        hash BYTEA NOT NULL,
        used_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_used_challenge PRIMARY KEY (hash)
    )
    """,
    "CREATE INDEX ix_used_challenge_expires_at ON used_challenge (expires_at)",
)

DOWN = (
    "DROP TABLE used_challenge",
    "ALTER TABLE authentication_event DROP COLUMN verified",
    # What the version before cannot read: it would fail on every request of these people.
    "DELETE FROM challenge WHERE factor = 'passkey'",
    "DELETE FROM authentication_event WHERE factor = 'passkey'",
    "DELETE FROM authenticator WHERE factor = 'passkey'",
    "DROP INDEX ix_authenticator_credential_id",
    """
    ALTER TABLE authenticator
        DROP CONSTRAINT ck_authenticator_passkey,
        DROP COLUMN credential_id,
        DROP COLUMN sign_count,
        DROP COLUMN eligible,
        DROP COLUMN copied,
        DROP COLUMN attested,
        DROP COLUMN transports,
        DROP COLUMN aaguid
    """,
    factors("challenge", SECOND),
    factors("authentication_event", f"'password', {SECOND}"),
    factors("authenticator", "'sms', 'totp', 'recovery'"),
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
