"""The outbox: rows to send, claimed by one sender at a time under a lease; and what became of each try."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
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
from sqlalchemy.dialects.postgresql import JSONB

from idp.store.engine import Conn, Statement
from idp.store.schema import Time, authenticator, message, message_attempt

CHANNEL = "stile_message"
LEASE = timedelta(seconds=20)
MOST_TRIES = 3

_now = bindparam("now", type_=Time)
_m = message.c


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A claimed message: what to say (`kind`, `fields`), how to derive its code, and the sealed number it goes to."""

    id: UUID
    account_id: UUID
    authenticator_id: UUID
    kind: str
    fields: dict[str, Any]
    locale: str | None
    created_at: datetime
    expires_at: datetime
    sealed_number: bytes | None = field(repr=False)
    nonce: bytes | None = field(repr=False)
    key_id: str | None
    purpose: str | None
    state: str
    tries: int


_COLUMNS = (
    _m.id,
    _m.account_id,
    _m.authenticator_id,
    _m.kind,
    _m.fields,
    _m.locale,
    _m.created_at,
    _m.expires_at,
    authenticator.c.sealed,
    _m.nonce,
    _m.key_id,
    _m.purpose,
    _m.state,
    _m.tries,
)

_due = (
    select(_m.id)
    .where(
        _m.state == literal_column("'waiting'"),
        _m.tries < literal_column(str(MOST_TRIES)),
        or_(_m.lease_until.is_(None), _m.lease_until <= _now),
        _m.expires_at > _now,
    )
    .order_by(_m.created_at)
    .limit(1)
    .with_for_update(skip_locked=True)
    .cte("due")
)
_claimed = (
    update(message)
    .where(_m.id == _due.c.id)
    .values(lease_until=_now + literal_column(f"interval '{LEASE.total_seconds():.0f} s'"), tries=_m.tries + 1)
    .returning(message)
    .cte("claimed")
)
_attempt = (
    insert(message_attempt)
    .from_select(
        ["id", "message_id", "gateway", "started_at"],
        select(
            bindparam("attempt_id", type_=Uuid),
            _claimed.c.id,
            # the next gateway for each try, around and around; a name holds no comma
            func.split_part(
                bindparam("gateways", type_=Text),
                literal_column("','", Text),
                func.mod(_claimed.c.tries - literal_column("1", Integer), bindparam("gateway_count", type_=Integer))
                + literal_column("1", Integer),
            ),
            _now,
        ),
    )
    .returning(message_attempt.c.id)
    .cte("attempt")
)
_CLAIM = Statement(
    select(*(_claimed.c[column.name] if column.table is message else column for column in _COLUMNS))
    .select_from(_claimed.join(authenticator, authenticator.c.id == _claimed.c.authenticator_id))
    .add_cte(_attempt)
)


async def claim(conn: Conn, *, attempt_id: UUID, gateways: Sequence[str], now: datetime) -> Outgoing | None:
    """Take the oldest waiting message under a lease and record the try, before anything is sent. None if there is none.

    Try number N goes to gateway number N of the list, which begins again after its end; see `Outgoing.tries`.
    A sender that dies leaves the lease to run out; then one other takes the message over.
    """
    row = await conn.one(
        _CLAIM, attempt_id=attempt_id, gateways=",".join(gateways), gateway_count=len(gateways), now=now
    )
    return None if row is None else Outgoing(*row)


_done = (
    update(message_attempt)
    .where(message_attempt.c.id == bindparam("attempt_id", type_=Uuid))
    .values(
        finished_at=_now,
        outcome=bindparam("outcome"),
        reason=bindparam("reason"),
        provider_code=bindparam("provider_code"),
        provider_id=bindparam("provider_id"),
        segments=bindparam("segments"),
        cost=bindparam("cost"),
        currency=bindparam("currency"),
    )
    .returning(message_attempt.c.message_id)
    .cte("done")
)
_MARK = Statement(
    update(message)
    .where(_m.id == _done.c.message_id)
    .values(
        state=case(
            # A slow try may end after another sender took over: what was sent stays sent.
            (_m.state != literal_column("'waiting'"), _m.state),
            (bindparam("sent", type_=Boolean), literal_column("'sent'")),
            (
                or_(bindparam("final", type_=Boolean), _m.tries >= literal_column(str(MOST_TRIES))),
                literal_column("'failed'"),
            ),
            else_=literal_column("'waiting'"),
        ),
        lease_until=bindparam("again_at", type_=Time),
    )
    .returning(_m.state)
)


