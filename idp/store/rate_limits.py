"""The limits of `limits.py` as guarded upserts: charged first, then done. Must agree with the pure functions there."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from idp.limits import GROUP_BYTES, Backoff, Charged, Closed, Limit, LimitState, Refused, charge
from idp.store.engine import Conn
from idp.store.sql import Sql

_LATER = "greatest(:now, rate_limit.last_at)"


def interval(value: timedelta) -> str:
    """A length of time."""
    return f"interval '{value.total_seconds():f} s'"


def _counted(limit: Limit) -> str:
    if limit.backoff is None or limit.backoff.forget is None:
        return "rate_limit.count"
    quiet = f"rate_limit.last_at + {interval(limit.backoff.forget)} <= :now"
    return f"CASE WHEN {quiet} THEN 0 ELSE rate_limit.count END"


def _doublings(backoff: Backoff) -> int:
    """How often the wait doubles before its cap; once more and a long streak would overflow an interval."""
    times = 0
    while backoff.base * 2**times < backoff.cap:
        times += 1
    return times


def waiting(backoff: Backoff, count: str) -> str:
    """`Backoff.wait` for a count that is not free."""
    doublings = f"least({count} - {backoff.free}, {_doublings(backoff)})"
    return f"least({interval(backoff.cap)}, {interval(backoff.base)} * 2 ^ {doublings})"


def _lets(limit: Limit) -> str:
    """Whether one more may be charged to the row as it stands: `limits.wait(…) == 0`."""
    rules = []
    if (backoff := limit.backoff) is not None:
        count = _counted(limit)
        rules.append(f"({count} < {backoff.free} OR rate_limit.last_at + {waiting(backoff, count)} <= :now)")
        if backoff.close_at is not None:
            rules.append(f"{count} < {backoff.close_at}")
    for window in limit.windows:
        nth_latest = f"rate_limit.hits[cardinality(rate_limit.hits) - {window.count - 1}]"
        rules.append(f"({nth_latest} IS NULL OR {nth_latest} + {interval(window.per)} <= :now)")
    return " AND ".join(rules)


def live_hits(limit: Limit, at: str, *, which: str = "true") -> str:
    """The hits that are still needed, oldest first, and of them `which`."""
    live = f"hit + {interval(limit.span)} > {at}"
    return f"SELECT hit FROM unnest(rate_limit.hits) hit WHERE {live} AND {which} ORDER BY hit"


def charged(limits: Sequence[Limit], *, when: str = "true", forgiven: str | None = None, name: str = "charged") -> str:
    """CTEs that charge these limits, the most particular first, if `when` holds. `name` has a row when all were.

    `charge_values` are their values, and `:now`. Nothing is charged when any is exhausted. A charge for what turned
    out right (`forgiven`) ends the streak that it would have been part of.
    """
    exhausted = (
        f"AND NOT EXISTS (SELECT FROM rate_limit WHERE key = :{name}_limit_{i} AND NOT ({_lets(limit)}))"
        for i, limit in enumerate(limits)
    )
    may = "\n      ".join((when, *exhausted))
    ctes = ""
    for i, limit in enumerate(limits):
        first, hits = "'{}'", "rate_limit.hits"
        once, more = "1", f"{_counted(limit)} + 1"
        if forgiven is not None:
            once, more = (f"CASE WHEN {forgiven} THEN 0 ELSE {each} END" for each in (once, more))
        if limit.windows:
            first, hits = "ARRAY[:now::timestamptz]", f"ARRAY({live_hits(limit, _LATER)}) || {_LATER}"
        ctes += f"""{name}_{i} AS (
    INSERT INTO rate_limit (key, count, last_at, hits, expires_at)
    SELECT :{name}_limit_{i}, {once}, :now, {first}, :now::timestamptz + {interval(limit.keep)}
    WHERE {may}
    ON CONFLICT (key) DO UPDATE SET
        count = {more},
        last_at = {_LATER},
        hits = {hits},
        expires_at = {_LATER} + {interval(limit.keep)}
    WHERE {_lets(limit)}
    RETURNING key
),
"""
        may = f"EXISTS (SELECT FROM {name}_{i})"
    return f"{ctes}{name} AS (SELECT WHERE {may})"


def charge_values(keys: Sequence[bytes], *, name: str = "charged") -> dict[str, bytes]:
    """The values of `charged`, in the order of its limits."""
    return {f"{name}_limit_{i}": key for i, key in enumerate(keys)}


# Ends the streak of these rows. The statement says when: `… AND EXISTS (…)`.
FORGIVE = "UPDATE rate_limit SET count = 0 WHERE key = ANY (:forgive_keys)"


@lru_cache(maxsize=64)
def _charge_statement(limits: tuple[Limit, ...], *, waits: bool) -> Sql:
    no_wait = "" if waits else ", set_config('synchronous_commit', 'off', true)"
    return Sql(f"WITH {charged(limits)} SELECT EXISTS (SELECT FROM charged) AS charged{no_wait}")


_STATES = Sql("SELECT key, count, last_at, hits FROM rate_limit WHERE key = ANY (:keys)")

_FORGET = """
UPDATE rate_limit SET count = 0, hits = '{}'
WHERE (count > 0 OR cardinality(hits) > 0) AND """
_FORGET_KEYS = Sql(f"{_FORGET} key = ANY (:keys) RETURNING key")
_FORGET_GROUP = Sql(f"{_FORGET} key BETWEEN :first AND :last RETURNING key")


_CHARGED = Sql("""
SELECT DISTINCT range.number
FROM unnest(:firsts::bytea[], :lasts::bytea[]) WITH ORDINALITY AS range (first, last, number)
JOIN rate_limit r ON r.key BETWEEN range.first AND range.last
WHERE r.expires_at > :now AND (r.count > 0 OR cardinality(r.hits) > 0)""")


async def spend(
    conn: Conn, charges: Sequence[tuple[Limit, bytes]], *, now: datetime, waits: bool = True
) -> Refused | Closed | None:
    """Charge all of them or none. None when charged; otherwise the longest refusal.

    Without `waits` the charge counts at once, but is on the disk with the next commit that waits: for who makes one
    before anybody is told anything (decision 0012).
    """
    limits, keys = zip(*charges, strict=True)
    if await conn.value(_charge_statement(limits, waits=waits), **charge_values(keys), now=now):
        return None
    return await refusal(conn, charges, now=now)


async def refusal(conn: Conn, charges: Sequence[tuple[Limit, bytes]], *, now: datetime) -> Refused | Closed:
    """Why a charge was refused: closed, or the longest wait. At least a second, for somebody else was first."""
    found = await states(conn, [key for _, key in charges])
    longest = timedelta(seconds=1)
    for limit, key in charges:
        match charge(limit, found.get(key), now=now):
            case Closed():
                return Closed()
            case Refused(retry_after):
                longest = max(longest, retry_after)
            case Charged():
                pass
    return Refused(longest)


async def states(conn: Conn, keys: Sequence[bytes]) -> dict[bytes, LimitState]:
    """The rows of these subjects, of those that have one."""
    rows = await conn.all(_STATES, keys=keys)
    return {row["key"]: LimitState(row["count"], row["last_at"], tuple(row["hits"])) for row in rows}


async def peek(conn: Conn, key: bytes) -> LimitState | None:
    """The row of one subject, for a page that says when something is possible again."""
    return (await states(conn, [key])).get(key)


async def forget(conn: Conn, keys: Sequence[bytes]) -> int:
    """Start these subjects again from nothing. How many had something to forget."""
    return len(await conn.all(_FORGET_KEYS, keys=keys))


async def forget_group(conn: Conn, group: bytes) -> int:
    """Start every subject of a group (`limits.group_of`) again from nothing. How many had something to forget."""
    first, last = _range(group)
    return len(await conn.all(_FORGET_GROUP, first=first, last=last))


async def charged_of(conn: Conn, keys: Sequence[bytes], *, now: datetime) -> frozenset[bytes]:
    """Of these subjects and groups those that have something to forget."""
    firsts, lasts = zip(*map(_range, keys), strict=True)
    rows = await conn.all(_CHARGED, firsts=firsts, lasts=lasts, now=now)
    return frozenset(keys[row["number"] - 1] for row in rows)


def _range(key: bytes) -> tuple[bytes, bytes]:
    """The first and the last row of a group; a whole key is both."""
    rest = 2 * GROUP_BYTES - len(key)
    return key + b"\x00" * rest, key + b"\xff" * rest
