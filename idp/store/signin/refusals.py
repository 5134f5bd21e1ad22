"""Wrong codes written down; and whoever they were typed in the name of is told, at most once a day."""

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from idp.audit import Event
from idp.limits import Limit
from idp.store.audits import AUDITED, audit_values
from idp.store.delivery.messages import Telling, noticed, waking
from idp.store.engine import Conn
from idp.store.rate_limits import charge_values, charged
from idp.store.sql import Sql


@lru_cache(maxsize=4)
def _note(limit: Limit) -> Sql:
    often = ":failures::bytea IS NULL OR EXISTS (SELECT FROM rate_limit WHERE key = :failures AND count >= :told_from)"
    return Sql(f"""
WITH audited AS ({AUDITED}),
{charged((limit,), when=often)},
{noticed("EXISTS (SELECT FROM charged)")}
SELECT {waking("noticed")}""")


async def note(
    conn: Conn,
    event: Event,
    *,
    account_id: UUID,
    client_id: str,
    failures: bytes | None,
    told_from: int,
    once: tuple[Limit, bytes],
    telling: Telling,
    now: datetime,
) -> None:
    """Write a wrong code down. From `told_from` in a row on, as `failures` counts them, the person is told.

    Without `failures` at once. As often as `once` allows. One statement, whatever it does: wrong codes cost as much as
    before.
    """
    await conn.one(
        _note(once[0]),
        failures=failures,
        told_from=told_from,
        now=now,
        **charge_values([once[1]]),
        **audit_values(event, account_id=account_id, client_id=client_id),
        **telling.values(),
    )
