"""Connections kept for the next statement. What they are asked, and what their errors mean, is elsewhere.

asyncpg's own pool starts a task and two timers for every statement, which costs more than most of ours do.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    Raw = asyncpg.Connection[Any]

_LEAVING = 5.0  # seconds for telling a server to give up
# After these nobody knows what is still on its way over the connection.
_UNCERTAIN = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def sure(error: BaseException) -> bool:
    """Whether a connection is, after this error, as it was before."""
    return isinstance(error, Exception) and not isinstance(error, _UNCERTAIN)


class Pool:
    """At most `size` connections, made when they are needed, each used by one task at a time."""

    def __init__(self, connect: Callable[[], Awaitable["Raw"]], *, size: int, patience: float) -> None:
        self._connect = connect
        self._size = size
        self._patience = patience
        self._free = asyncio.Semaphore(size)
        self._idle: list[Raw] = []
        self._open: set[Raw] = set()
        self._leaving: set[asyncio.Task[None]] = set()

    async def take(self) -> "Raw":
        """A connection that is open, as far as we know. Raises TimeoutError after `patience`, or what connecting does.

        Whoever took it calls `give_back` or `after`, exactly once.
        """
        if self._free.locked():
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        else:
            await self._free.acquire()
        try:
            while self._idle:
                raw = self._idle.pop()
                if not raw.is_closed():
                    return raw
                self._open.discard(raw)
            raw = await self._connect()
        except BaseException:
            self._free.release()
            raise
        self._open.add(raw)
        return raw

    def give_back(self, raw: "Raw") -> None:
        """It did what it was asked to and is nobody's any more."""
        self._idle.append(raw)
        self._free.release()

    def after(self, raw: "Raw", error: BaseException) -> None:
        """Give it back if the error left it as it was; else throw it away: nobody may read another's answer."""
        if sure(error) and not raw.is_closed() and not raw.is_in_transaction():
            self.give_back(raw)
        else:
            self.throw_away(raw)

    def throw_away(self, raw: "Raw") -> None:
        """Have the server give up what it does, and hang up. Nobody waits for that; the next caller gets a new one.

        A server that waits for its standby looks neither at its clock nor at the wire: hung up on, it would wait for as
        long as the standby is away, with its locks and its connection.
        """
        self._open.discard(raw)
        self._free.release()
        leaving = asyncio.create_task(self._leave(raw))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, raw: "Raw") -> None:
        with suppress(*_UNCERTAIN, asyncpg.PostgresError):
            await raw.close(timeout=_LEAVING)

    def counts(self) -> tuple[int, int]:
        """How many connections are open, and how many of them nobody uses."""
        return len(self._open), len(self._idle)

    async def close(self, *, within: float) -> None:
        """Wait for those in use, so many seconds, and hang up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                for _ in range(self._size):
                    await self._free.acquire()
                while self._idle:
                    # One that the database has left already must not keep us from parting with the others.
                    with suppress(OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
                        await self._idle.pop().close()
                if self._leaving:
                    await asyncio.wait(self._leaving)
        for raw in self._open:
            raw.terminate()
        late = list(self._leaving)
        for each in late:
            each.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._open.clear()
        self._idle.clear()
