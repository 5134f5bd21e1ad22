"""What the spending rules denied or would have denied, what they closed, and the figures that people look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    LargeBinary,
    SmallInteger,
    Text,
    bindparam,
    case,
    cast,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import array, insert

from idp.audit import BudgetReached, CountryClosed, MessageDenied
from idp.spending import Period
from idp.store.audits import audit_values, audited
from idp.store.batches import among
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.schema import (
    Time,
    spending_block,
    spending_closed,
    spending_denied,
    spending_money,
    spending_number,
    spending_region,
)
from idp.store.spending import BLOCK, HOUR_AT, NOW, ONE, REGION, THE_ROW, ZERO, Line, beginnings, spent_in, within_a_day

_n, _d, _m, _r = spending_number.c, spending_denied.c, spending_money.c, spending_region.c
_until: ColumnElement[datetime] = bindparam("until", type_=Time)


def _record() -> Statement:
    row: dict[str, ColumnElement[Any]] = {
        "hour": HOUR_AT,
        "rule": bindparam("rule", type_=Text),
        "mode": bindparam("mode", type_=Text),
        "region": REGION,
        "count": ONE,
    }
    counted = (
        insert(spending_denied)
        .from_select(list(row), select(*row.values()))
        .on_conflict_do_update(index_elements=[_d.hour, _d.rule, _d.mode, _d.region], set_={"count": _d.count + ONE})
        .returning(_d.count)
        .cte("counted")
    )
    return Statement(select(counted.c.count).add_cte(audited(counted)))


_RECORD = _record()


async def record(conn: Conn, line: Line, event: MessageDenied, *, now: datetime) -> None:
    """Count a denial, real or of a shadow rule, and write it into the audit trail."""
    values = line.values() | beginnings(now) | audit_values(event, account_id=line.account_id)
    await conn.one(_RECORD, **values, rule=event.rule, mode=event.mode)


def _close_block() -> Statement:
    none = cast(array([], type_=LargeBinary), ARRAY(LargeBinary))
    never = cast(array([], type_=Time), ARRAY(Time))
    row: dict[str, ColumnElement[Any]] = {
        "key": BLOCK,
        "region": REGION,
        "numbers": none,
        "times": never,
        "closed_until": _until,
        "expires_at": _until,
    }
    block = spending_block.c
    return Statement(
        insert(spending_block)
        .from_select(list(row), select(*row.values()))
        .on_conflict_do_update(
            index_elements=[block.key],
            set_={"closed_until": _until, "expires_at": func.greatest(block.expires_at, _until)},
            where=or_(block.closed_until.is_(None), block.closed_until <= NOW),
        )
        .returning(block.key)
    )


_CLOSE_BLOCK = _close_block()


async def close_block(conn: Conn, line: Line, *, until: datetime, now: datetime) -> None:
    """Close a block of numbers to those that were never verified. One that is closed stays so, no longer."""
    await conn.one(_CLOSE_BLOCK, **line.values(), until=until, now=now)


def _close_region() -> Statement:
    closed = spending_closed.c
    row: dict[str, ColumnElement[Any]] = {"region": REGION, "closed_at": NOW, "closed_until": _until}
    done = (
        insert(spending_closed)
        .from_select(list(row), select(*row.values()))
        .on_conflict_do_update(
            index_elements=[closed.region],
            set_={"closed_at": NOW, "closed_until": _until},
            where=closed.closed_until <= NOW,
        )
        .returning(closed.region)
        .cte("closed")
    )
    return Statement(select(done.c.region).add_cte(audited(done)))


_CLOSE_REGION = _close_region()


async def close_region(conn: Conn, event: CountryClosed, *, until: datetime, now: datetime) -> bool:
    """Close a region to never-verified numbers. True for the one who did, and wrote it into the audit trail."""
    values = audit_values(event)
    return await conn.one(_CLOSE_REGION, **values, region=event.region, until=until, now=now) is not None


def _tell(period: Period) -> Statement:
    at, told = _m[f"{period}_at"], _m[f"{period}_told"]
    level: ColumnElement[int] = bindparam("level", type_=SmallInteger)
    first = (
        update(spending_money)
        .where(at == bindparam(f"{period}_at", type_=Time), told < level)
        .values({told.name: level})
        .returning(_m.id)
        .cte("first")
    )
    return Statement(select(first.c.id).add_cte(audited(first)))


_TELL = {period: _tell(period) for period in Period}


async def tell(conn: Conn, event: BudgetReached, *, level: int, now: datetime) -> bool:
    """True for exactly one caller for each level of a budget in each of its periods; then it is in the audit trail."""
    values = beginnings(now) | audit_values(event)
    return await conn.one(_TELL[Period(event.period)], **values, level=level) is not None


def _settle() -> Statement:
    """Numbers that were verified since are added to their region's bucket, each once."""
    those = select(_n.authenticator_id).where(_n.verified_at.is_not(None), not_(_n.settled))
    settled = (
        update(spending_number)
        .where(among(_n.authenticator_id, those))
        .values(settled=True)
        .returning(_n.region, _n.hour, _n.sends)
        .cte("settled")
    )
    sums = (
        select(settled.c.region, settled.c.hour, func.sum(settled.c.sends), func.sum(settled.c.sends))
        .group_by(settled.c.region, settled.c.hour)
        # two sweepers take the buckets in the same order
        .order_by(settled.c.region, settled.c.hour)
    )
    upsert = insert(spending_region).from_select(["region", "hour", "sends", "verified"], sums)
    added = (
        upsert.on_conflict_do_update(
            index_elements=[_r.region, _r.hour], set_={"verified": _r.verified + upsert.excluded.verified}
        )
        .returning(_r.region)
        .cte("added")
    )
    return Statement(select(select(func.count()).select_from(settled).scalar_subquery()).add_cte(added))


