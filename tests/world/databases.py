"""Connections of the tests' own database, kept from test to test: connecting and planning take longest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg

from idp.store.engine import Database
from idp.store.schema import metadata
from tests.world.waiting import NEVER

if TYPE_CHECKING:
    Raw = asyncpg.Connection[Any]

# Those that refer before those that are referred to. TRUNCATE makes each table's files anew, which takes ten times as
# long. The signing keys stay, for they are slow to make.
_EMPTY = "; ".join(str(each.delete()) for each in reversed(metadata.sorted_tables) if each.name != "signing_key")
# Who waits for a lock that a test holds waits in PostgreSQL, and so does the test that holds it.
_IN_NO_HURRY = f"SET statement_timeout = '{NEVER}s'; SET idle_in_transaction_session_timeout = '{NEVER}s'"
_kept: dict[str, list[tuple[asyncio.AbstractEventLoop, "Raw"]]] = {}


def keep(url: str) -> None:
    """From here on, connections to this database stay."""
    _kept[url] = []


async def end() -> None:
    """Hang up."""
    for kept in _kept.values():
        for _, raw in kept:
            with suppress(OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
                await raw.close()
    _kept.clear()


def _ours(url: str) -> "Raw | None":
    """One that is open, and of this event loop."""
    kept, loop = _kept.get(url, []), asyncio.get_running_loop()
    for one in reversed(kept):
        if one[0] is loop:
            kept.remove(one)
            if not one[1].is_closed():
                return one[1]
    return None


class Kept(Database):
    """Takes over the connections of the one before, and leaves its own to the next; in no hurry."""

    def __init__(self, url: str, *, size: int = 10) -> None:
        super().__init__(url, size=size, patience=timedelta(seconds=NEVER))

    async def _connect(self) -> "Raw":
        raw = _ours(self._url)
        if raw is None:
            raw = await super()._connect()
            try:
                await raw.execute(_IN_NO_HURRY)
            except BaseException:
                raw.terminate()
                raise
            return raw
        raw.add_log_listener(self._notice)
        return raw

    async def close(self) -> None:
        if self._pool is not None and self._url in _kept:
            while self._pool._idle:
                raw = self._pool._idle.pop()
                self._pool._open.discard(raw)
                raw.remove_log_listener(self._notice)
                _kept[self._url].append((asyncio.get_running_loop(), raw))
        await super().close()


@asynccontextmanager
async def another(server_url: str, name: str) -> AsyncIterator[str]:
    """An empty database on this server, as long as it is needed: its URL."""
    url = await make(server_url, name)
    try:
        yield url
    finally:
        await drop(server_url, name)


async def make(server_url: str, name: str) -> str:
    """An empty database on this server: its URL."""
    await _there(server_url, f'CREATE DATABASE "{name}"')
    head, question, tail = server_url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{question}{tail}"


async def drop(server_url: str, name: str) -> None:
    """Whoever is in it is thrown out."""
    await _there(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _there(server_url: str, statement: str) -> None:
    raw = await asyncpg.connect(server_url)
    try:
        async with asyncio.timeout(NEVER):
            while True:
                try:
                    await raw.execute(statement)
                except asyncpg.InsufficientPrivilegeError:
                    await asyncio.sleep(0.1)  # autovacuum is at work there, which only a superuser may stop
                else:
                    return
    finally:
        await raw.close()


async def execute(url: str, statement: str) -> None:
    """Behind everybody's back."""
    ours = _ours(url)
    raw = ours or await asyncpg.connect(url)
    try:
        await raw.execute(statement)
    finally:
        if ours is None:
            await raw.close()
        else:
            _kept[url].append((asyncio.get_running_loop(), raw))


async def empty(url: str) -> None:
    """No rows but the signing keys."""
    await execute(url, _EMPTY)
