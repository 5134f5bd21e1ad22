"""Expired rows, swept in small batches by any node (SKIP LOCKED), so that tables stay flat."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from idp.spending.table import CONVERSION_WINDOW
from idp.store.batches import BATCH, LOCKED
from idp.store.delivery.messages import MARGIN
from idp.store.engine import Conn
from idp.store.sql import Sql

ROUNDS = 400  # of one call: 200,000 rows of a kind, so that a crowd of strangers is swept as fast as it comes
KEEP_MESSAGES = timedelta(days=30)
KEEP_DENIALS = timedelta(days=31)
KEEP_LINKS = timedelta(days=1)  # so that whoever comes late is told that they are late
KEEP_REMOVED = timedelta(days=1)  # so that no form that may still be sent makes it again
KEEP_ENDED = timedelta(hours=1)  # so that a late answer still finds what it belongs to


def _ago(keep: timedelta) -> str:
    return f":now::timestamptz - interval '{keep.total_seconds():.0f} s'"


def _batch(table: str, key: str, ended: str, keep: timedelta = timedelta(0), more: str = "") -> Sql:
    # The order is not needed, but it lets PostgreSQL walk the index instead of reading the table for the few dead ones.
    return Sql(f"""
WITH swept AS (
    DELETE FROM {table} WHERE {key} = ANY (ARRAY(
        SELECT {key} FROM {table} WHERE {ended} < {_ago(keep)}{more} ORDER BY {ended} {LOCKED}))
    RETURNING 1
)
SELECT count(*) FROM swept""")


def _buckets(table: str, at: str, keep: timedelta) -> Sql:
    """All at once: there are never many, a few for each hour."""
    return Sql(f"""
WITH swept AS (DELETE FROM {table} WHERE {at} <= {_ago(keep)} RETURNING 1)
SELECT count(*) FROM swept""")


# Messages that nobody may send any more leave the index that every sender reads.
_EXPIRE = Sql(f"""
WITH expired AS (
    UPDATE message SET state = 'expired', lease_until = NULL
    WHERE id = ANY (ARRAY(
        SELECT id FROM message
        WHERE state = 'waiting' AND expires_at <= {_ago(-MARGIN)}
        ORDER BY lease_until, created_at {LOCKED}))
    RETURNING 1
)
SELECT count(*) FROM expired""")

_STATEMENTS: Mapping[str, Sql] = {
    "interaction": _batch("interaction", "id", "expires_at", KEEP_ENDED),
    # One that reached its absolute end is not seen any more, and so is idle soon.
    "session": _batch("session", "id", "seen_at", KEEP_ENDED, " - :idle::interval"),
    # Kept beyond its end, as grants are: a code that comes back later still ends what it brought (RFC 6749 4.1.2).
    "parked_code": _batch("parked_code", "hash", "expires_at", KEEP_ENDED),
    "pushed_request": _batch("pushed_request", "hash", "expires_at", KEEP_ENDED),
    "approved_sum": _batch("approved_sum", "ctid", "expires_at"),
    "refresh_token": _batch("refresh_token", "hash", "expires_at", KEEP_ENDED),
    "grant_": _batch("grant_", "id", "expires_at", KEEP_ENDED),
    # Whoever began to register and has no phone by then: nobody could ever sign in.
    "account": _batch(
        "account",
        "id",
        "provisional_until",
        more=" AND NOT EXISTS (SELECT FROM authenticator WHERE account_id = account.id AND confirmed_at IS NOT NULL)",
    ),
    "link": _batch("link", "hash", "expires_at", KEEP_LINKS),
    "used_challenge": _batch("used_challenge", "hash", "expires_at"),
    "client_assertion": _batch("client_assertion", "hash", "expires_at"),
    "api_request": _batch("api_request", "hash", "expires_at"),
    "removal": _batch("removal", "what", "at", KEEP_REMOVED),
    "device": _batch("device", "ctid", "expires_at"),
    "rate_limit": _batch("rate_limit", "key", "expires_at"),
    "authenticator": _batch("authenticator", "id", "expires_at", KEEP_ENDED),
    "message (expired)": _EXPIRE,
    "message": _batch("message", "id", "expires_at", KEEP_MESSAGES),
    "spending_number": _batch("spending_number", "authenticator_id", "at", CONVERSION_WINDOW),
    "spending_block": _batch("spending_block", "key", "expires_at"),
    "spending_region": _buckets("spending_region", "hour", CONVERSION_WINDOW),
    "spending_closed": _buckets("spending_closed", "closed_until", CONVERSION_WINDOW),
    "spending_denied": _buckets("spending_denied", "hour", KEEP_DENIALS),
}


async def sweep(conn: Conn, *, idle: timedelta, now: datetime, kinds: Iterable[str] = _STATEMENTS) -> dict[str, int]:
    """Delete (or mark as expired) at most one batch of every kind; how many of each went.

    `idle`: a session that nobody used for so long has ended.
    """
    counts = {name: await conn.value(_STATEMENTS[name], idle=idle, now=now) for name in kinds}
    return {name: count for name, count in counts.items() if count}


async def sweep_all(conn: Conn, *, idle: timedelta, now: datetime) -> dict[str, int]:
    """Sweep until nothing dead is left, batch by batch; at most `ROUNDS` of them."""
    swept: Counter[str] = Counter()
    full: Iterable[str] = _STATEMENTS
    for _ in range(ROUNDS):
        again = await sweep(conn, idle=idle, now=now, kinds=full)
        swept.update(again)
        full = [name for name, count in again.items() if count == BATCH]
        if not full:
            break
    return swept
