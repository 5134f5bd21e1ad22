"""Refresh tokens: families in which never more than one is alive. Using one is one statement."""

from collections.abc import Sequence
from datetime import datetime

from idp.audit import Event
from idp.model import Holder, RefreshToken
from idp.store.audits import audit_values
from idp.store.engine import Conn
from idp.store.sql import Sql
from idp.store.tokens.grants import AUDITED_USE, GRANT, read_grant
from idp.store.tokens.holders import HOLDER, HOLDER_OF, read_holder

OFFLINE = "offline_access"  # OIDC Core 11

# The token `refresh_hash`, unless that is NULL, for the grant in `used`.
FIRST = f"""
    INSERT INTO refresh_token (hash, grant_id, issued_at, expires_at)
    SELECT :refresh_hash, g.id, :now, least(:refresh_expires_at, g.expires_at)
    FROM used g WHERE :refresh_hash::bytea IS NOT NULL AND '{OFFLINE}' = ANY (g.scopes)"""
_GOOD = """t.hash = :hash AND t.used_at IS NULL AND t.expires_at > :now
      AND g.id = t.grant_id AND g.client_id = :client_id AND g.revoked_at IS NULL AND g.expires_at > :now
      AND g.scopes @> :asked_scopes"""

_ROTATE = Sql(f"""
WITH used AS (
    UPDATE refresh_token t SET used_at = :now, successor = :refresh_hash
    FROM grant_ g
    WHERE {_GOOD}
    RETURNING t.issued_at, t.expires_at AS token_expires_at, g.*
),
refreshed AS ({FIRST}),
audited AS ({AUDITED_USE})
SELECT g.issued_at, g.token_expires_at, {GRANT}, {HOLDER} FROM used g {HOLDER_OF}""")

# FAPI 2.0 5.3.2.1: the refresh token stays the same, only its expiry moves.
_SLIDE = Sql(f"""
WITH used AS (
    UPDATE refresh_token t SET expires_at = least(:refresh_expires_at, g.expires_at)
    FROM grant_ g
    WHERE {_GOOD}
    RETURNING t.issued_at, t.expires_at AS token_expires_at, g.*
),
audited AS ({AUDITED_USE})
SELECT g.issued_at, g.token_expires_at, {GRANT}, {HOLDER} FROM used g {HOLDER_OF}""")

_LOAD = Sql(f"""
SELECT t.issued_at, t.expires_at, t.used_at,
       t.successor IS NULL OR next.used_at IS NOT NULL OR next.hash IS NULL AS successor_used, {GRANT}, {HOLDER}
FROM refresh_token t JOIN grant_ g ON g.id = t.grant_id
LEFT JOIN refresh_token next ON next.hash = t.successor {HOLDER_OF}
WHERE t.hash = :hash""")

_RETRY = Sql(f"""
WITH used AS (
    SELECT t.hash, g.*
    FROM refresh_token old JOIN refresh_token t ON t.hash = old.successor JOIN grant_ g ON g.id = t.grant_id
    WHERE old.hash = :hash AND old.used_at > :forgiven_since AND t.hash = ANY (:successor_hashes)
      AND t.used_at IS NULL AND t.expires_at > :now
      AND g.client_id = :client_id AND g.revoked_at IS NULL AND g.expires_at > :now
),
audited AS ({AUDITED_USE})
SELECT hash FROM used""")


async def use(
    conn: Conn,
    *,
    token_hash: bytes,
    successor_hash: bytes | None,
    client_id: str,
    asked_scopes: Sequence[str],
    refresh_expires_at: datetime,
    audit: Event,
    now: datetime,
) -> tuple[RefreshToken, Holder | None] | None:
    """Use a refresh token that is this client's, alive, and covers `asked_scopes`; None otherwise.

    With a successor the token is used up by exactly one caller and the successor takes its place; without one it stays.
    """
    row = await conn.one(
        _SLIDE if successor_hash is None else _ROTATE,
        hash=token_hash,
        refresh_hash=successor_hash,
        client_id=client_id,
        asked_scopes=asked_scopes,
        refresh_expires_at=refresh_expires_at,
        now=now,
        **audit_values(audit, client_id=client_id),
    )
    if row is None:
        return None
    return RefreshToken(read_grant(row), row["issued_at"], row["token_expires_at"], now), read_holder(row)


async def load(conn: Conn, *, token_hash: bytes) -> tuple[RefreshToken, Holder | None] | None:
    """A refresh token with its grant and holder, used or not, for judging why it was refused and for introspection."""
    row = await conn.one(_LOAD, hash=token_hash)
    if row is None:
        return None
    used_at = row["used_at"]
    spent = used_at is not None and row["successor_used"]
    return RefreshToken(read_grant(row), row["issued_at"], row["expires_at"], used_at, spent), read_holder(row)


async def retry(
    conn: Conn,
    *,
    token_hash: bytes,
    successor_hashes: Sequence[bytes],
    forgiven_since: datetime,
    client_id: str,
    audit: Event,
    now: datetime,
) -> bytes | None:
    """Forgive a retry: used since then, and while the successor is unused, which of these it is; None otherwise.

    Nothing changes, so that any number of retries get one and the same: there is never more than one line of a family.
    """
    found: bytes | None = await conn.value(
        _RETRY,
        hash=token_hash,
        successor_hashes=successor_hashes,
        forgiven_since=forgiven_since,
        client_id=client_id,
        now=now,
        **audit_values(audit, client_id=client_id),
    )
    return found
