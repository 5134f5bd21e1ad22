"""Whom a site lets in: looked up by the session that they came from, and let in once by each code."""

from datetime import datetime
from uuid import UUID

from idp.audit import Authorized
from idp.model import SEEN_EVERY, Grant
from idp.policy import Sessions
from idp.store.audits import AUDITED, audit_values
from idp.store.engine import Conn
from idp.store.people.columns import ACCOUNT, AUTHENTICATORS
from idp.store.signin.facts import LIVE, NOTHING, PROOFS, SESSION, Loaded, known, moments
from idp.store.sql import Sql

# Promise 1, here too: somebody who only knows the password is not signed in anywhere.
_BOTH = """EXISTS (
    SELECT FROM authentication_event e
    WHERE e.session_id = s.id AND e.account_id = s.account_id AND e.factor <> 'password')"""

_LOOK = Sql(f"""
-- What somebody does at a site is use of the session that they came from, noted as seldom as any other.
WITH here AS (
    UPDATE session s SET seen_at = :now
    WHERE s.id = :session_id AND s.account_id = :account_id AND {LIVE} AND s.seen_at < :not_since
)
SELECT {SESSION}, {ACCOUNT}, {PROOFS}, {AUTHENTICATORS}, NULL::jsonb AS device, NULL::text[] AS remembered,
       false AS client_gone
FROM session s JOIN account p ON p.id = s.account_id
WHERE s.id = :session_id AND s.account_id = :account_id AND {LIVE} AND {_BOTH}""")


async def look(conn: Conn, *, session_id: UUID, account_id: UUID, sessions: Sessions, now: datetime) -> Loaded:
    """What is known of this session, if it is this person's still and they proved two factors; `NOTHING` otherwise."""
    row = await conn.one(
        _LOOK, session_id=session_id, account_id=account_id, not_since=now - SEEN_EVERY, **moments(sessions, now)
    )
    return NOTHING if row is None else Loaded(**known(row))


_ENTER = Sql(f"""
-- As the exchange of a code has it: a logout or another password that came first wins.
WITH may AS (
    SELECT id FROM session s
    WHERE s.id = :session_id AND s.account_id = :account_id AND s.generation = :generation AND {LIVE} AND {_BOTH}
    FOR NO KEY UPDATE
),
-- Once: what was used is kept until the code is no good any more.
used AS (
    INSERT INTO client_assertion (hash, expires_at) SELECT :hash, :expires_at FROM may
    ON CONFLICT DO NOTHING RETURNING hash
),
arrived AS (
    UPDATE session SET previous_hash = NULL, replaced_at = NULL
    WHERE id = :session_id AND previous_hash IS NOT NULL AND EXISTS (SELECT FROM used)
),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM used))
SELECT EXISTS (SELECT FROM used) AS entered""")


async def enter(
    conn: Conn,
    grant: Grant,
    *,
    code_hash: bytes,
    expires_at: datetime,
    generation: int,
    audit: Authorized,
    sessions: Sessions,
    now: datetime,
) -> bool:
    """True for exactly one use of a code of a site, ever, while the session that it was made in lives on unchanged."""
    return bool(
        await conn.value(
            _ENTER,
            session_id=grant.session_id,
            account_id=grant.account_id,
            generation=generation,
            hash=code_hash,
            expires_at=expires_at,
            **audit_values(audit, account_id=grant.account_id, client_id=grant.client_id),
            **moments(sessions, now),
        )
    )
