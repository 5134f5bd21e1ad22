"""Expired rows, swept in small batches by any node (SKIP LOCKED), so that tables stay flat."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    update,
)

from idp.spending.table import CONVERSION_WINDOW
from idp.store.batches import BATCH, among
from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.facts import SESSION_IDLE
from idp.store.leases import MARGIN
from idp.store.schema import (
    Time,
    authenticator,
    client_assertion,
    grant,
    interaction,
    message,
    rate_limit,
    refresh_token,
    session,
    spending_block,
    spending_closed,
    spending_denied,
    spending_number,
    spending_region,
)
from idp.store.spending import A_DAY

ROUNDS = 400  # of one call: 200,000 rows of a kind, so that a crowd of strangers is swept as fast as it comes
KEEP_MESSAGES = timedelta(days=30)
KEEP_DENIALS = timedelta(days=31)
KEEP_ENDED = timedelta(hours=1)  # so that a late answer still finds what it belongs to

_now: ColumnElement[datetime] = bindparam("now", type_=Time)


def _span(value: timedelta) -> ColumnElement[timedelta]:
    return literal_column(f"interval '{value.total_seconds():.0f} s'")


def _sweep(ended: Column[Any], keep: timedelta = timedelta(0)) -> Statement:
    table = ended.table
    assert isinstance(table, Table)
    (key,) = list(table.primary_key.columns)[:1]
    gone = ended < _now - _span(keep)
    # The order is not needed, but it lets PostgreSQL walk the index instead of reading the table for the few dead ones.
    swept = (
        delete(table)
        .where(among(key, select(key).where(gone).order_by(ended)))
        .returning(literal_column("1"))
        .cte("swept")
    )
    return Statement(select(func.count()).select_from(swept))


def _expire() -> Statement:
    """Messages that nobody may send any more leave the index that every sender reads."""
    late = and_(message.c.state == literal_column("'waiting'"), message.c.expires_at <= _now + _span(MARGIN))
    those = select(message.c.id).where(late).order_by(message.c.lease_until, message.c.created_at)
    expired = (
        update(message)
        .where(among(message.c.id, those))
        .values(state="expired", lease_until=None)
        .returning(literal_column("1"))
        .cte("expired")
    )
    return Statement(select(func.count()).select_from(expired))


def _old(at: Column[Any], keep: ColumnElement[timedelta]) -> Statement:
    """Buckets: there are never many, a few for each hour."""
    table = at.table
    assert isinstance(table, Table)
    swept = delete(table).where(at <= _now - keep).returning(literal_column("1")).cte("swept")
    return Statement(select(func.count()).select_from(swept))


_STATEMENTS: Mapping[str, Statement] = {
    "interaction": _sweep(interaction.c.expires_at, KEEP_ENDED),
    # One that reached its absolute end is not seen any more, and so is idle soon.
    "session": _sweep(session.c.seen_at, SESSION_IDLE + KEEP_ENDED),
    # Codes go with their grant: one that comes back later still ends it (RFC 6749 4.1.2).
    "refresh_token": _sweep(refresh_token.c.expires_at, KEEP_ENDED),
    "grant_": _sweep(grant.c.expires_at, KEEP_ENDED),
    "client_assertion": _sweep(client_assertion.c.expires_at),
    "rate_limit": _sweep(rate_limit.c.expires_at),
    "authenticator": _sweep(authenticator.c.expires_at, KEEP_ENDED),
    "message (expired)": _expire(),
    "message": _sweep(message.c.expires_at, KEEP_MESSAGES),
    "spending_number": _sweep(spending_number.c.at, CONVERSION_WINDOW),
    "spending_block": _sweep(spending_block.c.expires_at),
    "spending_region": _old(spending_region.c.hour, A_DAY),
    "spending_closed": _old(spending_closed.c.closed_until, A_DAY),
    "spending_denied": _old(spending_denied.c.hour, _span(KEEP_DENIALS)),
}


async def sweep(conn: Conn, *, now: datetime, kinds: Iterable[str] = _STATEMENTS) -> dict[str, int]:
    """Delete (or mark as expired) at most one batch of every kind; how many of each went."""
    swept: dict[str, int] = {}
    for name in kinds:
        row = await conn.one(_STATEMENTS[name], now=now)
        if row is not None and row[0]:
            swept[name] = int(row[0])
    return swept


async def sweep_all(conn: Conn, *, now: datetime) -> dict[str, int]:
    """Sweep until nothing dead is left, batch by batch; at most `ROUNDS` of them."""
    swept = await sweep(conn, now=now)
    full = [name for name, count in swept.items() if count == BATCH]
    rounds = 1
    while full and rounds < ROUNDS:
        again = await sweep(conn, now=now, kinds=full)
        rounds += 1
        for name, count in again.items():
            swept[name] += count
        full = [name for name, count in again.items() if count == BATCH]
    return swept
