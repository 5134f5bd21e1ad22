"""As `facts`, of whom somebody says to be, or whose passkey they show: what one decision needs, in one statement."""

from datetime import datetime
from uuid import UUID

from idp.policy import Sessions
from idp.store.engine import Conn
from idp.store.signin.facts import AT_THE_DOOR, KNOWN, LIVE, NOTHING, PAUSED, Loaded, known, moments, read
from idp.store.sql import Sql

Whose = str | bytes
"""A username, folded; or the credential id of a passkey."""

_NAMED = "p.username = :whose"
_HOLDING = """p.id = (
    SELECT account_id FROM authenticator WHERE credential_id = :whose AND factor = 'passkey' AND closed_at IS NULL)"""


def _at_the_door(theirs: str) -> Sql:
    return Sql(f"""
SELECT p.password_hash, {AT_THE_DOOR}
LEFT JOIN account p ON {theirs}
LEFT JOIN consent c ON c.account_id = p.id AND c.client_id = :client_id""")


def _inside(theirs: str) -> Sql:
    return Sql(f"""
SELECT {KNOWN}, {PAUSED}, p.password_hash
FROM session s
JOIN interaction i ON i.id = :interaction_id AND i.session_id = s.id
LEFT JOIN account p ON {theirs}
LEFT JOIN consent c ON c.account_id = p.id AND c.client_id = i.client_id
WHERE s.token_hash = :token_hash AND {LIVE}""")


_OF_NAME, _OF_HOLDER = _at_the_door(_NAMED), _at_the_door(_HOLDING)
_OF_NAME_INSIDE, _OF_HOLDER_INSIDE = _inside(_NAMED), _inside(_HOLDING)


async def at_the_door(
    conn: Conn,
    whose: Whose,
    *,
    token_hash: bytes,
    session_id: UUID | None,
    client_id: str,
    device: bytes | None,
    sessions: Sessions,
    now: datetime,
) -> Loaded:
    """As `facts.of_session`, but the account, its hash, authenticators and consent are those of this person."""
    row = await conn.one(
        _OF_NAME if isinstance(whose, str) else _OF_HOLDER,
        whose=whose,
        token_hash=token_hash,
        session_id=session_id,
        client_id=client_id,
        device=device,
        **moments(sessions, now),
    )
    assert row is not None
    return Loaded(**known(row), password_hash=row["password_hash"], taken=row["taken"])


async def inside(
    conn: Conn,
    whose: Whose,
    *,
    token_hash: bytes,
    interaction_id: UUID,
    device: bytes | None,
    sessions: Sessions,
    now: datetime,
) -> Loaded:
    """As `facts.of_interaction`, but the account, its hash, authenticators and consent are those of this person."""
    row = await conn.one(
        _OF_NAME_INSIDE if isinstance(whose, str) else _OF_HOLDER_INSIDE,
        whose=whose,
        token_hash=token_hash,
        interaction_id=interaction_id,
        device=device,
        **moments(sessions, now),
    )
    return NOTHING if row is None else read(row)
