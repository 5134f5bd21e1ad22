"""Sending under a lease: claim a message, write down each try before it is made and how it ended, let go.

A lease is taken by one sender at a time, and whatever it writes later holds only while the lease is still its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from idp.audit import Event
from idp.model import Swap
from idp.store.audits import audit_values, audited
from idp.store.breakers import NOWHERE, blocked
from idp.store.challenges import RESEND_MARGIN
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.messages import COLUMNS, Outgoing, Try
from idp.store.schema import Time, account, authenticator, message, message_attempt
from idp.store.swaps import noting
from idp.store.untold import holding_from
from idp.store.wanted import wanted

LEASE = timedelta(seconds=20)
MARGIN = RESEND_MARGIN  # nothing is sent that expires sooner

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_m = message.c
_one = literal_column("1", Integer)
_waiting = literal_column("'waiting'", Text)
_leased: ColumnElement[datetime] = bindparam("leased", type_=Time)
_in_time = _m.expires_at > _now + literal_column(f"interval '{MARGIN.total_seconds():.0f} s'")

_due = (
    select(_m.id)
    .where(
        _m.state == _waiting,
        _m.lease_until <= _now,
        _in_time,
        _m.channel == func.any(bindparam("channels", type_=ARRAY(Text))),
    )
    .order_by(_m.lease_until, _m.created_at)
    .limit(_one)
    .with_for_update(skip_locked=True)
    .cte("due")
)
_claimed = update(message).where(_m.id == _due.c.id).values(lease_until=_leased).returning(message).cte("claimed")
_tried = (
    select(
        func.jsonb_agg(
            aggregate_order_by(
                func.jsonb_build_array(message_attempt.c.gateway, message_attempt.c.outcome, message_attempt.c.reason),
                message_attempt.c.started_at,
            )
        )
    )
    .where(message_attempt.c.message_id == _claimed.c.id)
    .scalar_subquery()
)
_CLAIM = Statement(
    select(
        *(_claimed.c[column.name] if column.table is message else column for column in COLUMNS),
        _claimed.c.lease_until,
        _tried,
        blocked(_now),
        wanted(_claimed),
    ).select_from(
        _claimed.join(account, account.c.id == _claimed.c.account_id).outerjoin(
            authenticator, authenticator.c.id == _claimed.c.authenticator_id
        )
    )
)


async def claim(conn: Conn, *, channels: Sequence[str], now: datetime) -> Outgoing | None:
    """Take a waiting message of these channels under a lease, those first that nobody had yet. None if there is none.

    A sender that dies leaves the lease to run out; then one other takes the message over.
    """
    row = await conn.one(_CLAIM, channels=list(channels), now=now, leased=now + LEASE)
    if row is None:
        return None
    *fields, lease, tries, closed, is_wanted = row
    return replace(
        Outgoing(*fields),
        lease=lease,
        tries=tuple(Try(*each) for each in tries or ()),
        blocked=tuple((gateway, region, timedelta(seconds=float(wait))) for gateway, region, wait in closed or ()),
        wanted=is_wanted,
    )


def _ours() -> ColumnElement[bool]:
    return and_(
        _m.id == bindparam("message_id", type_=Uuid),
        _m.state == _waiting,
        _m.lease_until == bindparam("lease", type_=Time),
        _m.lease_until > _now,
    )


_begun = (
    update(message)
    .where(_ours(), _in_time, _m.tries < bindparam("most", type_=Integer))
    .values(
        tries=_m.tries + _one,
        region=bindparam("region", type_=Text),
        lease_until=_leased,
        swap=func.coalesce(bindparam("swap", type_=Text), _m.swap),
    )
    .returning(_m.id, _m.lease_until, _m.interaction_id, _m.authenticator_id, _m.nonce)
    .cte("begun")
)
_attempt = (
    insert(message_attempt)
    .from_select(
        ["id", "message_id", "gateway", "region", "started_at"],
        select(
            bindparam("attempt_id", type_=Uuid),
            _begun.c.id,
            bindparam("gateway", type_=Text),
            func.coalesce(bindparam("region", type_=Text), literal_column(f"'{NOWHERE}'")),
            _now,
        ),
    )
    .returning(message_attempt.c.id)
    .cte("attempt")
)
_BEGIN = Statement(select(_begun.c.lease_until).add_cte(_attempt, *noting(_begun)))


async def begin(
    conn: Conn,
    outgoing: Outgoing,
    *,
    attempt_id: UUID,
    gateway: str,
    region: str | None,
    most: int,
    now: datetime,
    swap: Swap | None = None,
) -> datetime | None:
    """Write down a try before it is made, with what is known of the SIM, and renew the lease.

    None: the message is not ours any more, or too late.
    """
    row = await conn.one(
        _BEGIN,
        message_id=outgoing.id,
        lease=outgoing.lease,
        attempt_id=attempt_id,
        gateway=gateway,
        region=region,
        most=most,
        swap=swap,
        now=now,
        leased=now + LEASE,
    )
    return None if row is None else row[0]


_END = Statement(
    update(message)
    .where(_ours())
    .values(
        state=bindparam("state", type_=Text),
        denied_by=bindparam("denied_by", type_=Text),
        region=func.coalesce(bindparam("region", type_=Text), _m.region),
        lease_until=bindparam("again_at", type_=Time),
    )
    .returning(_m.state)
)


async def put_back(conn: Conn, outgoing: Outgoing, *, region: str | None, again_at: datetime, now: datetime) -> str:
    """Let go of a claimed message until then, without a try."""
    return await _end(conn, outgoing, state="waiting", region=region, again_at=again_at, now=now)


async def give_up(conn: Conn, outgoing: Outgoing, *, region: str | None, now: datetime) -> str:
    """Nobody can send this message."""
    return await _end(conn, outgoing, state="failed", region=region, now=now)


async def drop(conn: Conn, outgoing: Outgoing, *, now: datetime) -> str:
    """Nobody waits for this message any more."""
    return await _end(conn, outgoing, state="expired", region=None, now=now)


async def deny(conn: Conn, outgoing: Outgoing, *, by: str, region: str | None, now: datetime) -> str:
    """This message must not be sent; `by` is the rule that says so."""
    return await _end(conn, outgoing, state="denied", denied_by=by, region=region, now=now)


async def _end(conn: Conn, outgoing: Outgoing, **values: datetime | str | None) -> str:
    always = {"message_id": outgoing.id, "lease": outgoing.lease, "denied_by": None, "again_at": None}
    row = await conn.one(_END, **always | values)
    return "gone" if row is None else str(row[0])


_done = (
    update(message_attempt)
    .where(message_attempt.c.id == bindparam("attempt_id", type_=Uuid), message_attempt.c.finished_at.is_(None))
    .values(
        finished_at=_now,
        outcome=bindparam("outcome"),
        reason=bindparam("reason"),
        provider_code=bindparam("provider_code"),
        # A receipt may have come before, and have told the provider's id.
        provider_id=func.coalesce(bindparam("provider_id", type_=Text), message_attempt.c.provider_id),
        segments=bindparam("segments"),
        cost=bindparam("cost"),
        currency=bindparam("currency"),
    )
    .returning(message_attempt.c.message_id)
    .cte("done")
)
_sent, _final = bindparam("sent", type_=Boolean), bindparam("final", type_=Boolean)
_still_ours = and_(_m.state == _waiting, _m.lease_until == bindparam("lease", type_=Time))
_marked = (
    update(message)
    .where(_m.id == _done.c.message_id)
    .values(
        # A slow try may end after another sender took over: what was sent stays sent, the rest is the other's to say.
        state=case(
            (_m.state != _waiting, _m.state),
            (_sent, literal_column("'sent'")),
            (and_(_still_ours, _final), literal_column("'failed'")),
            else_=_waiting,
        ),
        lease_until=case((or_(_still_ours, _sent), bindparam("again_at", type_=Time)), else_=_m.lease_until),
    )
    .returning(_m.state, _m.account_id, _m.about, _m.kind)
    .cte("marked")
)
_told = select(_marked.c.state).where(_sent).cte("told")
_audit = audited(_told, account_id=select(_marked.c.account_id).scalar_subquery())
_MARK = Statement(select(_marked.c.state).add_cte(_audit, holding_from(_marked, when=_sent, now=_now)))


async def mark(
    conn: Conn,
    *,
    attempt_id: UUID,
    lease: datetime,
    outcome: str,
    sent: bool,
    final: bool,
    now: datetime,
    audit: Event,
    again_at: datetime | None = None,
    reason: str | None = None,
    provider_code: str | None = None,
    provider_id: str | None = None,
    segments: int | None = None,
    cost: str | None = None,
    currency: str | None = None,
) -> str | None:
    """Write down how a try ended; the message's state afterwards: sent, failed, or waiting (then until `again_at`).

    What was sent is audited in the same statement, and the hold of what it is about begins with it.
    """
    row = await conn.one(
        _MARK,
        attempt_id=attempt_id,
        lease=lease,
        outcome=outcome,
        sent=sent,
        final=final,
        now=now,
        again_at=None if sent or final else again_at,
        reason=reason,
        provider_code=provider_code,
        provider_id=provider_id,
        segments=segments,
        cost=cost,
        currency=currency,
        **audit_values(audit),
    )
    return None if row is None else str(row[0])
