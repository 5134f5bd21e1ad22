"""What an attack on sending found once and must not find again."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from idp.sms import Outcome, Reason, Sent
from idp.sms.wire import Answer, new_client, post


@asynccontextmanager
async def answering(raw: bytes, asked: list[bytes] | None = None) -> AsyncIterator[str]:
    """A provider that says this to whoever asks."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(head.lower())
        writer.write(raw)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("javascript:1", id="no path"),
        pytest.param("http:x", id="no host"),
        pytest.param("http://xn--a.example", id="a name that is none"),
        pytest.param("//[::1", id="half an address"),
        pytest.param("http://\xff..a/", id="no letters"),
    ],
)
async def test_a_provider_that_sends_us_nowhere_raises_nothing(location: str) -> None:
    """Nobody follows it, yet httpx reads where it leads, and what it stumbles over there is no request error."""
    raw = f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode("latin-1")
    async with answering(raw) as url, new_client() as client:
        answer = await post(client, url, json_body={"to": "1"})
    assert isinstance(answer, Sent)
    assert answer.outcome is Outcome.AMBIGUOUS
    assert answer.reason in {Reason.BAD_RESPONSE, Reason.NETWORK}


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", gzip.compress(b'{"id": "1"}'), id="once"),
        pytest.param("gzip, deflate", zlib.compress(gzip.compress(b'{"id": "1"}')), id="twice"),
    ],
)
async def test_an_answer_that_was_pressed_together_is_not_unpacked(encoding: str, body: bytes) -> None:
    """A megabyte, pressed twice, filled 1 GB of the worker's memory, and its loop stood still for 10 s."""
    asked: list[bytes] = []
    raw = f"HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    async with answering(raw, asked) as url, new_client() as client:
        assert await post(client, url, json_body={"to": "1"}) == Answer(200, None)
    assert b"\r\naccept-encoding: identity\r\n" in asked[0]


async def test_what_a_provider_wants_remembered_is_forgotten() -> None:
    """One client for all: what one provider sets would be kept for ever, and go along with the code to another."""
    asked: list[bytes] = []
    cookies = "".join(f"set-cookie: c{n}=1; Path=/\r\n" for n in range(50))
    raw = f"HTTP/1.1 200 OK\r\n{cookies}content-length: 2\r\n\r\n{{}}".encode()
    async with answering(raw, asked) as url, new_client() as client:
        assert await post(client, url, json_body={"to": "1"}) == Answer(200, {})
        assert await post(client, url, json_body={"to": "2"}) == Answer(200, {})
        assert isinstance(client, httpx.AsyncClient)
        assert len(client.cookies.jar) == 0
    assert len(asked) == 2
    assert b"cookie" not in asked[1]
