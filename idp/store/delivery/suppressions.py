"""Numbers that nothing is sent to: a provider says they do not exist, or their holder wants no messages.

Known by keyed hashes alone, under every key there is: the caller makes them (`KeyChain.indexes`).
"""

from collections.abc import Sequence
from datetime import datetime

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


async def add(conn: Conn, number_key: bytes, *, reason: str, audit: Event, now: datetime) -> bool:
    """Send nothing to this number any more. True when it was not there before, which alone is audited."""
    return await conn.one(_ADD, number_key=number_key, reason=reason, now=now, **audit_values(audit)) is not None


async def remove(conn: Conn, number_keys: Sequence[bytes], *, audit: Event, now: datetime) -> str | None:
    """Let messages go to a number again, audited; why none did, or None if nothing was in the way."""
    why: str | None = await conn.value(_REMOVE, number_keys=number_keys, now=now, **audit_values(audit))
    return why
