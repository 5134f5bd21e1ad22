"""Authorization codes: issued with their grant, redeemed once. Each happens in one statement or not at all."""

from datetime import datetime
from uuid import UUID

from idp.audit import Event
from idp.model import SEEN_EVERY, AuthorizationCode, Holder
from idp.store.audits import AUDITED, audit_values
from idp.store.engine import Conn, Row
from idp.store.grants import AUDITED_USE, GRANT, GRANTED, grant_values, read_grant
from idp.store.holders import HOLDER, HOLDER_OF, read_holder
from idp.store.refresh_tokens import FIRST
from idp.store.sql import Sql

_ISSUE = Sql(f"""
-- The remembered consent, held: who withdraws it first wins, and who comes later ends the grant as well.
WITH agreed AS (
    SELECT FROM consent WHERE account_id = :account_id AND client_id = :client_id FOR KEY SHARE
),
-- The session must still be alive when the code is made: a logout that came first wins. The browser has its new token:
-- the one before is good for nothing from now on.
live AS (
    UPDATE session
    SET seen_at = CASE WHEN seen_at < :not_since THEN :now ELSE seen_at END, previous_hash = NULL, replaced_at = NULL
    WHERE id = :session_id AND account_id = :account_id AND ended_at IS NULL
      AND (NOT :remembered OR EXISTS (SELECT FROM agreed))
    RETURNING id
),
finished AS (
    UPDATE interaction SET finished_at = :now
    WHERE id = :interaction_id AND session_id = :session_id AND finished_at IS NULL AND expires_at > :now
      AND EXISTS (SELECT FROM live)
    RETURNING id
),
may AS (
    SELECT FROM live WHERE :interaction_id::uuid IS NULL OR EXISTS (SELECT FROM finished)
),
granted AS ({GRANTED}),
issued AS (
    INSERT INTO authorization_code (hash, grant_id, level, redirect_uri, code_challenge, nonce, expires_at)
    SELECT :hash, id, :level, :redirect_uri, :code_challenge, :nonce, :expires_at FROM granted
    RETURNING grant_id
),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM issued))
SELECT EXISTS (SELECT FROM issued) AS issued""")


async def issue(
    conn: Conn,
    code: AuthorizationCode,
    *,
    code_hash: bytes,
    grant_expires_at: datetime,
    interaction_id: UUID | None,
    remembered: bool,
    audit: Event,
) -> bool:
    """Store a grant and its code, and finish the interaction. True for exactly one caller per interaction.

    `remembered`: the decision looked at a stored consent, so it has to be there still.
    """
    new = code.grant
    return bool(
        await conn.value(
            _ISSUE,
            **grant_values(new, expires_at=grant_expires_at),
            hash=code_hash,
            redirect_uri=code.redirect_uri,
            code_challenge=code.code_challenge,
            nonce=code.nonce,
            expires_at=code.expires_at,
            interaction_id=interaction_id,
            remembered=remembered,
            not_since=new.created_at - SEEN_EVERY,
            **audit_values(audit, account_id=new.account_id, client_id=new.client_id),
        )
    )


_CODE = "c.redirect_uri, c.code_challenge, c.nonce, c.expires_at, c.used_at"

_LOAD = Sql(f"""
SELECT {_CODE}, {GRANT}, {HOLDER}
FROM authorization_code c JOIN grant_ g ON g.id = c.grant_id {HOLDER_OF}
WHERE c.hash = :hash""")

_REDEEM = Sql(f"""
WITH used AS (
    UPDATE authorization_code c SET used_at = :now
    FROM grant_ g
    WHERE c.hash = :hash AND c.used_at IS NULL AND c.expires_at > :now AND c.redirect_uri = :redirect_uri
      AND c.code_challenge IS NOT DISTINCT FROM :code_challenge
      AND g.id = c.grant_id AND g.client_id = :client_id AND g.revoked_at IS NULL
    RETURNING c.redirect_uri, c.code_challenge, c.nonce, c.expires_at AS code_expires_at, g.*
),
refreshed AS ({FIRST}),
audited AS ({AUDITED_USE})
-- Who redeems it looks at it as it was a moment ago: not used.
SELECT g.redirect_uri, g.code_challenge, g.nonce, g.code_expires_at AS expires_at, NULL::timestamptz AS used_at,
       {GRANT}, {HOLDER}
FROM used g {HOLDER_OF}""")


def _read(row: Row | None) -> tuple[AuthorizationCode, Holder | None] | None:
    if row is None:
        return None
    code = AuthorizationCode(
        read_grant(row), row["redirect_uri"], row["code_challenge"], row["nonce"], row["expires_at"], row["used_at"]
    )
    return code, read_holder(row)


async def load(conn: Conn, *, code_hash: bytes) -> tuple[AuthorizationCode, Holder | None] | None:
    """A code with its grant and holder, used or not."""
    return _read(await conn.one(_LOAD, hash=code_hash))


async def redeem(
    conn: Conn,
    *,
    code_hash: bytes,
    client_id: str,
    redirect_uri: str,
    code_challenge: str | None,
    refresh_hash: bytes | None,
    refresh_expires_at: datetime,
    audit: Event,
    now: datetime,
) -> tuple[AuthorizationCode, Holder | None] | None:
    """Use up a code of this client that was asked for with just this, and store the first refresh token.

    The code for exactly one caller, ever; None for everybody else, and then nothing has changed. The refresh token is
    stored only for a grant that has the scope `offline_access`.
    """
    return _read(
        await conn.one(
            _REDEEM,
            hash=code_hash,
            client_id=client_id,
            redirect_uri=redirect_uri,
            code_challenge=code_challenge,
            refresh_hash=refresh_hash,
            refresh_expires_at=refresh_expires_at,
            now=now,
            **audit_values(audit, client_id=client_id),
        )
    )
