"""Phones, apps and sets of saved codes: enrol, confirm once, close. Seeds and numbers arrive and leave sealed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Interval,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    case,
    delete,
    func,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from idp.model import Authenticator, Factor
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.schema import Time, authenticator
from idp.store.untold import AGAIN_AFTER

ENROLMENT_LIFE = timedelta(minutes=10)

_now = bindparam("now", type_=Time)
_id = bindparam("authenticator_id", type_=Uuid)
_account = bindparam("account_id", type_=Uuid)
_a = authenticator.c

_hold = bindparam("hold", type_=Interval)

_lookup = bindparam("lookup", type_=LargeBinary)
_other = authenticator.alias("other")
# Threat 9: a SIM that was seen changed is changed for everybody who is given this number.
_seen = select(func.max(_other.c.swapped_at)).where(_other.c.lookup == _lookup).scalar_subquery()
_INSERT = Statement(
    insert(authenticator)
    .values(
        {column.name: bindparam(column.name) for column in authenticator.c if column.name != "closed_at"}
        | {"lookup": _lookup, "swapped_at": _seen}
    )
    .returning(_a.id)
)


def _tell_at(since: datetime | None, hold: timedelta | None) -> datetime | None:
    return None if since is None or hold is None else since + AGAIN_AFTER


async def add(
    conn: Conn,
    new: Authenticator,
    *,
    sealed: bytes | None,
    lookup: bytes | None = None,
    session_id: UUID | None = None,
    last_step: int = 0,
) -> None:
    """Store an authenticator: confirmed, or pending for ten minutes and only in `session_id`."""
    await conn.one(
        _INSERT,
        id=new.id,
        account_id=new.account_id,
        factor=new.factor.value,
        label=new.label,
        hint=new.hint,
        sealed=sealed,
        lookup=lookup,
        created_at=new.created_at,
        confirmed_at=new.confirmed_at,
        expires_at=None if new.confirmed_at else new.created_at + ENROLMENT_LIFE,
        trusted_at=new.trusted_at,
        hold=new.hold,
        tell_at=_tell_at(new.confirmed_at, new.hold),
        enrolled_in=new.enrolled_in,
        session_id=session_id,
        last_step=last_step,
        last_used_at=new.last_used_at,
    )


_DROP_PENDING = Statement(
    delete(authenticator)
    .where(_a.account_id == _account, _a.factor == bindparam("factor", type_=Text), _a.confirmed_at.is_(None))
    .returning(_a.id)
)
_PENDING = Statement(
    select(_a.id, _a.sealed, _a.created_at, _a.hold).where(
        _a.account_id == _account,
        _a.factor == bindparam("factor", type_=Text),
        _a.session_id == bindparam("session_id", type_=Uuid),
        _a.confirmed_at.is_(None),
        _a.expires_at > _now,
    )
)
_CONFIRM = Statement(
    update(authenticator)
    .where(
        _a.id == _id,
        _a.account_id == _account,
        _a.session_id == bindparam("session_id", type_=Uuid),
        _a.confirmed_at.is_(None),
        _a.expires_at > _now,
    )
    .values(
        confirmed_at=_now,
        expires_at=None,
        label=bindparam("new_label"),
        trusted_at=bindparam("new_trusted_at"),
        hold=bindparam("new_hold"),
        tell_at=bindparam("new_tell_at"),
        last_step=bindparam("step", type_=BigInteger),
    )
    .returning(_a.id)
)


async def drop_pending(conn: Conn, *, account_id: UUID, factor: Factor) -> None:
    """Forget an enrolment that was begun and not confirmed: only the last one counts (ENR-07)."""
    await conn.all(_DROP_PENDING, account_id=account_id, factor=factor.value)


async def pending(
    conn: Conn, *, account_id: UUID, session_id: UUID, factor: Factor, now: datetime
) -> tuple[UUID, bytes, datetime, timedelta | None] | None:
    """Id, sealed secret, start and hold of the enrolment begun in this session, if it is still open."""
    row = await conn.one(_PENDING, account_id=account_id, session_id=session_id, factor=factor.value, now=now)
    return None if row is None else (row[0], row[1], row[2], row[3])


async def confirm(
    conn: Conn,
    *,
    authenticator_id: UUID,
    account_id: UUID,
    session_id: UUID,
    label: str,
    hold: timedelta | None,
    step: int,
    now: datetime,
) -> bool:
    """Confirm an enrolment in the session that began it. True for exactly one caller. `step` cannot be used again.

    Without a `hold` it is trusted from now on, else when its owner was told of it and the hold is over.
    """
    row = await conn.one(
        _CONFIRM,
        authenticator_id=authenticator_id,
        account_id=account_id,
        session_id=session_id,
        new_label=label,
        new_trusted_at=now if hold is None else None,
        new_hold=hold,
        new_tell_at=_tell_at(now, hold),
        step=step,
        now=now,
    )
    return row is not None


_SEALED = Statement(
    select(_a.id, _a.sealed, _a.last_step)
    .where(
        _a.account_id == _account,
        _a.factor == bindparam("factor", type_=Text),
        _a.confirmed_at.is_not(None),
        _a.closed_at.is_(None),
    )
    .order_by(_a.created_at.desc())
)


async def sealed(conn: Conn, *, account_id: UUID, factor: Factor) -> Sequence[tuple[UUID, bytes, int]]:
    """Id, sealed secret and last accepted step of every usable authenticator of a kind, newest first."""
    rows = await conn.all(_SEALED, account_id=account_id, factor=factor.value)
    return [(id_, secret, step) for id_, secret, step in rows]


_CLOSE = Statement(
    update(authenticator)
    .where(_a.id == _id, _a.account_id == _account, _a.closed_at.is_(None), _a.confirmed_at.is_not(None))
    .values(
        closed_at=_now,
        trusted_at=case((_hold.is_(None), func.coalesce(_a.trusted_at, _now))),
        hold=_hold,
        tell_at=bindparam("tell_at", type_=Time),
    )
    .returning(_a.factor)
)
_CLOSE_KIND = Statement(
    update(authenticator)
    .where(
        _a.account_id == _account,
        _a.factor == bindparam("factor", type_=Text),
        _a.closed_at.is_(None),
        _a.confirmed_at.is_not(None),
        _a.id.is_distinct_from(bindparam("keep", type_=Uuid)),
    )
    .values(closed_at=_now, trusted_at=func.coalesce(_a.trusted_at, _now), hold=null(), tell_at=null())
    .returning(_a.id)
)
_RENAME = Statement(
    update(authenticator)
    .where(_a.id == _id, _a.account_id == _account, _a.closed_at.is_(None), _a.confirmed_at.is_not(None))
    .values(label=bindparam("new_label"))
    .returning(_a.id)
)


async def close(
    conn: Conn, *, authenticator_id: UUID, account_id: UUID, now: datetime, hold: timedelta | None = None
) -> Factor | None:
    """Close one. Its factor for exactly one caller, None if it was not open.

    `hold`: for how long, from when its owner was told of it, nothing that replaces it may count at once.
    """
    row = await conn.one(
        _CLOSE,
        authenticator_id=authenticator_id,
        account_id=account_id,
        hold=hold,
        tell_at=_tell_at(now, hold),
        now=now,
    )
    return None if row is None else Factor(row[0])


async def close_kind(
    conn: Conn, *, account_id: UUID, factor: Factor, now: datetime, keep: UUID | None = None
) -> Sequence[UUID]:
    """Close all of a kind but `keep`; their ids."""
    rows = await conn.all(_CLOSE_KIND, account_id=account_id, factor=factor.value, keep=keep, now=now)
    return [row[0] for row in rows]


async def rename(conn: Conn, *, authenticator_id: UUID, account_id: UUID, label: str) -> bool:
    """Change what a person calls one of theirs."""
    row = await conn.one(_RENAME, authenticator_id=authenticator_id, account_id=account_id, new_label=label)
    return row is not None
