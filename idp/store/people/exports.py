"""Everybody, a page at a time, with all that is kept of how they sign in. Sealed values leave as they are stored.

Of what was removed comes what still holds something up or is still told: nothing else of the past.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from idp.model import Account, Authenticator, Past
from idp.store.engine import Conn
from idp.store.people.columns import ACCOUNT, AUTHENTICATORS, read_account, read_authenticators
from idp.store.sql import Sql

_THEIRS = "t.account_id = p.id AND t.confirmed_at IS NOT NULL"
# Who registers and has not come to an end of it is nobody yet.
_PAGE = Sql(f"""
SELECT {ACCOUNT}, {AUTHENTICATORS}, p.password_hash, p.former_email, p.former_until,
       (SELECT jsonb_object_agg(c.client_id, jsonb_build_array(to_jsonb(c.scopes), c.granted_at))
        FROM consent c WHERE c.account_id = p.id) AS consents,
       (SELECT jsonb_object_agg(t.id, t.told_until) FROM authenticator t
        WHERE {_THEIRS} AND t.told_until IS NOT NULL) AS told,
       (SELECT jsonb_object_agg(t.id, encode(t.sealed, 'hex')) FROM authenticator t
        WHERE {_THEIRS} AND t.sealed IS NOT NULL) AS sealed,
       (SELECT jsonb_agg(jsonb_build_array(t.id, encode(r.hash, 'hex')) ORDER BY r.hash)
        FROM authenticator t JOIN recovery_code r ON r.authenticator_id = t.id
        WHERE {_THEIRS} AND t.closed_at IS NULL AND r.used_at IS NULL) AS saved
FROM account p
WHERE p.id > :after AND p.provisional_until IS NULL
ORDER BY p.id  -- which stays theirs: who is given another username meanwhile is neither missed nor met twice
LIMIT :limit""")


@dataclass(frozen=True, slots=True)
class Exported:
    """A person, what they sign in with, and what they agreed to. `saved` are the hashes of unused codes, by set."""

    account: Account
    authenticators: tuple[Authenticator, ...]
    password_hash: str | None = field(repr=False)
    sealed: Mapping[UUID, bytes] = field(repr=False)
    saved: Mapping[UUID, Sequence[bytes]] = field(repr=False)
    consents: Mapping[str, Sequence[str]]
    past: Past


async def page(conn: Conn, *, after: UUID, limit: int, closed_since: datetime) -> Sequence[Exported]:
    """The next people by id; with what they removed since then."""
    found = []
    for row in await conn.all(_PAGE, after=after, limit=limit, closed_since=closed_since):
        account = read_account(row)
        assert account is not None
        saved: dict[UUID, list[bytes]] = {}
        for which, hashed in row["saved"] or ():
            saved.setdefault(UUID(which), []).append(bytes.fromhex(hashed))
        found.append(
            Exported(
                account,
                read_authenticators(account.id, row["authenticators"]),
                row["password_hash"],
                {UUID(which): bytes.fromhex(sealed) for which, sealed in (row["sealed"] or {}).items()},
                saved,
                {client: scopes for client, (scopes, _) in (row["consents"] or {}).items()},
                Past(
                    row["disabled_at"],
                    row["former_email"],
                    row["former_until"],
                    {UUID(which): datetime.fromisoformat(at) for which, at in (row["told"] or {}).items()},
                    {client: datetime.fromisoformat(at) for client, (_, at) in (row["consents"] or {}).items()},
                ),
            )
        )
    return found
