"""Numbers and addresses that nothing is sent to: they do not exist, or their holder wants no messages.

Numbers are known by keyed hashes alone, under every key there is: the caller makes them (`KeyChain.indexes`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from idp.audit import Event
from idp.store.audits import AUDITED, audit_values
from idp.store.engine import Conn
from idp.store.sql import Sql

PURPOSE = "suppressed-number"  # of the keyed hash

_ADD = Sql(f"""
WITH added AS (
    INSERT INTO suppressed_number (hash, reason, at) VALUES (:number_key, :reason, :now)
    ON CONFLICT (hash) DO NOTHING
    RETURNING hash
),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM added))
SELECT hash FROM added""")

_REMOVE = Sql(f"""
WITH removed AS (
    DELETE FROM suppressed_number WHERE hash = ANY (:number_keys) RETURNING reason
),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM removed))
SELECT reason FROM removed""")

_REASONS = Sql("SELECT hash, reason, at FROM suppressed_number WHERE hash = ANY (:number_keys)")


# The address must be theirs still: a report may be about one that they had before.
_REFUSE = Sql(f"""
WITH refused AS (
    UPDATE account SET email_refused_at = :now
    WHERE id = :account_id AND lower(email COLLATE "C") = lower(:address COLLATE "C") AND email_refused_at IS NULL
    RETURNING id
),
dead AS (
    UPDATE challenge SET attempts = max_attempts
    WHERE account_id = (SELECT id FROM refused) AND factor = 'email' AND consumed_at IS NULL
),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM refused))
SELECT id FROM refused""")


async def refuse_mailbox(conn: Conn, *, account_id: UUID, address: str, audit: Event, now: datetime) -> bool:
    """Send no mail to this address of a person any more, until it is verified anew. True when that is new."""
    values = audit_values(audit, account_id=account_id)
    return await conn.one(_REFUSE, account_id=account_id, address=address, now=now, **values) is not None


async def add(conn: Conn, number_key: bytes, *, reason: str, audit: Event, now: datetime) -> bool:
    """Send nothing to this number any more. True when it was not there before, which alone is audited."""
    return await conn.one(_ADD, number_key=number_key, reason=reason, now=now, **audit_values(audit)) is not None


async def reasons(conn: Conn, number_keys: Sequence[bytes]) -> Mapping[bytes, tuple[str, datetime]]:
    """Of those of these numbers that nothing is sent to, why and since when."""
    rows = await conn.all(_REASONS, number_keys=number_keys)
    return {row["hash"]: (row["reason"], row["at"]) for row in rows}


async def remove(conn: Conn, number_keys: Sequence[bytes], *, audit: Event, now: datetime) -> str | None:
    """Let messages go to a number again, audited; why none did, or None if nothing was in the way."""
    why: str | None = await conn.value(_REMOVE, number_keys=number_keys, now=now, **audit_values(audit))
    return why
