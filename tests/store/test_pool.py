"""Connections are kept, handed on and thrown away: nobody ever reads another's answer or transaction."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import asyncpg
import pytest

from idp.errors import Unavailable
from idp.store.engine import Database
from idp.store.pool import Pool
from tests.world.waiting import NEVER, comes


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async def connect() -> "asyncpg.Connection[Any]":
        return await asyncpg.connect(database_url, command_timeout=NEVER)

    pool = Pool(connect, size=2, patience=NEVER)
    yield pool
    await pool.close(within=1)


async def backend(pool: Pool) -> int:
    raw = await pool.take()
    number: int = await raw.fetchval("SELECT pg_backend_pid()")
    pool.give_back(raw)
    return number


async def test_a_connection_is_used_again(pool: Pool) -> None:
    assert await backend(pool) == await backend(pool)


async def test_there_are_never_more_than_the_size_and_who_waits_too_long_is_told(pool: Pool) -> None:
    first, second = await pool.take(), await pool.take()
    pool._patience = 0.2
    with pytest.raises(TimeoutError):
        await pool.take()
    pool.give_back(first)
    assert await pool.take() is first
    pool.give_back(first)
    pool.give_back(second)


async def test_who_waits_gets_what_is_given_back(pool: Pool) -> None:
    first, second = await pool.take(), await pool.take()
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    pool.give_back(second)
    assert await waiting is second
    pool.give_back(first)
    pool.give_back(second)


async def test_who_stops_waiting_takes_nothing_with_them(pool: Pool) -> None:
    held = [await pool.take(), await pool.take()]
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    waiting.cancel()
    pool.give_back(held[0])
    with pytest.raises(asyncio.CancelledError):
        await waiting
    pool.give_back(held[1])
    again = [await pool.take(), await pool.take()]
    for raw in again:
        pool.give_back(raw)


async def test_a_connection_that_broke_while_idle_is_replaced(pool: Pool) -> None:
    raw = await pool.take()
    pool.give_back(raw)
    raw.terminate()
    assert await backend(pool) > 0


async def test_a_refused_statement_costs_no_connection(pool: Pool) -> None:
    raw = await pool.take()
    with pytest.raises(asyncpg.DivisionByZeroError) as refused:
        await raw.fetchval("SELECT 1 / 0")
    pool.after(raw, refused.value)
    assert await pool.take() is raw
    pool.give_back(raw)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(TimeoutError(), id="no answer in time"),
        pytest.param(asyncio.CancelledError(), id="the caller went away"),
        pytest.param(OSError(), id="the network failed"),
        pytest.param(asyncpg.InternalClientError(), id="the driver is confused"),
    ],
)
async def test_a_connection_in_doubt_is_not_handed_on(pool: Pool, error: BaseException) -> None:
    raw = await pool.take()
    pool.after(raw, error)
    other = await pool.take()
    assert other is not raw
    pool.give_back(other)
    await comes(partial(hung_up, raw))


async def hung_up(raw: "asyncpg.Connection[Any]") -> bool:
    return raw.is_closed()


async def test_an_open_transaction_is_not_handed_on(pool: Pool) -> None:
    raw = await pool.take()
    await raw.execute("BEGIN")
    pool.after(raw, ValueError())
    other = await pool.take()
    assert not other.is_in_transaction()
    pool.give_back(other)


async def test_a_failed_connect_gives_its_place_back(database_url: str) -> None:
    tries = 0

    async def connect() -> "asyncpg.Connection[Any]":
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectionRefusedError
        return await asyncpg.connect(database_url)

    pool = Pool(connect, size=1, patience=NEVER)
    with pytest.raises(ConnectionRefusedError):
        await pool.take()
    assert await backend(pool) > 0
    await pool.close(within=1)


async def test_a_cancelled_statement_leaves_the_next_caller_its_own_answer(database_url: str) -> None:
    db = Database(database_url, size=1)
    await db.open()
    try:

        async def slow() -> None:
            async with db._connection() as raw:
                await raw.fetchval("SELECT pg_sleep(5), 1")

        waiting = asyncio.create_task(slow())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with db._connection() as raw:
            assert await raw.fetchval("SELECT 2") == 2
    finally:
        await db.close()


async def test_a_closed_database_says_so(database_url: str) -> None:
    db = Database(database_url, size=1)
    await db.open()
    await db.close()
    with pytest.raises(Unavailable):
        await db.ping()


async def test_closing_does_not_wait_for_ever(pool: Pool) -> None:
    raw = await pool.take()
    async with asyncio.timeout(NEVER):
        await pool.close(within=0.1)
    assert raw.is_closed()
