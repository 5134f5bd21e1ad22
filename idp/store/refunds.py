"""Charges given back: what was charged turned out harmless. Must agree with `limits.refund`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from idp.limits import Limit, is_of_address
from idp.store.engine import Conn
from idp.store.rate_limits import live_hits, waiting
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


async def refund(conn: Conn, refunds: Refunds, *, now: datetime) -> None:
    """Give all of them back."""
    await conn.one(_refund_statement(refunds.shape), **refunds.values(), now=now)


async def give_back(conn: Conn, charges: Sequence[tuple[Limit, bytes]], *, now: datetime) -> None:
    """Give back one charge of each that was made `now`: what was charged was right."""
    await refund(conn, Refunds(tuple(Refund(limit, key) for limit, key in charges), since=now), now=now)
