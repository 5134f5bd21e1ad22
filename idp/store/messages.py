"""The outbox: notices that are put into it, and what is read of its messages. Sending them is in `leases`.

Codes are put into it with their question, in `challenges`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from idp.store.challenges import MESSAGE_CHANNEL
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.schema import Time, account, authenticator, message, message_attempt

CHANNEL = MESSAGE_CHANNEL

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_m = message.c


@dataclass(frozen=True, slots=True)
class Try:
    """A call of a provider for a message. No outcome: it is being made, or nobody lived to write down how it ended."""

    gateway: str
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message: what to say (`kind`, `fields`), how to derive its code, and where it goes.

    `sealed_number` for a text message, `email` for mail. `swapped_at` is when the phone's SIM was last seen changed.
    `lease` proves to the statements below that it is still ours. `wanted`: a code that could still be used.
    """

    id: UUID
    account_id: UUID
    authenticator_id: UUID | None
    channel: str
    kind: str
    fields: dict[str, Any]
    locale: str | None
    created_at: datetime
    expires_at: datetime
    sealed_number: bytes | None = field(repr=False)
    email: str | None = field(repr=False)
    nonce: bytes | None = field(repr=False)
    key_id: str | None
    purpose: str | None
    swapped_at: datetime | None = None
    lease: datetime | None = None
    tries: tuple[Try, ...] = ()
    blocked: tuple[tuple[str, str, timedelta], ...] = ()
    wanted: bool = True


COLUMNS = (
    _m.id,
    _m.account_id,
    _m.authenticator_id,
    _m.channel,
    _m.kind,
    _m.fields,
    _m.locale,
    _m.created_at,
    _m.expires_at,
    authenticator.c.sealed,
    account.c.email,
    _m.nonce,
    _m.key_id,
    _m.purpose,
    authenticator.c.swapped_at,
)
# An e-mail message belongs to no phone.
JOINED = message.join(account, account.c.id == _m.account_id).outerjoin(
    authenticator, authenticator.c.id == _m.authenticator_id
)

_TEXTED = and_(
    authenticator.c.account_id == bindparam("account_id", type_=Uuid),
    authenticator.c.factor == literal_column("'sms'"),
    authenticator.c.confirmed_at.is_not(None),
    or_(authenticator.c.closed_at.is_(None), authenticator.c.id == bindparam("also", type_=Uuid)),
)
_MAILED = and_(
    account.c.id == bindparam("account_id", type_=Uuid), account.c.email.is_not(None), bindparam("mail", type_=Boolean)
)
_where_to = union_all(
    select(authenticator.c.account_id, authenticator.c.id, literal_column("'sms'", Text).label("channel")).where(
        _TEXTED
    ),
    select(account.c.id, cast(null(), Uuid), literal_column("'email'", Text)).where(_MAILED),
).subquery("where_to")


def noticing(*, when: ColumnElement[bool] | None = None) -> CTE:
    """A CTE that puts a notice to every channel of a person into the outbox, if `when` holds. See `notice`."""
    what = {
        "id": func.gen_random_uuid(),
        **dict(zip(("account_id", "authenticator_id", "channel"), _where_to.c, strict=True)),
        "kind": bindparam("kind", type_=Text),
        "fields": bindparam("fields", type_=JSONB),
        "locale": bindparam("locale", type_=Text),
        "created_at": _now,
        "expires_at": bindparam("expires_at", type_=Time),
        "about": bindparam("about", type_=Uuid),
    }
    rows = select(*what.values())
    made = insert(message).from_select(list(what), rows if when is None else rows.where(when))
    return made.returning(_m.id).cte("noticed")


_noticed = noticing()
_NOTICE = Statement(select(_noticed.c.id, func.pg_notify(CHANNEL, "")).select_from(_noticed))


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
    mail: bool = False,
    about: UUID | None = None,
) -> int:
    """Put a notice to every phone of a person into the outbox (and to the closed phone `also`); how many.

    With `mail` one goes to the e-mail address too, if there is one. The hold of the authenticator that it is `about`
    begins when a provider took it (`untold`).
    """
    rows = await conn.all(
        _NOTICE,
        account_id=account_id,
        kind=kind,
        fields=fields,
        locale=locale,
        now=now,
        expires_at=expires_at,
        also=also,
        mail=mail,
        about=about,
    )
    return len(rows)


