"""Waiting for what will come, however slow the machine is. Only what never comes ends a wait, and fails the test.

What our own fakes know, they notify; what happens in other processes and in the database is looked at again and again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

NEVER = 120.0  # seconds; nothing that works takes so long on a machine that is merely busy
_LOOK = 0.02


def until(question: Callable[[], bool]) -> bool:
    """Whether it came true at all."""
    end = time.monotonic() + NEVER
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK)
    return True


async def comes(question: Callable[[], Awaitable[bool]]) -> None:
    """Until it is so. The question itself takes its time: it goes to the database."""
    async with asyncio.timeout(NEVER):
        while not await question():
            await asyncio.to_thread(time.sleep, _LOOK)


class News:
    """Whoever changes something says so; whoever waits for something looks at it then."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def __call__(self) -> None:
        self._changed.set()

    async def until(self, question: Callable[[], bool]) -> None:
        async with asyncio.timeout(NEVER):
            while not question():
                self._changed.clear()
                await self._changed.wait()
