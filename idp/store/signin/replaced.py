"""What a token opened before the next one replaced it, for a form that is sent twice."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from idp.policy import Sessions
from idp.store.engine import Conn
from idp.store.signin.facts import KNOWN, LIVE, PAUSED, Loaded, known, moments, read
from idp.store.sql import Sql

_OF_REPLACED = Sql(f"""
SELECT {KNOWN}, {PAUSED}, p.password_hash, s.replaced_at, s.token_hash
FROM session s
JOIN interaction i ON i.id = :interaction_id AND i.session_id = s.id
LEFT JOIN account p ON p.id = s.account_id
LEFT JOIN consent c ON c.account_id = p.id AND c.client_id = i.client_id
-- Not found by the hash, which has no index, but through the interaction.
WHERE s.previous_hash = :token_hash AND s.replaced_at > :replaced_since AND {LIVE}""")

_OF_LEFT = Sql(f"""
SELECT {KNOWN}, p.password_hash, false AS client_gone, s.replaced_at, s.token_hash
FROM session s
LEFT JOIN account p ON p.id = s.account_id
LEFT JOIN consent c ON c.account_id = p.id AND c.client_id = :client_id
-- The same session as before, or one that another person began with this very request.
WHERE s.id IN (:session_id, (SELECT session_id FROM interaction WHERE id = :interaction_id))
  AND s.previous_hash = :token_hash AND s.replaced_at > :replaced_since AND {LIVE}""")


@dataclass(frozen=True, slots=True)
class Replaced:
    """What the browser's token opened until `at`, as it is now; `token_hash` is of the token that came then."""

    loaded: Loaded
    at: datetime
    token_hash: bytes = field(repr=False)


async def of_replaced(
    conn: Conn, *, token_hash: bytes, interaction_id: UUID, device: bytes | None, sessions: Sessions, now: datetime
) -> Replaced | None:
    """As `of_interaction`, with the person's password hash, for a token that another replaced and nobody used yet."""
    row = await conn.one(
        _OF_REPLACED,
        token_hash=token_hash,
        interaction_id=interaction_id,
        replaced_since=now - sessions.forgiven,
        device=device,
        **moments(sessions, now),
    )
    return None if row is None else Replaced(read(row), row["replaced_at"], row["token_hash"])


async def of_left(
    conn: Conn,
    *,
    token_hash: bytes,
    session_id: UUID | None,
    interaction_id: UUID,
    client_id: str,
    device: bytes | None,
    sessions: Sessions,
    now: datetime,
) -> Replaced | None:
    """As `of_replaced`, for a request that may not be stored in that session."""
    row = await conn.one(
        _OF_LEFT,
        token_hash=token_hash,
        session_id=session_id,
        interaction_id=interaction_id,
        client_id=client_id,
        replaced_since=now - sessions.forgiven,
        device=device,
        **moments(sessions, now),
    )
    if row is None:
        return None
    loaded = Loaded(**known(row), password_hash=row["password_hash"])
    return Replaced(loaded, row["replaced_at"], row["token_hash"])
