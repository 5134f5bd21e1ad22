"""The counters behind the spending rules: read together, booked together before sending, given back when unused.

Everything is a bucket or one row of a block, so no statement reads more for a million messages than for ten.
Locks in one order everywhere: block, money, number, region.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from idp.spending import Period
from idp.spending.table import CONVERSION_WINDOW
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.schema import (
    Time,
    authenticator,
    spending_block,
    spending_closed,
    spending_money,
    spending_number,
    spending_region,
    suppressed_number,
)

NOW: ColumnElement[datetime] = bindparam("now", type_=Time)
HOUR_AT: ColumnElement[datetime] = bindparam("hour_at", type_=Time)
PER: ColumnElement[timedelta] = bindparam("per", type_=Interval)
NUMBER: ColumnElement[bytes] = bindparam("number", type_=LargeBinary)
BLOCK: ColumnElement[bytes] = bindparam("block", type_=LargeBinary)
REGION: ColumnElement[str] = bindparam("region", type_=Text)
PHONE: ColumnElement[UUID] = bindparam("authenticator_id", type_=Uuid)
ONE = literal_column("1", Integer)
ZERO = literal_column("0", Integer)
A_DAY = literal_column(f"interval '{CONVERSION_WINDOW.total_seconds():.0f} s'", Interval)
_LONGEST = {Period.HOUR: timedelta(hours=1), Period.DAY: timedelta(days=1), Period.MONTH: timedelta(days=31)}
_n, _m = spending_number.c, spending_money.c


@dataclass(frozen=True, slots=True)
class Line:
    """The phone a message goes to: whose it is, and keyed hashes of its number and of the block around it."""

    account_id: UUID
    authenticator_id: UUID
    number: bytes
    block: bytes
    region: str
    suppressible: tuple[bytes, ...] = ()  # hashes under which it may be suppressed

    def values(self) -> dict[str, Any]:
        """What every statement here binds."""
        return {
            "account_id": self.account_id,
            "authenticator_id": self.authenticator_id,
            "number": self.number,
            "block": self.block,
            "region": self.region,
            "hashes": list(self.suppressible),
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand for one phone now."""

    suppressed: bool
    known: bool
    neighbours: int
    block_closed: bool
    region_closed: bool
    sends: int
    verified: int
    spent: Mapping[Period, Decimal]


def began(period: Period, now: datetime) -> datetime:
    """When the hour, day or month began (UTC)."""
    start = now.replace(minute=0, second=0, microsecond=0)
    match period:
        case Period.HOUR:
            return start
        case Period.DAY:
            return start.replace(hour=0)
        case Period.MONTH:
            return start.replace(hour=0, day=1)


def beginnings(now: datetime) -> dict[str, Any]:
    """The buckets of this moment, and those that come next, as the statements bind them."""
    at = {period: began(period, now) for period in Period}
    after = {period: began(period, at[period] + _LONGEST[period]) for period in Period}
    ours = {f"{period}_at": at[period] for period in Period}
    return ours | {f"{period}_next": after[period] for period in Period} | {"now": now}


def entries(numbers: ColumnElement[Any], times: ColumnElement[Any]) -> FromClause:
    """The numbers of a block with the times they were texted."""
    return (
        func.unnest(numbers, times)
        .table_valued(column("number", LargeBinary), column("at", Time))
        .render_derived(name="entry")
    )


def lately(entry: FromClause) -> ColumnElement[bool]:
    """Whether an entry is another number than this one, and still counts."""
    return and_(entry.c.at > NOW - PER, entry.c.at < NOW + PER, entry.c.number != NUMBER)


def others(numbers: ColumnElement[Any], times: ColumnElement[Any]) -> ColumnElement[int]:
    """How many other numbers of a block were texted lately and not verified since."""
    entry = entries(numbers, times)
    proved = spending_number.alias("proved")
    verified = (
        select(ONE).select_from(proved).where(proved.c.number == entry.c.number, proved.c.verified_at.is_not(None))
    )
    return select(func.count()).select_from(entry).where(lately(entry), not_(exists(verified))).scalar_subquery()