async def mark(
    conn: Conn,
    *,
    attempt_id: UUID,
    outcome: str,
    sent: bool,
    final: bool,
    now: datetime,
    again_at: datetime | None = None,
    reason: str | None = None,
    provider_code: str | None = None,
    provider_id: str | None = None,
    segments: int | None = None,
    cost: str | None = None,
    currency: str | None = None,
) -> str | None:
    """Write down how a try ended; the message's state afterwards: sent, failed, or waiting (then until `again_at`)."""
    row = await conn.one(
        _MARK,
        attempt_id=attempt_id,
        outcome=outcome,
        sent=sent,
        final=final,
        now=now,
        again_at=again_at,
        reason=reason,
        provider_code=provider_code,
        provider_id=provider_id,
        segments=segments,
        cost=cost,
        currency=currency,
    )
    return None if row is None else str(row[0])


_NOTICE = Statement(
    insert(message)
    .from_select(
        ["id", "account_id", "authenticator_id", "kind", "fields", "locale", "created_at", "expires_at"],
        select(
            func.gen_random_uuid(),
            authenticator.c.account_id,
            authenticator.c.id,
            bindparam("kind", type_=Text),
            bindparam("fields", type_=JSONB),
            bindparam("locale", type_=Text),
            _now,
            bindparam("expires_at", type_=Time),
        ).where(
            and_(
                authenticator.c.account_id == bindparam("account_id", type_=Uuid),
                authenticator.c.factor == literal_column("'sms'"),
                authenticator.c.confirmed_at.is_not(None),
                or_(authenticator.c.closed_at.is_(None), authenticator.c.id == bindparam("also", type_=Uuid)),
            )
        ),
    )
    .returning(_m.id, func.pg_notify(CHANNEL, ""))
)


async def notice(
    conn: Conn,
    *,
    account_id: UUID,
    kind: str,
    fields: dict[str, Any],
    locale: str | None,
    now: datetime,
    expires_at: datetime,
    also: UUID | None = None,
) -> int:
    """Put a notice to every phone of a person into the outbox (and to the closed phone `also`); how many."""
    return len(
        await conn.all(
            _NOTICE,
            account_id=account_id,
            kind=kind,
            fields=fields,
            locale=locale,
            now=now,
            expires_at=expires_at,
            also=also,
        )
    )


_RECENT = Statement(
    select(*_COLUMNS)
    .select_from(message.join(authenticator, authenticator.c.id == _m.authenticator_id))
    .where(_m.created_at > bindparam("since", type_=Time), _m.state == literal_column("'sent'"))
    .order_by(_m.created_at.desc(), _m.id)
    .limit(50)
)


async def recent(conn: Conn, *, since: datetime) -> Sequence[Outgoing]:
    """What was sent lately, newest first, at most 50: for the development inbox."""
    return [Outgoing(*row) for row in await conn.all(_RECENT, since=since)]


_STATE = Statement(
    select(_m.state, _m.created_at)
    .where(_m.interaction_id == bindparam("interaction_id", type_=Uuid))
    .order_by(_m.created_at.desc())
    .limit(1)
)


async def state_of(conn: Conn, *, interaction_id: UUID) -> tuple[str, datetime] | None:
    """State and time of the latest message of an interaction, for the waiting page."""
    row = await conn.one(_STATE, interaction_id=interaction_id)
    return None if row is None else (row[0], row[1])


_AGE = Statement(
    select(func.count(), func.min(_m.created_at)).where(_m.state == literal_column("'waiting'"), _m.expires_at > _now)
)


async def backlog(conn: Conn, *, now: datetime) -> tuple[int, datetime | None]:
    """How many messages wait, and since when the oldest does."""
    row = await conn.one(_AGE, now=now)
    return (int(row[0]), row[1]) if row else (0, None)
