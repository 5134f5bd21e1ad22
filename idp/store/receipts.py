"""What providers report after they took a message. It only moves forward, by one UPDATE, in whatever order it comes."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, and_, bindparam, case, func, literal_column, or_, select, update

from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.schema import Time, authenticator, message, message_attempt
from idp.store.untold import holding_from

_a, _m = message_attempt.c, message.c
_status: ColumnElement[str] = bindparam("status", type_=Text)
_provider_id: ColumnElement[str] = bindparam("provider_id", type_=Text)


@dataclass(frozen=True, slots=True)
class Reported:
    """A receipt that told something new, and the phone it is about (none for mail)."""

    message_id: UUID
    account_id: UUID
    authenticator_id: UUID | None
    sealed_number: bytes | None = field(repr=False)


def _progress(status: ColumnElement[str]) -> ColumnElement[int]:
    """The order of `idp.sms.latest`: what is final stays, nothing goes back."""
    known = {"unknown": 0, "queued": 1, "sent": 2}
    return case(
        (status.is_(None), literal_column("-1")),
        *((status == literal_column(f"'{name}'"), literal_column(str(rank))) for name, rank in known.items()),
        else_=literal_column("3"),
    )


_reported = (
    update(message_attempt)
    .where(
        _a.id == bindparam("attempt_id", type_=Uuid),
        _a.gateway == bindparam("gateway", type_=Text),
        # It may be early, and tell us the provider's name for the message before the provider's answer does.
        or_(_a.provider_id.is_(None), _a.provider_id == _provider_id),
        _progress(_status) > _progress(_a.delivery),
    )
    .values(
        delivery=_status,
        delivery_reason=bindparam("reason", type_=Text),
        delivery_code=bindparam("provider_code", type_=Text),
        delivery_at=bindparam("now", type_=Time),
        provider_id=func.coalesce(_a.provider_id, _provider_id),
    )
    .returning(_a.message_id)
    .cte("reported")
)
_taken = _status.in_([literal_column(f"'{each}'") for each in ("queued", "sent", "delivered")])
# Who sent it may have died before writing that down, or have waited in vain for the answer: one is enough.
_sent = (
    update(message)
    .where(
        and_(
            _m.id == _reported.c.message_id,
            _m.state == literal_column("'waiting'"),
            _taken,
        )
    )
    .values(state="sent", lease_until=None)
    .returning(_m.id)
    .cte("taken")
)
_heard = select(_m.about, _m.kind).where(_m.id == _reported.c.message_id).cte("heard")
_REPORT = Statement(
    select(_m.id, _m.account_id, _m.authenticator_id, authenticator.c.sealed)
    .select_from(
        _reported.join(message, _m.id == _reported.c.message_id).outerjoin(
            authenticator, authenticator.c.id == _m.authenticator_id
        )
    )
    .add_cte(_sent, holding_from(_heard, when=_taken, now=bindparam("now", type_=Time)))
)


async def report(
    conn: Conn,
    *,
    attempt_id: UUID,
    gateway: str,
    provider_id: str,
    status: str,
    reason: str | None,
    provider_code: str | None,
    now: datetime,
) -> Reported | None:
    """Note a receipt. None when there is no such try of this gateway, or nothing new is told."""
    row = await conn.one(
        _REPORT,
        attempt_id=attempt_id,
        gateway=gateway,
        provider_id=provider_id,
        status=status,
        reason=reason,
        provider_code=provider_code,
        now=now,
    )
    return None if row is None else Reported(*row)
