"""Wrong codes written down; and whoever they were typed in the name of is told, at most once a day."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, LargeBinary, bindparam, exists, literal_column, select

from idp.audit import Event
from idp.limits import CODE_NOTICES, TOLD_FROM
from idp.store.audits import audit_values, audited
from idp.store.challenges import MESSAGE_CHANNEL, notify
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.messages import noticing
from idp.store.rate_limits import charge_values, charging
from idp.store.schema import rate_limit

_one = literal_column("1", Integer)


def _refused() -> Statement:
    often = exists(
        select(_one).where(
            rate_limit.c.key == bindparam("failures", type_=LargeBinary),
            rate_limit.c.count >= literal_column(str(TOLD_FROM), Integer),
        )
    )
    charges = charging((CODE_NOTICES,), when=often)
    noticed = noticing(when=charges.done)
    audit = audited(select(_one.label("one")).cte("refused"))
    return Statement(select(notify(MESSAGE_CHANNEL, noticed)).add_cte(audit, *charges.ctes, noticed))


_REFUSED = _refused()


async def note(
    conn: Conn,
    event: Event,
    *,
    account_id: UUID,
    client_id: str,
    failures: bytes,
    once: bytes,
    now: datetime,
    **notice: Any,  # noqa: ANN401 - what `noticing` binds
) -> None:
    """Write a wrong code down. With the third in a row (`failures` counts them) a notice goes out, `once` a day.

    One statement, whatever it does: wrong codes cost as much as before.
    """
    await conn.one(
        _REFUSED,
        failures=failures,
        account_id=account_id,
        now=now,
        **charge_values([once]),
        **audit_values(event, account_id=account_id, client_id=client_id),
        **notice,
    )
