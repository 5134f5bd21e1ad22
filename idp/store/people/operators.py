"""Who works for the operator, as they are in this very moment."""

from dataclasses import dataclass
from uuid import UUID

from idp.store.engine import Conn
from idp.store.sql import Sql

_STANDING = Sql("""
SELECT p.groups, c.scopes
FROM (SELECT) AS work
LEFT JOIN account p ON p.id = :account_id AND p.disabled_at IS NULL AND p.frozen_at IS NULL
LEFT JOIN client c ON c.id = :client_id AND c.disabled_at IS NULL""")


@dataclass(frozen=True, slots=True)
class Standing:
    """The groups of a person and the scopes of a client; none of who is not there, disabled or frozen."""

    groups: frozenset[str]
    scopes: frozenset[str]


async def standing(conn: Conn, *, account_id: UUID | None, client_id: str | None) -> Standing:
    """How an operator stands. It locks nothing and waits for nobody."""
    row = await conn.one(_STANDING, account_id=account_id, client_id=client_id)
    assert row is not None
    return Standing(frozenset(row["groups"] or ()), frozenset(row["scopes"] or ()))
