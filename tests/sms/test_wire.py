"""The exchange itself, over real sockets: what may be tried again and what may not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from idp.sms import Outcome, Reason, Sent
from idp.sms.wire import Answer, new_client, post
from tests.world.ports import free_port

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def provider(handle: Handler) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await handle(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def ask(url: str, *, total: timedelta = timedelta(seconds=5)) -> Answer | Sent:
    async with new_client() as client:
        return await post(client, url, json_body={"to": "1"}, total=total)


async def test_a_refused_connection_is_not_sent() -> None:
    assert await ask(f"http://127.0.0.1:{free_port()}/") == Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)


async def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    assert await ask("http://sms.invalid/") == Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)


async def test_a_connection_closed_without_an_answer_is_ambiguous() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader, writer

    async with provider(hang_up) as url:
        assert await ask(url) == Sent(Outcome.AMBIGUOUS, reason=Reason.NETWORK)


async def test_an_answer_that_breaks_off_is_ambiguous() -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"id":')
        await writer.drain()

    async with provider(break_off) as url:
        assert await ask(url) == Sent(Outcome.AMBIGUOUS, reason=Reason.NETWORK)


async def test_silence_ends_at_the_total_time_out_and_is_ambiguous() -> None:
    release = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader, writer
        await release.wait()

    async with provider(say_nothing) as url:
        assert await ask(url, total=timedelta(milliseconds=100)) == Sent(Outcome.AMBIGUOUS, reason=Reason.TIMEOUT)
        release.set()


async def test_an_answer_without_end_is_cut_short() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        try:
            while True:
                writer.write(b"[" * 16_384)
                await writer.drain()
        except ConnectionError:
            return

    async with provider(flood) as url:
        assert await ask(url) == Answer(200, None)


async def test_an_answer_is_read() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(b'HTTP/1.1 202 OK\r\ncontent-length: 8\r\nretry-after: 3\r\n\r\n{"id":1}')
        await writer.drain()

    async with provider(answer) as url:
        assert await ask(url) == Answer(202, {"id": 1}, timedelta(seconds=3))


async def test_the_shared_client_has_the_agreed_time_outs_and_follows_nothing() -> None:
    async with new_client() as client:
        timeouts = client.timeout
        assert (timeouts.connect, timeouts.read, timeouts.pool) == (3, 8, 3)
        assert not client.follow_redirects


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://"])
async def test_a_url_that_cannot_be_asked_is_not_sent(url: str) -> None:
    assert await ask(url) == Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)
