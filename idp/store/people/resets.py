"""A forgotten password: links for whoever has the name or address that was typed, in one statement whoever has it."""

from collections.abc import Sequence
from datetime import datetime

from idp.audit import Event, PasswordChanged
from idp.model.links import LinkFor
from idp.store.audits import audit_values
from idp.store.delivery.messages import CHANNEL
from idp.store.engine import Conn
from idp.store.sql import Sql

# Who types an address may have several accounts: each gets a link of its own, as many as there are `hashes`. The trail
# has a row for a name that nobody has too: with it, every answer waits for one commit (promise 9).
_ASK = Sql(f"""
WITH made AS (
    SELECT * FROM unnest(:hashes::bytea[], :nonces::bytea[]) WITH ORDINALITY AS m (hash, nonce, n)
),
person AS (
    SELECT id, locale, row_number() OVER (ORDER BY username <> :typed, created_at, id) AS n
    FROM account
    WHERE (username = :typed OR lower(email COLLATE "C") = :typed)
      AND email IS NOT NULL AND email_verified AND email_refused_at IS NULL AND disabled_at IS NULL
    ORDER BY n
    LIMIT cardinality(:hashes::bytea[])
),
linked AS (
    INSERT INTO link (hash, purpose, account_id, created_at, expires_at)
    SELECT m.hash, '{LinkFor.RESET}', p.id, :now, :expires_at FROM person p JOIN made m USING (n)
),
queued AS (
    INSERT INTO message (id, account_id, channel, kind, nonce, key_id, purpose, locale, created_at, expires_at)
    SELECT gen_random_uuid(), p.id, 'email', '{LinkFor.RESET}', m.nonce, :key_id, '{LinkFor.RESET}',
           coalesce(p.locale, :locale), :now, :expires_at
    FROM person p JOIN made m USING (n)
    RETURNING account_id
),
audited AS (
    INSERT INTO audit_event (at, name, account_id, fields)
    SELECT :now, :audit_name, q.account_id, :audit_fields FROM (SELECT) AS always LEFT JOIN queued q ON true
)
SELECT count(*) AS asked, pg_notify('{CHANNEL}', '') FROM queued""")


_JUST_DONE = Sql("""
SELECT FROM session s JOIN audit_event e ON e.account_id = s.account_id AND e.at = s.ended_at
WHERE s.token_hash = :token_hash AND s.link IS NOT NULL AND s.ended_at > :since AND e.name = :audit_name""")


async def just_done(conn: Conn, *, token_hash: bytes, since: datetime) -> bool:
    """Whether the session with this token ended, lately, with the password that was chosen in it."""
    return await conn.one(_JUST_DONE, token_hash=token_hash, since=since, audit_name=PasswordChanged.name) is not None


async def ask(
    conn: Conn,
    *,
    typed: str,
    hashes: Sequence[bytes],
    nonces: Sequence[bytes],
    key_id: str,
    locale: str,
    expires_at: datetime,
    audit: Event,
    now: datetime,
) -> int:
    """Put a link for each enabled person of this name, or of this verified address, into the outbox; how many."""
    asked = await conn.value(
        _ASK,
        typed=typed,
        hashes=hashes,
        nonces=nonces,
        key_id=key_id,
        locale=locale,
        expires_at=expires_at,
        now=now,
        **audit_values(audit),
    )
    return int(asked)