THE_ROW = _m.id == literal_column("1", SmallInteger)


def kept(period: Period, what: str, *, otherwise: ColumnElement[Any]) -> ColumnElement[Any]:
    """What the row says of this hour, day or month, or of the next one, for a clock may be a little behind.

    Nothing of later ones: after a clock that was far ahead the budget would be used up until that time came.
    """
    at = _m[f"{period}_at"]
    this = and_(at >= bindparam(f"{period}_at", type_=Time), at <= bindparam(f"{period}_next", type_=Time))
    return case((this, _m[f"{period}_{what}"]), else_=otherwise)


def spent_in(period: Period) -> ColumnElement[Decimal]:
    """What the row says was spent in this very hour, day or month; of another one, nothing."""
    return kept(period, "spent", otherwise=cast(ZERO, Numeric))


def within_a_day(hour: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether a bucket counts: those that a clock wrote that was far ahead do not."""
    return and_(hour > HOUR_AT - A_DAY, hour < HOUR_AT + A_DAY)


def _facts() -> Statement:
    phone, block, row = authenticator.c, spending_block.c, spending_region.c
    closed = spending_closed.c
    known = exists(
        select(ONE).where(
            phone.account_id == bindparam("account_id", type_=Uuid),
            phone.factor == literal_column("'sms'", Text),
            phone.last_used_at.is_not(None),
            or_(phone.id == PHONE, phone.lookup == NUMBER),
        )
    )
    # What was sent before the region was closed was judged already.
    since = and_(
        row.region == REGION,
        within_a_day(row.hour),
        not_(exists(select(ONE).where(closed.region == REGION, closed.closed_at >= row.hour))),
    )
    unsettled = (
        select(func.coalesce(func.sum(_n.sends), ZERO))
        .where(
            _n.region == REGION,
            _n.verified_at.is_not(None),
            not_(_n.settled),
            within_a_day(_n.hour),
            not_(exists(select(ONE).where(closed.region == REGION, closed.closed_at >= _n.hour))),
        )
        .scalar_subquery()
    )
    money = {
        period: select(spent_in(period)).where(THE_ROW).scalar_subquery().label(f"{period}_spent") for period in Period
    }
    return Statement(
        select(
            exists(
                select(ONE).where(suppressed_number.c.hash == func.any(bindparam("hashes", type_=ARRAY(LargeBinary))))
            ),
            known,
            select(others(block.numbers, block.times)).where(block.key == BLOCK).scalar_subquery(),
            exists(select(ONE).where(block.key == BLOCK, block.closed_until > NOW)),
            exists(select(ONE).where(closed.region == REGION, closed.closed_until > NOW)),
            select(func.coalesce(func.sum(row.sends), ZERO)).where(since).scalar_subquery(),
            select(func.coalesce(func.sum(row.verified), ZERO)).where(since).scalar_subquery() + unsettled,
            *money.values(),
        )
    )


_FACTS = _facts()


async def standing(conn: Conn, line: Line, *, per: timedelta, now: datetime) -> Standing:
    """How things stand for this phone, in one statement. `per`: how long a number counts as a neighbour."""
    row = await conn.one(_FACTS, **line.values(), **beginnings(now), per=per)
    assert row is not None
    suppressed, known, neighbours, block_closed, region_closed, sends, verified, *spent = row
    return Standing(
        suppressed=suppressed,
        known=known,
        neighbours=neighbours or 0,
        block_closed=block_closed,
        region_closed=region_closed,
        sends=int(sends),
        verified=int(verified),
        spent={period: amount or Decimal(0) for period, amount in zip(Period, spent, strict=True)},
    )


def proving(*, when: ColumnElement[bool]) -> CTE:
    """A CTE that notes that a phone which was texted is verified for the first time, if `when` holds: one row."""
    return (
        update(spending_number)
        .where(_n.authenticator_id == PHONE, _n.verified_at.is_(None), when)
        .values(verified_at=NOW)
        .returning(_n.authenticator_id)
        .cte("proving")
    )
