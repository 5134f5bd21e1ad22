"""Booking a message against the spending rules before it is sent, and giving back what was not used.

Never over a limit, however many book at once: every limit is checked again on the very row that is charged. Locks in
one order everywhere: block, money, number, region.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    Boolean,
    ColumnElement,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import array, insert

from idp.spending import Period
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.rate_limits import done
from idp.store.schema import Time, spending_block, spending_money, spending_number, spending_region
from idp.store.spending import (
    A_DAY,
    BLOCK,
    HOUR_AT,
    NOW,
    NUMBER,
    ONE,
    PER,
    PHONE,
    REGION,
    THE_ROW,
    ZERO,
    Line,
    beginnings,
    entries,
    kept,
    lately,
    others,
    spent_in,
)

_n, _m = spending_number.c, spending_money.c

PRICE: ColumnElement[Decimal] = bindparam("price", type_=Numeric)
# As text, because Core would add the table itself to the FROM of the inner SELECT.
NUMBERS: ColumnElement[Any] = literal_column("spending_block.numbers", ARRAY(LargeBinary))
TIMES: ColumnElement[Any] = literal_column("spending_block.times", ARRAY(Time))


def _kept(name: str, *, live: bool) -> ColumnElement[Any]:
    """The entries of the block less this number, and less those too old to count if only the `live` ones are wanted."""
    entry = entries(NUMBERS, TIMES)
    mine = lately(entry) if live else entry.c.number != NUMBER
    return func.array(select(entry.c[name]).where(mine).order_by(entry.c.at).scalar_subquery())


def _charge_block() -> CTE:
    """Take a place in the block, which is refused when the others have them all. Only where slots are counted."""
    given: dict[str, ColumnElement[Any]] = {
        "key": BLOCK,
        "region": REGION,
        "numbers": array([NUMBER]),
        "times": array([NOW]),
        "expires_at": NOW + PER,
    }
    most: ColumnElement[int] = bindparam("most", type_=Integer)
    closed = func.coalesce(spending_block.c.closed_until > NOW, false())
    return (
        insert(spending_block)
        .from_select(list(given), select(*given.values()).where(bindparam("slot", type_=Boolean)))
        .on_conflict_do_update(
            index_elements=[spending_block.c.key],
            set_={
                "numbers": func.array_append(_kept("number", live=True), NUMBER),
                "times": func.array_append(_kept("at", live=True), NOW),
                "expires_at": func.greatest(spending_block.c.expires_at, NOW + PER),
            },
            where=or_(most.is_(None), and_(not_(closed), others(NUMBERS, TIMES) < most)),
        )
        .returning(spending_block.c.key)
        .cte("block")
    )


def _charge_money(when: ColumnElement[bool]) -> CTE:
    """Take the price out of all three budgets, or out of none."""
    given: dict[str, ColumnElement[Any]] = {"id": literal_column("1", SmallInteger)}
    changed: dict[str, ColumnElement[Any]] = {}
    first: list[ColumnElement[bool]] = [when]
    still: list[ColumnElement[bool]] = []
    for period in Period:
        at = bindparam(f"{period}_at", type_=Time)
        cap = bindparam(f"{period}_cap", type_=Numeric)
        given |= {f"{period}_at": at, f"{period}_spent": PRICE}
        changed |= {f"{period}_{what}": kept(period, what, otherwise=new) for what, new in (("at", at), ("told", ZERO))}
        changed[f"{period}_spent"] = spent_in(period) + PRICE
        first.append(func.coalesce(cap >= PRICE, true()))
        still.append(func.coalesce(spent_in(period) + PRICE <= cap, true()))
    return (
        insert(spending_money)
        .from_select(list(given), select(*given.values()).where(*first))
        .on_conflict_do_update(index_elements=[_m.id], set_=changed, where=and_(*still))
        .returning(*(_m[f"{period}_{what}"] for period in Period for what in ("spent", "told")))
        .cte("money")
    )


def _book() -> Statement:
    slot = bindparam("slot", type_=Boolean)
    block = _charge_block()
    money = _charge_money(or_(not_(slot), exists(select(ONE).select_from(block))))
    paid = and_(slot, exists(select(ONE).select_from(money)))
    phone: dict[str, ColumnElement[Any]] = {
        "authenticator_id": PHONE,
        "number": NUMBER,
        "region": REGION,
        "hour": HOUR_AT,
        "at": NOW,
        "sends": ONE,
    }
    number = (
        insert(spending_number)
        .from_select(list(phone), select(*phone.values()).where(paid))
        .on_conflict_do_update(
            index_elements=[_n.authenticator_id],
            set_={
                "hour": HOUR_AT,
                "at": NOW,
                "sends": case((_n.at > NOW - A_DAY, _n.sends + ONE), else_=ONE),
            },
        )
        .returning(_n.authenticator_id)
        .cte("number")
    )
    bucket: dict[str, ColumnElement[Any]] = {"region": REGION, "hour": HOUR_AT, "sends": ONE}
    region = (
        insert(spending_region)
        .from_select(list(bucket), select(*bucket.values()).where(exists(select(ONE).select_from(number))))
        .on_conflict_do_update(
            index_elements=[spending_region.c.region, spending_region.c.hour],
            set_={"sends": spending_region.c.sends + ONE},
        )
        .returning(spending_region.c.region)
        .cte("bucket")
    )
    found = [select(money.c[f"{period}_{what}"]).scalar_subquery() for period in Period for what in ("spent", "told")]
    return Statement(
        select(exists(select(ONE).select_from(money)), exists(select(ONE).select_from(block)), *found).add_cte(
            block, money, number, region
        )
    )


_BOOK = _book()


@dataclass(frozen=True, slots=True)
class Booked:
    """What was taken. `spent` and `told` are those of the budgets afterwards."""

    paid: bool
    placed: bool
    spent: Mapping[Period, Decimal]
    told: Mapping[Period, int]


async def book(
    conn: Conn,
    line: Line,
    *,
    slot: bool,
    most: int | None,
    price: Decimal,
    caps: Mapping[Period, Decimal | None],
    per: timedelta,
    now: datetime,
) -> Booked:
    """Take the price and, with `slot`, a place in the block and a send of the region; none that is over its limit.

    `most`: other numbers the block may have at most; `caps`: what may be spent at most. None: no limit. Never over a
    limit, however many book at once. Where `paid` is false nothing counts but a place in the block, if `placed`.
    """
    row = await conn.one(
        _BOOK,
        **line.values(),
        **beginnings(now),
        **{f"{period}_cap": caps[period] for period in Period},
        slot=slot,
        most=most,
        price=price,
        per=per,
    )
    assert row is not None
    paid, placed, *rest = row
    return Booked(
        paid=paid,
        placed=placed,
        spent={period: rest[2 * i] or Decimal(0) for i, period in enumerate(Period)},
        told={period: rest[2 * i + 1] or 0 for i, period in enumerate(Period)},
    )


def _texted(*, beside: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the number was sent anything `beside` what is given back: to this phone, or to whoever shares it."""
    mine = _n.authenticator_id == PHONE
    sends = _n.sends > case((mine, beside), else_=ZERO)
    return exists(select(ONE).where(or_(mine, _n.number == NUMBER), sends))


