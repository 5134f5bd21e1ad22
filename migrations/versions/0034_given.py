"""Who gave a password or an authenticator stands beside it, and what was removed lately in a table of its own."""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

# What the audit trail told until now. Whoever had this name then may have another now, and another this one: what is
# known by the name of an operator counts as given by somebody else than whoever works here.
_PASSWORDS = """
UPDATE account SET password_by = 'named:' || last.operator
FROM (
    SELECT DISTINCT ON (account_id) account_id, fields ->> 'operator' AS operator FROM audit_event
    WHERE account_id IS NOT NULL
      AND (name = 'password.changed' OR name = 'account.changed' AND fields ->> 'change' = 'added')
    ORDER BY account_id, at DESC, id DESC
) last
WHERE account.id = last.account_id AND last.operator NOT LIKE 'shell:%' AND account.password_hash IS NOT NULL"""
_AUTHENTICATORS = """
UPDATE authenticator SET given_by = 'named:' || (e.fields ->> 'operator')
FROM audit_event e
WHERE e.name = 'authenticator.added' AND e.account_id = authenticator.account_id
  AND e.fields ->> 'authenticator' = authenticator.id::text AND e.fields ->> 'operator' NOT LIKE 'shell:%'"""


def upgrade() -> None:
    op.execute("ALTER TABLE account ADD COLUMN password_by TEXT")
    op.execute("ALTER TABLE authenticator ADD COLUMN given_by TEXT")
    op.execute(
        "CREATE TABLE removal ("
        " what TEXT NOT NULL CONSTRAINT pk_removal PRIMARY KEY,"
        " times INTEGER NOT NULL DEFAULT 1,"
        " at TIMESTAMP WITH TIME ZONE NOT NULL)"
    )
    op.execute("CREATE INDEX ix_removal_at ON removal (at)")
    op.execute(_PASSWORDS)
    op.execute(_AUTHENTICATORS)


def downgrade() -> None:
    op.execute("DROP TABLE removal")
    op.execute("ALTER TABLE authenticator DROP COLUMN given_by")
    op.execute("ALTER TABLE account DROP COLUMN password_by")
