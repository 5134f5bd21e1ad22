"""What of a person's ways in an operator chose, as stands beside each. It is asked when somebody is given a role."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from idp.model import Factor
from idp.store.engine import Conn
from idp.store.sql import Sql

# Nobody is named where a shell chose, which has the keys and the database.
_PASSWORD = Sql("SELECT password_by <> :operator AS another FROM account WHERE id = :account_id")
_AUTHENTICATORS = Sql("""
SELECT id, factor FROM authenticator
WHERE account_id = :account_id AND closed_at IS NULL AND confirmed_at IS NOT NULL AND given_by <> :operator
ORDER BY created_at""")
_TEMPORARY = Sql("""
UPDATE account SET password_until = least(password_until, :until)
WHERE id = :account_id AND password_hash IS NOT NULL""")


async def password_by_another(conn: Conn, *, account_id: UUID, operator: str) -> bool:
    """Whether the password that they have was chosen by another operator than this one, and at no shell."""
    return bool(await conn.value(_PASSWORD, account_id=account_id, operator=operator))


async def authenticators_by_another(conn: Conn, *, account_id: UUID, operator: str) -> Sequence[tuple[UUID, Factor]]:
    """The authenticators that another operator gave, at no shell."""
    rows = await conn.all(_AUTHENTICATORS, account_id=account_id, operator=operator)
    return [(row["id"], Factor(row["factor"])) for row in rows]


async def make_temporary(conn: Conn, *, account_id: UUID, until: datetime) -> None:
    """The password that they have works until then at most, and has to be changed when it is used next."""
    await conn.one(_TEMPORARY, account_id=account_id, until=until)
