"""As `facts`, of the person whose passkey it is: what one decision needs, in one statement."""

from datetime import datetime
from uuid import UUID

from idp.policy import Sessions
from idp.store.engine import Conn
from idp.store.signin.facts import AT_THE_DOOR, KNOWN, LIVE, NOTHING, PAUSED, Loaded, known, moments, read
from idp.store.sql import Sql

_THEIRS = """p.id = (
    SELECT account_id FROM authenticator
    WHERE credential_id = :credential_id AND factor = 'passkey' AND closed_at IS NULL)"""

_OF_CREDENTIAL = Sql(f"""
SELECT NULL::text AS password_hash, {AT_THE_DOOR}
LEFT JOIN account p ON {_THEIRS}
LEFT JOIN consent c ON c.account_id = p.id AND c.client_id = :client_id""")

_OF_CREDENTIAL_IN = Sql(f"""
SELECT {KNOWN}, {PAUSED}, NULL::text AS password_hash
FROM session s
JOIN interaction i ON i.id = :interaction_id AND i.session_id = s.id
LEFT JOIN account p ON {_THEIRS}
LEFT JOIN consent c ON c.account_id = p.id AND c.client_id = i.client_id
WHERE s.token_hash = :token_hash AND {LIVE}""")


async def of_credential(
    conn: Conn,
    *,
    token_hash: bytes,
    session_id: UUID | None,
    credential_id: bytes,
    client_id: str,
    device: bytes | None,
    sessions: Sessions,
    now: datetime,
) -> Loaded:
    """As `facts.of_name`, of the person whose passkey this is."""
    row = await conn.one(
        _OF_CREDENTIAL,
        token_hash=token_hash,
        session_id=session_id,
        credential_id=credential_id,
        client_id=client_id,
        device=device,
        **moments(sessions, now),
    )
    assert row is not None
    return Loaded(**known(row), taken=row["taken"])


async def of_credential_in(
    conn: Conn,
    *,
    token_hash: bytes,
    interaction_id: UUID,
    credential_id: bytes,
    device: bytes | None,
    sessions: Sessions,
    now: datetime,
) -> Loaded:
    """As `facts.of_interaction`, of the person whose passkey this is."""
    row = await conn.one(
        _OF_CREDENTIAL_IN,
        token_hash=token_hash,
        interaction_id=interaction_id,
        credential_id=credential_id,
        device=device,
        **moments(sessions, now),
    )
    return NOTHING if row is None else read(row)