_SETTLE = _settle()


async def settle(conn: Conn) -> int:
    """Add at most one batch of verified numbers to the buckets; how many."""
    row = await conn.one(_SETTLE)
    return int(row[0]) if row else 0


@dataclass(frozen=True, slots=True)
class Denials:
    """So often a rule denied in a region, or would have (`mode` is shadow)."""

    rule: str
    mode: str
    region: str
    count: int


_DENIED = Statement(
    select(_d.rule, _d.mode, _d.region, func.sum(_d.count))
    .where(_d.hour > bindparam("since", type_=Time))
    .group_by(_d.rule, _d.mode, _d.region)
    .order_by(_d.rule, _d.mode, func.sum(_d.count).desc(), _d.region)
)


async def since(conn: Conn, *, since: datetime) -> Sequence[Denials]:
    """What was denied, by rule, mode and region."""
    return [Denials(rule, mode, region, int(n)) for rule, mode, region, n in await conn.all(_DENIED, since=since)]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Codes to never-verified numbers of a region in 24 hours, how many were verified, and until when it is closed."""

    region: str
    sends: int
    verified: int
    closed_until: datetime | None


def _traffic() -> Statement:
    unsettled = (
        select(_n.region, func.sum(_n.sends).label("verified"))
        .where(_n.verified_at.is_not(None), not_(_n.settled), within_a_day(_n.hour))
        .group_by(_n.region)
        .cte("unsettled")
    )
    buckets = (
        select(_r.region, func.sum(_r.sends).label("sends"), func.sum(_r.verified).label("verified"))
        .where(within_a_day(_r.hour))
        .group_by(_r.region)
        .cte("buckets")
    )
    closed = spending_closed.c
    return Statement(
        select(
            buckets.c.region,
            buckets.c.sends,
            buckets.c.verified + func.coalesce(unsettled.c.verified, ZERO),
            case((closed.closed_until > NOW, closed.closed_until)),
        )
        .select_from(
            buckets.outerjoin(unsettled, unsettled.c.region == buckets.c.region).outerjoin(
                spending_closed, closed.region == buckets.c.region
            )
        )
        .order_by(buckets.c.region)
    )


_TRAFFIC = _traffic()
_SPENT = Statement(select(*(spent_in(period).label(f"{period}_spent") for period in Period)).where(THE_ROW))
_CLOSED_BLOCKS = Statement(select(func.count()).select_from(spending_block).where(spending_block.c.closed_until > NOW))


async def traffic(conn: Conn, *, now: datetime) -> Sequence[Traffic]:
    """What never-verified numbers were sent, by region."""
    rows = await conn.all(_TRAFFIC, **beginnings(now))
    return [Traffic(region, int(sends), int(verified), until) for region, sends, verified, until in rows]


async def spent(conn: Conn, *, now: datetime) -> Mapping[Period, Decimal]:
    """What was spent in this hour, day and month."""
    row = await conn.one(_SPENT, **beginnings(now))
    return dict(zip(Period, row or (Decimal(0),) * len(Period), strict=True))


async def closed_blocks(conn: Conn, *, now: datetime) -> int:
    """How many blocks of numbers are closed."""
    row = await conn.one(_CLOSED_BLOCKS, now=now)
    return int(row[0]) if row else 0
