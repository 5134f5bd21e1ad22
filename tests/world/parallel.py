"""Many at once, from two pools: everybody waits at the barrier, then all go."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def at_once(count: int, work: Callable[[int], Awaitable[T]]) -> list[T]:
    """The results of `work(0)` … `work(count - 1)`, all started in the same moment."""
    barrier = asyncio.Barrier(count)

    async def one(number: int) -> T:
        await barrier.wait()
        return await work(number)

    return await asyncio.gather(*(one(number) for number in range(count)))
