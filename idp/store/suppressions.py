"""Numbers that nothing is sent to: a provider says they do not exist, or their holder wants no messages.

Known by keyed hashes alone, under every key there is: the caller makes them (`KeyChain.indexes`).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ARRAY, LargeBinary, Text, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from idp.audit import Event
from idp.store.audits import audit_values, audited
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.schema import Time, suppressed_number

PURPOSE = "suppressed-number"  # of the keyed hash
_s = suppressed_number.c
_these = _s.hash == func.any(bindparam("hashes", type_=ARRAY(LargeBinary)))

_added = (
    insert(suppressed_number)
    .values(
        hash=bindparam("hash", type_=LargeBinary),
        reason=bindparam("reason", type_=Text),
        at=bindparam("now", type_=Time),
    )
    .on_conflict_do_nothing(index_elements=[_s.hash])
    .returning(_s.hash)
    .cte("added")
)
_ADD = Statement(select(_added.c.hash).add_cte(audited(_added)))
_removed = delete(suppressed_number).where(_these).returning(_s.reason).cte("removed")
_REMOVE = Statement(select(_removed.c.reason).add_cte(audited(_removed)))


async def add(conn: Conn, hashed: bytes, *, reason: str, audit: Event, now: datetime) -> bool:
    """Send nothing to this number any more. True when it was not there before, which alone is audited."""
    return await conn.one(_ADD, hash=hashed, reason=reason, now=now, **audit_values(audit)) is not None


async def remove(conn: Conn, hashes: Sequence[bytes], *, audit: Event, now: datetime) -> str | None:
    """Let messages go to a number again, audited; why none did, or None if nothing was in the way."""
    row = await conn.one(_REMOVE, hashes=list(hashes), now=now, **audit_values(audit))
    return None if row is None else str(row[0])
