"""Charges given back: what was charged turned out harmless. Must agree with `limits.refund`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    LargeBinary,
    and_,
    bindparam,
    case,
    func,
    select,
    update,
)

from idp.limits import Limit, is_of_address
from idp.store.engine import Conn
from idp.store.rate_limits import HITS, done, live_hits, number, pause, span, waiting
from idp.store.schema import Time, rate_limit
from idp.store.sql import Sql

Shape = tuple[tuple[Limit, bool], ...]


@dataclass(frozen=True, slots=True)
class Refund:
    """One row that gets charges back. `forgive`: its streak ends too."""

    limit: Limit
    key: bytes
    forgive: bool = False


@dataclass(frozen=True, slots=True)
class Refunds:
    """What was charged since a moment and turned out harmless: `places` of each row, in the order of charging."""

    rows: tuple[Refund, ...]
    since: datetime
    places: int = 1

    @property
    def shape(self) -> Shape:
        """What the statement depends on."""
        return tuple((each.limit, each.forgive) for each in self.rows)

    def values(self) -> dict[str, Any]:
        """The values of `refunded`."""
        keys = {f"refund_{i}": each.key for i, each in enumerate(self.rows)}
        return {**keys, "refund_since": self.since, "refund_places": self.places}


def _last_left(limit: Limit, count: str) -> str:
    """When the last charge was that stays: as early as can be for the one given back to have been let through."""
    if limit.backoff is None or limit.windows:
        return "last_at"
    waited = f"last_at = :refund_since AND {count} >= {limit.backoff.free}"
    return f"CASE WHEN {waited} THEN last_at - {waiting(limit.backoff, count)} ELSE last_at END"


def _hits_left(limit: Limit, places: str) -> str:
    """The live hits without the oldest `places` of those at `refund_since` or later."""
    if not limit.windows:
        return "hits"
    before = live_hits(limit, ":now", which="hit < :refund_since")
    later = live_hits(limit, ":now", which="hit >= :refund_since")
    return f"ARRAY({before}) || ARRAY({later} OFFSET {places})"


def refunded(shape: Shape, *, when: str = "true", of_address: str | None = None) -> str:
    """CTEs that give charges back, one row after the other, if `when` holds; the last is `refunded`, without rows.

    To an address only what it was charged (`of_address`): who pays there may have left behind why it paid nothing.
    """
    ctes, may = "", when
    for i, (limit, forgive) in enumerate(shape):
        places = of_address if of_address is not None and is_of_address(limit) else ":refund_places::int"
        left = f"greatest(0, count - {places})"
        ctes += f"""refunded_{i} AS (
    UPDATE rate_limit SET
        count = {0 if forgive else left},
        last_at = {_last_left(limit, left)},
        hits = {_hits_left(limit, places)}
    WHERE key = :refund_{i} AND {may}
    RETURNING key
),
"""
        # True, but only known once that row is done: locks have one order.
        may = f"{when} AND (SELECT count(*) FROM refunded_{i}) >= 0"
    return f"{ctes}refunded AS (SELECT WHERE {may})"


@lru_cache(maxsize=16)
def _refund_statement(shape: Shape) -> Sql:
    return Sql(f"WITH {refunded(shape)} SELECT FROM refunded")


async def give_back(conn: Conn, charges: Sequence[tuple[Limit, bytes]], *, now: datetime) -> None:
    """Give back one charge of each that was made `now`: what was charged was right."""
    refunds = Refunds(tuple(Refund(limit, key) for limit, key in charges), since=now)
    await conn.one(_refund_statement(refunds.shape), **refunds.values(), now=now)


# In Core, for `attempts` and `proofs` that still are.
_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_since: ColumnElement[datetime] = bindparam("refund_since", type_=Time)
_places: ColumnElement[int] = bindparam("refund_places", type_=Integer)
_row = rate_limit.c


def _core_last_left(limit: Limit, count: ColumnElement[int]) -> ColumnElement[datetime]:
    """When the last charge was that stays: as early as can be for the one given back to have been let through."""
    if limit.backoff is None or limit.windows:
        return _row.last_at
    waits = and_(_row.last_at == _since, count >= number(limit.backoff.free))
    return case((waits, _row.last_at - pause(limit.backoff, count)), else_=_row.last_at)


def _core_hits_left(limit: Limit, places: ColumnElement[int]) -> ColumnElement[Sequence[datetime]]:
    """The live hits without the oldest `places` of those at `refund_since` or later."""
    hit = func.unnest(HITS).column_valued("hit")
    live = select(hit).where(hit > _now - span(limit.span)).order_by(hit)
    later = live.where(hit >= _since).offset(places)
    return func.array_cat(func.array(live.where(hit < _since).scalar_subquery()), func.array(later.scalar_subquery()))


def refunding(shape: Shape, *, when: ColumnElement[bool], of_address: ColumnElement[int] | None = None) -> list[CTE]:
    """CTEs that give charges back, one row after the other, if `when` holds.

    To an address only what it was charged (`of_address`): who pays there may have left behind why it paid nothing.
    """
    ctes: list[CTE] = []
    for i, (limit, forgive) in enumerate(shape):
        places = of_address if of_address is not None and is_of_address(limit) else _places
        left = func.greatest(number(0), _row.count - places)
        ctes.append(
            update(rate_limit)
            .where(_row.key == bindparam(f"refund_{i}", type_=LargeBinary), when)
            .values(
                count=number(0) if forgive else left,
                last_at=_core_last_left(limit, left),
                hits=_core_hits_left(limit, places) if limit.windows else _row.hits,
            )
            .returning(_row.key)
            .cte(f"refunded_{i}")
        )
        when = and_(when, done(ctes[-1]))
    return ctes
