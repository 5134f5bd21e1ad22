"""The hold of an authenticator begins when its owner was told of it."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = (
    """
    ALTER TABLE authenticator
        ALTER COLUMN trusted_at DROP NOT NULL,
        ADD COLUMN hold interval,
        ADD COLUMN tell_at timestamp with time zone,
        ADD CONSTRAINT ck_authenticator_hold CHECK ((trusted_at IS NULL) = (hold IS NOT NULL))
    """,
    "CREATE INDEX ix_authenticator_tell_at ON authenticator (tell_at) WHERE tell_at IS NOT NULL",
    "ALTER TABLE message ADD COLUMN about uuid",
)

DOWN = (
    "ALTER TABLE message DROP COLUMN about",
    # The version before knows only a moment; from now on is the earliest that is not too early.
    "UPDATE authenticator SET trusted_at = now() + hold, hold = NULL WHERE hold IS NOT NULL",
    "DROP INDEX ix_authenticator_tell_at",
    """
    ALTER TABLE authenticator
        DROP CONSTRAINT ck_authenticator_hold,
        DROP COLUMN tell_at,
        DROP COLUMN hold,
        ALTER COLUMN trusted_at SET NOT NULL
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
