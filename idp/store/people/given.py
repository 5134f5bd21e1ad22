"""What of a person's ways in an operator chose, as the audit trail tells. It is asked when somebody is given a role."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from idp.model import Factor
from idp.store.engine import Conn
from idp.store.sql import Sql

# A shell has the keys and the database: what was chosen there is nobody else's.
_ANOTHER = "e.fields ->> 'operator' <> :operator AND e.fields ->> 'operator' NOT LIKE 'shell:%'"
_PASSWORD = Sql(f"""
SELECT {_ANOTHER} AS another FROM audit_event e
WHERE e.account_id = :account_id
  AND (e.name = 'password.changed' OR e.name = 'account.changed' AND e.fields ->> 'change' = 'added')
ORDER BY e.at DESC, e.id DESC
LIMIT 1""")
_AUTHENTICATORS = Sql(f"""
SELECT a.id, a.factor FROM authenticator a
WHERE a.account_id = :account_id AND a.closed_at IS NULL AND a.confirmed_at IS NOT NULL AND EXISTS (
    SELECT FROM audit_event e
    WHERE e.account_id = :account_id AND e.name = 'authenticator.added' AND e.fields ->> 'authenticator' = a.id::text
      AND {_ANOTHER})
ORDER BY a.created_at""")
_TEMPORARY = Sql("""
UPDATE account SET password_until = least(password_until, :until)
WHERE id = :account_id AND password_hash IS NOT NULL""")


async def password_by_another(conn: Conn, *, account_id: UUID, operator: str) -> bool:
    """Whether the password that they have was chosen last by another operator than this one, and at no shell."""
    return bool(await conn.value(_PASSWORD, account_id=account_id, operator=operator))


async def authenticators_by_another(conn: Conn, *, account_id: UUID, operator: str) -> Sequence[tuple[UUID, Factor]]:
    """The authenticators that another operator gave, at no shell."""
    rows = await conn.all(_AUTHENTICATORS, account_id=account_id, operator=operator)
    return [(row["id"], Factor(row["factor"])) for row in rows]


async def make_temporary(conn: Conn, *, account_id: UUID, until: datetime) -> None:
    """The password that they have works until then at most, and has to be changed when it is used next."""
    await conn.one(_TEMPORARY, account_id=account_id, until=until)