def _adjust() -> Statement:
    """Change what was spent, and with `slot` give a place and a send back."""
    slot = bindparam("slot", type_=Boolean)
    difference: ColumnElement[Decimal] = bindparam("difference", type_=Numeric)
    block = (
        update(spending_block)
        .where(spending_block.c.key == BLOCK, slot, not_(_texted(beside=ONE)))
        .values(numbers=_kept("number", live=False), times=_kept("at", live=False))
        .returning(spending_block.c.key)
        .cte("block")
    )
    money = (
        update(spending_money)
        .where(THE_ROW, done(block))
        .values(
            {
                f"{period}_spent": case(
                    (
                        _m[f"{period}_at"] == bindparam(f"{period}_at", type_=Time),
                        func.greatest(cast(ZERO, Numeric), _m[f"{period}_spent"] + difference),
                    ),
                    else_=_m[f"{period}_spent"],
                )
                for period in Period
            }
        )
        .returning(_m.id)
        .cte("money")
    )
    number = (
        update(spending_number)
        .where(_n.authenticator_id == PHONE, _n.sends > ZERO, slot, done(money))
        .values(sends=_n.sends - ONE)
        .returning(_n.authenticator_id)
        .cte("number")
    )
    bucket = (
        update(spending_region)
        .where(
            spending_region.c.region == REGION,
            spending_region.c.hour == HOUR_AT,
            spending_region.c.sends > ZERO,
            exists(select(ONE).select_from(number)),
        )
        .values(sends=spending_region.c.sends - ONE)
        .returning(spending_region.c.region)
        .cte("bucket")
    )
    return Statement(select(exists(select(ONE).select_from(money))).add_cte(block, money, number, bucket))


_ADJUST = _adjust()


async def adjust(conn: Conn, line: Line, *, slot: bool, difference: Decimal, booked_at: datetime) -> None:
    """Correct a booking once the price is known, or give it back: all of it with `slot`, when nothing was sent."""
    await conn.one(_ADJUST, **line.values(), **beginnings(booked_at), slot=slot, difference=difference)


_LEAVE = Statement(
    update(spending_block)
    .where(spending_block.c.key == BLOCK, not_(_texted(beside=ZERO)))
    .values(numbers=_kept("number", live=False), times=_kept("at", live=False))
    .returning(spending_block.c.key)
)


async def leave_block(conn: Conn, line: Line) -> None:
    """Give back a place in a block that was taken for nothing: there was no money left."""
    await conn.one(_LEAVE, **line.values())
