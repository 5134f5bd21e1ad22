"""Authorization codes: exchanged once, and parked where they are too long to travel. What they say is in `flows`."""

from datetime import datetime

from idp.audit import Authorized, TokensIssued
from idp.model import SEEN_EVERY, Grant, Holder
from idp.store.audits import audit_values
from idp.store.engine import Conn
from idp.store.sql import Sql
from idp.store.tokens.grants import GRANTED, grant_values
from idp.store.tokens.holders import HOLDER, HOLDER_OF, read_holder
from idp.store.tokens.refresh_tokens import FIRST

_REDEEM = Sql(f"""
-- The session must be alive and of this generation still: a logout, another password or a consent withdrawn that came
-- first wins, and one that comes later waits and ends the grant.
WITH may AS (
    SELECT id FROM session
    WHERE id = :session_id AND account_id = :account_id AND ended_at IS NULL AND generation = :generation
    FOR NO KEY UPDATE
),
-- Once: the grant has the id that the code carries.
used AS ({GRANTED} RETURNING *),
-- Whoever has the code has what came with it, the new token of the session: the one before is forgiven no more.
arrived AS (
    UPDATE session
    SET seen_at = CASE WHEN seen_at < :not_since THEN :now ELSE seen_at END, previous_hash = NULL, replaced_at = NULL
    WHERE id = :session_id AND (seen_at < :not_since OR previous_hash IS NOT NULL) AND EXISTS (SELECT FROM used)
),
refreshed AS ({FIRST}),
audited AS (
    INSERT INTO audit_event (at, name, account_id, client_id, fields)
    SELECT :now, told.name, :account_id, :client_id, told.fields
    FROM used, (VALUES (:granted_name, :granted_fields::jsonb), (:audit_name, :audit_fields::jsonb)) told (name, fields)
)
SELECT {HOLDER} FROM used g {HOLDER_OF}""")


async def redeem(
    conn: Conn,
    grant: Grant,
    *,
    generation: int,
    grant_expires_at: datetime,
    refresh_hash: bytes | None,
    refresh_expires_at: datetime,
    audits: tuple[Authorized, TokensIssued],
    now: datetime,
) -> Holder | None:
    """Store the grant that a code carries, and its first refresh token if it has the scope `offline_access`.

    The holder for exactly one caller, ever; None for everybody else, and when session, generation or client have ended:
    then nothing has changed.
    """
    granted, issued = audits
    row = await conn.one(
        _REDEEM,
        **grant_values(grant, expires_at=grant_expires_at),
        generation=generation,
        not_since=now - SEEN_EVERY,
        refresh_hash=refresh_hash,
        refresh_expires_at=refresh_expires_at,
        **audit_values(granted, prefix="granted"),
        **audit_values(issued),
        now=now,
    )
    return None if row is None else read_holder(row)


_PARK = Sql("INSERT INTO parked_code (hash, sealed, expires_at) VALUES (:hash, :sealed, :expires_at)")
_PARKED = Sql("SELECT sealed FROM parked_code WHERE hash = :hash")


async def park(conn: Conn, *, handle_hash: bytes, sealed: str, expires_at: datetime) -> None:
    """Keep a sealed code, which is too long to travel, under a handle."""
    await conn.one(_PARK, hash=handle_hash, sealed=sealed, expires_at=expires_at)


async def parked(conn: Conn, *, handle_hash: bytes) -> str | None:
    """What was parked under this handle, for an hour longer than it is good."""
    sealed: str | None = await conn.value(_PARKED, hash=handle_hash)
    return sealed
