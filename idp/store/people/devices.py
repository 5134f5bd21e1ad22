"""Browsers that people signed in from: remembered by a sign-in, named, forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from idp.model import Factor
from idp.store.engine import Conn, Connection
from idp.store.sql import Sql


@dataclass(frozen=True, slots=True)
class Browser:
    """What is kept of a browser in which a second factor was proved, `until` it was not used for long.

    `factor` is the one, unless it is one of those that are used up.
    """

    key: bytes = field(repr=False)
    user_agent: str
    address: str | None
    factor: Factor | None
    until: datetime

    def values(self) -> dict[str, Any]:
        """The values of `REMEMBERED`."""
        return {
            "device_key": self.key,
            "device_agent": self.user_agent,
            "device_address": self.address,
            "device_factor": self.factor,
            "device_until": self.until,
        }


@dataclass(frozen=True, slots=True)
class Known:
    """A browser that a person signed in from, by its own name or what it told of itself. Times are of sign-ins."""

    key: bytes = field(repr=False)
    label: str
    user_agent: str
    address: str | None
    created_at: datetime
    seen_at: datetime


# Part of the statement that records the proof, whose `event` says that it did. The end is moved once a week and not at
# each sign-in, for it stands in an index.
REMEMBERED = """
    INSERT INTO device (account_id, key, user_agent, address, factor, created_at, seen_at, expires_at)
    SELECT :account_id, :device_key::bytea, :device_agent, :device_address, :device_factor, :now, :now,
           :device_until::timestamptz
    FROM event
    ON CONFLICT (account_id, key) DO UPDATE SET
        user_agent = excluded.user_agent,
        address = excluded.address,
        factor = coalesce(excluded.factor, device.factor),
        seen_at = :now,
        expires_at = CASE WHEN device.expires_at < excluded.expires_at - interval '7 days' THEN excluded.expires_at
                          ELSE device.expires_at END"""

KNOWN = "key, label, user_agent, address, created_at, seen_at"
_ONE = Sql(f"""
SELECT {KNOWN} FROM device WHERE account_id = :account_id AND key = :key AND expires_at > :now""")
_RENAME = Sql("UPDATE device SET label = :label WHERE account_id = :account_id AND key = :key RETURNING key")
_FORGET = Sql("DELETE FROM device WHERE account_id = :account_id AND key = :key RETURNING key")
_FORGET_ALL = Sql("DELETE FROM device WHERE account_id = :account_id")
_KEYS = Sql("SELECT key FROM device WHERE account_id = :account_id ORDER BY key")
_SIGNED_IN = Sql("""
SELECT id FROM session WHERE account_id = :account_id AND device_key = :key AND ended_at IS NULL ORDER BY id""")


async def one(conn: Conn, *, account_id: UUID, key: bytes, now: datetime) -> Known | None:
    """The browser of this key, if this person has one."""
    row = await conn.one(_ONE, account_id=account_id, key=key, now=now)
    return None if row is None else Known(**row)


async def rename(conn: Conn, *, account_id: UUID, key: bytes, label: str) -> bool:
    """Give a browser a name of the person's own. False if they have no such one."""
    return await conn.one(_RENAME, account_id=account_id, key=key, label=label) is not None


async def forget(conn: Connection, *, account_id: UUID, key: bytes) -> bool:
    """From now on its cookie counts for nothing. True for exactly one caller."""
    return await conn.one(_FORGET, account_id=account_id, key=key) is not None


async def forget_all(conn: Connection, *, account_id: UUID) -> None:
    """Every browser is a stranger's from now on: some of them were not this person's."""
    await conn.one(_FORGET_ALL, account_id=account_id)


async def keys(conn: Connection, *, account_id: UUID) -> Sequence[bytes]:
    """Every browser of this person."""
    return [row["key"] for row in await conn.all(_KEYS, account_id=account_id)]


async def signed_in(conn: Connection, *, account_id: UUID, key: bytes) -> Sequence[UUID]:
    """The sessions of this person that go on in this browser."""
    return [row["id"] for row in await conn.all(_SIGNED_IN, account_id=account_id, key=key)]
