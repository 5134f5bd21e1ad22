"""The breaker of each gateway and region: open after too many bad tries, then one probe at a time, from anywhere.

What it counts are rows of `message_attempt`, the latest hundred of five minutes at most, so history costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.schema import Time, gateway_breaker, message_attempt

EVERYWHERE = "*"  # the region of a breaker for the whole gateway, as after wrong credentials
NOWHERE = "ZZ"  # the region of what belongs to no country (CLDR: unknown)
WINDOW = timedelta(minutes=5)
OPEN_FOR = timedelta(seconds=60)
PROBE_FOR = timedelta(seconds=20)  # then another may try: the one before did not live to tell
FEWEST = 5
LATEST = 100
BAD = ("not_sent", "ambiguous", "misconfigured")

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_b, _a = gateway_breaker.c, message_attempt.c


def _span(value: timedelta) -> ColumnElement[timedelta]:
    return literal_column(f"interval '{value.total_seconds():.0f} s'")


def _n(value: int) -> ColumnElement[int]:
    return literal_column(str(value), Integer)


def blocked(now: ColumnElement[datetime]) -> ColumnElement[object]:
    """A JSON list of every open breaker: gateway, region, and the seconds until one may try it (0: now, as a probe)."""
    until = func.greatest(_b.open_until, _b.probe_until)
    wait = func.greatest(_n(0), func.extract("epoch", until - now))
    return (
        select(func.jsonb_agg(func.jsonb_build_array(_b.gateway, _b.region, wait)))
        .where(_b.open_until.is_not(None))
        .scalar_subquery()
    )


_mine = and_(
    _b.gateway == bindparam("gateway", type_=Text), _b.region == func.any(bindparam("regions", type_=ARRAY(Text)))
)
_free = (
    select(_b.region)
    .where(_mine, _b.open_until <= _now, or_(_b.probe_until.is_(None), _b.probe_until <= _now))
    .order_by(_b.region)
    .with_for_update()
    .cte("free")
)
# All or none: what was won beside what is another's would be nobody's until its time is over.
_PROBE = Statement(
    update(gateway_breaker)
    .where(
        _mine,
        _b.region.in_(select(_free.c.region)),
        select(func.count()).select_from(_free).scalar_subquery()
        == func.cardinality(bindparam("regions", type_=ARRAY(Text))),
    )
    .values(probe_until=_now + _span(PROBE_FOR))
    .returning(_b.region)
)


async def probe(conn: Conn, *, gateway: str, regions: Sequence[str], now: datetime) -> bool:
    """Become the one who tries a gateway again in all of these regions; else nothing changes.

    True for exactly one caller at a time for each region.
    """
    won = await conn.all(_PROBE, gateway=gateway, regions=list(regions), now=now)
    return {row[0] for row in won} == set(regions)


_RELEASE = Statement(
    update(gateway_breaker)
    .where(_mine, _b.open_until.is_not(None), _b.probe_until > _now)
    .values(probe_until=null())
    .returning(_b.region)
)


async def release(conn: Conn, *, gateway: str, regions: Sequence[str], now: datetime) -> None:
    """The probe was not made: another may be, at once. Only for whom `probe` chose less than `PROBE_FOR` ago."""
    await conn.all(_RELEASE, gateway=gateway, regions=list(regions), now=now)


_CLOSE = Statement(
    update(gateway_breaker)
    .where(_mine)
    .values(open_until=null(), probe_until=null(), closed_at=_now)
    .returning(_b.region)
)
_REOPEN = Statement(
    update(gateway_breaker)
    .where(_mine, _b.open_until.is_not(None))
    .values(open_until=_now + _span(OPEN_FOR), probe_until=null())
    .returning(_b.region)
)


async def close(conn: Conn, *, gateway: str, regions: Sequence[str], now: datetime) -> None:
    """The probe got an answer: use the gateway again. What was bad before counts no more."""
    await conn.all(_CLOSE, gateway=gateway, regions=list(regions), now=now)


async def reopen(conn: Conn, *, gateway: str, regions: Sequence[str], now: datetime) -> None:
    """The probe failed too: leave the gateway alone as long as before."""
    await conn.all(_REOPEN, gateway=gateway, regions=list(regions), now=now)


_gateway = bindparam("gateway", type_=Text)
_region = bindparam("region", type_=Text)
_closed_at = (
    select(func.max(_b.closed_at))
    .where(_b.gateway == _gateway, _b.region.in_([_region, literal_column(f"'{EVERYWHERE}'")]))
    .scalar_subquery()
)
_lately = (
    select(_a.outcome)
    .where(
        _a.gateway == _gateway,
        _a.region == _region,
        _a.started_at > func.greatest(_now - _span(WINDOW), _closed_at),
        _a.outcome.is_not(None),
    )
    .order_by(_a.started_at.desc())
    .limit(_n(LATEST))
    .cte("lately")
)
_bad = func.count().filter(_lately.c.outcome.in_([literal_column(f"'{each}'") for each in BAD]))
_counted = (
    select(_gateway.label("gateway"), _region.label("region"))
    .select_from(_lately)
    .having(func.count() >= _n(FEWEST), _bad * _n(2) >= func.count())
    .cte("counted")
)


def _opening(source: object) -> Statement:
    return Statement(
        insert(gateway_breaker)
        .from_select(["gateway", "region", "open_until"], source)  # type: ignore[arg-type]  # any SELECT
        .on_conflict_do_update(
            index_elements=[_b.gateway, _b.region],
            set_={"open_until": _now + _span(OPEN_FOR), "probe_until": None},
            # An open one is left to its probe.
            where=_b.open_until.is_(None),
        )
        .returning(_b.region)
    )


_COUNT = _opening(select(_counted.c.gateway, _counted.c.region, _now + _span(OPEN_FOR)))
_TRIP = _opening(select(_gateway, _region, _now + _span(OPEN_FOR)))


async def count(conn: Conn, *, gateway: str, region: str, now: datetime) -> bool:
    """After a bad try: open the breaker if half of the latest were bad. True for the caller who opened it."""
    return await conn.one(_COUNT, gateway=gateway, region=region, now=now) is not None


async def trip(conn: Conn, *, gateway: str, now: datetime) -> bool:
    """Leave a gateway alone in every region. True for the caller who opened it."""
    return await conn.one(_TRIP, gateway=gateway, region=EVERYWHERE, now=now) is not None


@dataclass(frozen=True, slots=True)
class Breaker:
    """How one breaker stands: `state` is open, probing, half-open (the next message tries) or closed."""

    gateway: str
    region: str
    state: str
    open_until: datetime | None


_STATES = Statement(
    select(
        _b.gateway,
        _b.region,
        case(
            (_b.open_until.is_(None), literal_column("'closed'")),
            (_b.open_until > _now, literal_column("'open'")),
            (_b.probe_until > _now, literal_column("'probing'")),
            else_=literal_column("'half-open'"),
        ),
        _b.open_until,
    ).order_by(_b.gateway, _b.region)
)


async def states(conn: Conn, *, now: datetime) -> Sequence[Breaker]:
    """Every breaker that was ever open: at most one for each gateway and country."""
    return [Breaker(*row) for row in await conn.all(_STATES, now=now)]
