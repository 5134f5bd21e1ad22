"""Slow, endless and unread requests, against the server on a real socket with a small application."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import pytest

from idp.serving import protocol
from idp.serving.server import bind, serve
from tests.world.waiting import NEVER

QUICK = 0.3


async def application(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """Answers with the size of the body, or with as many bytes as the address says."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    wanted = scope["path"].removeprefix("/big/")
    body = b"x" * int(wanted) if wanted.isdecimal() else str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[int, asyncio.Event]]:
    sock = bind("127.0.0.1", 0)
    port = sock.getsockname()[1]
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(serve(application, nullcontext(), sock, stop=stop, ready=ready.set))
    await ready.wait()
    try:
        yield port, stop
    finally:
        stop.set()
        await asyncio.wait_for(task, NEVER)


async def answered(port: int, *pieces: bytes) -> bytes:
    """Everything that comes back until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), NEVER)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "WHOLE_REQUEST", QUICK)


GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"


async def test_a_request_is_answered_and_the_next_one_too() -> None:
    async with serving() as (port, _):
        said = await answered(port, GET + b"\r\n", POST + b"he", b"llo", GET + b"Connection: close\r\n\r\n")
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert said.count(b"\r\n\r\n5HTTP") == 1
    assert b"server:" not in said.lower()


# What Java's HttpClient adds to each request to an http address.
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n"
WISHING = b"POST / HTTP/1.1\r\nHost: x\r\n" + H2C


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((WISHING + b"Content-Length: 5\r\n\r\nhello",), id="at once"),
        pytest.param((WISHING + b"Content-Length: 5\r\n\r\n", b"he", b"llo"), id="head first"),
        pytest.param((WISHING[:40], WISHING[40:] + b"Content-Length: 5\r\n\r\nhello"), id="half a head first"),
        pytest.param((WISHING + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", b"lo\r\n0\r\n\r\n"), id="chunks"),
    ],
)
async def test_who_wishes_for_another_protocol_is_answered_in_this_one(pieces: tuple[bytes, ...]) -> None:
    last = GET + b"Connection: close\r\n\r\n"
    async with serving() as (port, _):
        said = await answered(port, *pieces, GET + H2C + b"\r\n" + pieces[0], *pieces[1:], last)
    assert said.count(b"HTTP/1.1 200 OK") == 4
    assert said.count(b"\r\n\r\n5HTTP") == 2


@pytest.mark.parametrize("wish", [b"websocket", b"h2c, websocket"])
async def test_two_hundred_wishes_in_one_go_are_two_hundred_answers(wish: bytes) -> None:
    one = GET + b"Connection: Upgrade\r\nUpgrade: " + wish + b"\r\n\r\n"
    async with serving() as (port, _):
        said = await answered(port, one * 200 + GET + b"Connection: close\r\n\r\n")
    assert said.count(b"HTTP/1.1 200 OK") == 201


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"G"], id="one byte"),
        pytest.param([GET], id="half the headers"),
        pytest.param([POST, b"he"], id="half a body"),
        pytest.param([GET + b"\r\n", GET], id="half of the second one"),
        pytest.param([POST + b"hello", POST], id="half of the second body"),
        pytest.param(
            [b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n"], id="chunks"
        ),
    ],
)
@pytest.mark.usefixtures("quick")
async def test_half_a_request_is_timed_out(pieces: list[bytes]) -> None:
    async with serving() as (port, _):
        said = await answered(port, *pieces)
    assert said.rpartition(b"HTTP/1.1 ")[2].startswith(b"408 Request Timeout\r\n")
    assert said.endswith(b"Request Timeout")
    assert b"connection: close" in said


@pytest.mark.usefixtures("quick")
async def test_dripping_bytes_does_not_buy_time() -> None:
    async with serving() as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        loop = asyncio.get_running_loop()
        started = loop.time()
        writer.write(GET)
        while not reader.at_eof():
            writer.write(b"X: y\r\n")
            try:
                await asyncio.wait_for(reader.read(1000), QUICK / 10)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            assert loop.time() - started < NEVER
        writer.close()


@pytest.mark.usefixtures("quick")
async def test_a_connection_without_a_request_is_closed_without_a_word() -> None:
    async with serving() as (port, _):
        assert await answered(port) == b""


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(GET + b"X: " + b"y" * 70_000 + b"\r\n\r\n", b"431 ", id="one long header"),
        pytest.param(GET + b"X: " + b"y" * 70_000, b"431 ", id="an endless header"),
        pytest.param(GET + b"X: y\r\n" * 12_000 + b"\r\n", b"431 ", id="many headers"),
        pytest.param(b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414 ", id="a long address"),
        pytest.param(GET + b"\r\n" + GET + b"X: " + b"y" * 70_000 + b"\r\n\r\n", b"431 ", id="the second request"),
    ],
)
async def test_headers_over_64_kib_are_refused(head: bytes, status: bytes) -> None:
    async with serving() as (port, _):
        said = await answered(port, head)
    assert said.rpartition(b"HTTP/1.1 ")[2].startswith(status)


async def test_headers_of_60_kib_are_taken() -> None:
    async with serving() as (port, _):
        said = await answered(port, GET + b"Connection: close\r\nX: " + b"y" * 60_000 + b"\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: c\x00d\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_bad_request(request_: bytes) -> None:
    async with serving() as (port, _):
        assert (await answered(port, request_)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.usefixtures("quick")
async def test_an_answer_that_nobody_reads_does_not_stay() -> None:
    async with serving() as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(b"GET /big/30000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readexactly(1)
        # Leaving `serving` waits for all connections to end, which takes ten seconds if one is held.
    writer.close()


async def test_a_request_that_is_being_sent_is_still_answered_when_the_server_stops() -> None:
    async with serving() as (port, stop):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        idle_writer.write(GET + b"\r\n")
        await idle_reader.readuntil(b"\r\n\r\n0")
        writer.write(POST + b"he")
        await writer.drain()
        await answered(port, GET + b"Connection: close\r\n\r\n")  # by now the server has the other half, too
        stop.set()
        assert await asyncio.wait_for(idle_reader.read(), NEVER) == b""
        writer.write(b"llo")
        said = await asyncio.wait_for(reader.read(), NEVER)
        assert said.startswith(b"HTTP/1.1 200 ")
        assert said.endswith(b"5")
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        idle_writer.close()


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("no.such.host.invalid", 0)])
def test_an_address_that_is_not_ours_is_one_sentence(host: str, port: int) -> None:
    from idp.errors import IdpError

    with pytest.raises(IdpError, match="no address of this machine"):
        bind(host, port)