_RECENT = Statement(
    select(*COLUMNS)
    .select_from(JOINED)
    .where(_m.created_at > bindparam("since", type_=Time), _m.state == literal_column("'sent'"))
    .order_by(_m.created_at.desc(), _m.id)
    .limit(50)
)


async def recent(conn: Conn, *, since: datetime) -> Sequence[Outgoing]:
    """What was sent lately, newest first, at most 50: for the development inbox."""
    return [Outgoing(*row) for row in await conn.all(_RECENT, since=since)]


_a = message_attempt.c
_reported = (
    select(_a.delivery)
    .where(_a.message_id == _m.id, _a.delivery.is_not(None))
    # One of two tries that arrived is enough.
    .order_by((_a.delivery == literal_column("'delivered'")).desc(), _a.started_at.desc())
    .limit(1)
    .scalar_subquery()
)
_STATE = Statement(
    select(_m.state, _m.created_at, _m.expires_at, _reported, _m.denied_by)
    .where(_m.interaction_id == bindparam("interaction_id", type_=Uuid), _m.channel == bindparam("channel", type_=Text))
    .order_by(_m.created_at.desc())
    .limit(1)
)


async def state_of(
    conn: Conn, *, interaction_id: UUID, channel: str = "sms"
) -> tuple[str, datetime, datetime, str | None, str | None] | None:
    """The latest message of an interaction: state, when asked for and expiring, what receipts tell, who denied it."""
    row = await conn.one(_STATE, interaction_id=interaction_id, channel=channel)
    return None if row is None else (row[0], row[1], row[2], row[3], row[4])


@dataclass(frozen=True, slots=True)
class Logged:
    """A message of one person and one try to send it; without a gateway none was made."""

    message: Outgoing
    state: str
    denied_by: str | None
    swap: str | None
    gateway: str | None
    region: str | None
    started_at: datetime | None
    outcome: str | None
    reason: str | None
    provider_id: str | None
    provider_code: str | None
    delivery: str | None
    delivery_reason: str | None
    delivery_at: datetime | None
    segments: int | None
    cost: str | None
    currency: str | None


_latest = (
    select(_m.id)
    .where(_m.account_id == bindparam("account_id", type_=Uuid))
    .order_by(_m.created_at.desc(), _m.id)
    .limit(bindparam("limit", type_=Integer))
    .cte("latest")
)
_TRIED = (
    _a.gateway,
    func.coalesce(_a.region, _m.region),
    _a.started_at,
    _a.outcome,
    _a.reason,
    _a.provider_id,
    _a.provider_code,
    _a.delivery,
    _a.delivery_reason,
    _a.delivery_at,
    _a.segments,
    _a.cost,
    _a.currency,
)
_LOG = Statement(
    select(*COLUMNS, _m.state, _m.denied_by, _m.swap, *_TRIED)
    .select_from(JOINED.join(_latest, _latest.c.id == _m.id).outerjoin(message_attempt, _a.message_id == _m.id))
    .order_by(_m.created_at.desc(), _m.id, _a.started_at.desc())
)


async def log(conn: Conn, *, account_id: UUID, limit: int) -> Sequence[Logged]:
    """The latest messages of a person, newest first, one line for each try."""
    rows = await conn.all(_LOG, account_id=account_id, limit=limit)
    width = len(COLUMNS)
    return [Logged(Outgoing(*row[:width]), *row[width:]) for row in rows]


_AGE = Statement(
    select(func.count(), func.min(_m.created_at)).where(_m.state == literal_column("'waiting'"), _m.expires_at > _now)
)


async def backlog(conn: Conn, *, now: datetime) -> tuple[int, datetime | None]:
    """How many messages wait, and since when the oldest does."""
    row = await conn.one(_AGE, now=now)
    return (int(row[0]), row[1]) if row else (0, None)
