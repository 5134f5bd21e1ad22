"""Requests that their client may send again: what was asked under a key, and what was answered."""

from dataclasses import dataclass
from datetime import datetime

from idp.store.engine import Conn
from idp.store.sql import Sql


@dataclass(frozen=True, slots=True)
class Repeat:
    """What is known of the first request with a key. No `status`: it has no answer, yet or ever."""

    asked: bytes
    begun_at: datetime
    status: int | None
    sealed: bytes | None


_BEGIN = Sql("""
INSERT INTO api_request (hash, asked, begun_at, expires_at) VALUES (:hash, :asked, :now, :expires_at)
ON CONFLICT (hash) DO UPDATE
SET asked = excluded.asked, begun_at = excluded.begun_at, expires_at = excluded.expires_at, status = NULL, sealed = NULL
WHERE api_request.expires_at <= :now
RETURNING hash""")
_LOAD = Sql("SELECT asked, begun_at, status, sealed FROM api_request WHERE hash = :hash")
_ANSWER = Sql("UPDATE api_request SET status = :status, sealed = :sealed WHERE hash = :hash RETURNING hash")
_FORGET = Sql("DELETE FROM api_request WHERE hash = :hash AND status IS NULL RETURNING hash")


async def begin(conn: Conn, *, key: bytes, asked: bytes, now: datetime, expires_at: datetime) -> bool:
    """True for exactly one of all who come with this key before it expires."""
    return await conn.one(_BEGIN, hash=key, asked=asked, now=now, expires_at=expires_at) is not None


async def load(conn: Conn, *, key: bytes) -> Repeat | None:
    """The first request with this key."""
    row = await conn.one(_LOAD, hash=key)
    return None if row is None else Repeat(row["asked"], row["begun_at"], row["status"], row["sealed"])


async def answer(conn: Conn, *, key: bytes, status: int, sealed: bytes) -> None:
    """What whoever comes again is told."""
    await conn.one(_ANSWER, hash=key, status=status, sealed=sealed)


async def forget(conn: Conn, *, key: bytes) -> None:
    """Nothing was done: the key is free again."""
    await conn.one(_FORGET, hash=key)
