"""Several hosts of one database: in order, and a host that says nothing is not waited for."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit, urlunsplit

import pytest

from idp.errors import Unavailable
from idp.store import connecting
from idp.store.engine import Database
from tests.world.proxy import Wire, wire_to
from tests.world.waiting import NEVER

SOON, NEVER_BEGINS = timedelta(milliseconds=50), timedelta(seconds=NEVER)


@pytest.fixture
def silent() -> Iterator[str]:
    """A host that takes connections, and never says a word."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield f"127.0.0.1:{sock.getsockname()[1]}"


@pytest.fixture
async def wires(database_url: str) -> AsyncIterator[list[Wire]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(wire_to(database_url)) for _ in range(2)]


def address(wire: Wire) -> str:
    return f"127.0.0.1:{parse_qs(urlsplit(wire.url).query)['port'][0]}"


def over(wire: Wire, *addresses: str) -> str:
    """The database at these addresses, as netlocs are written."""
    parts = urlsplit(wire.url)
    login, _, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}@{','.join(addresses)}", query=""))


async def reach(url: str) -> None:
    db = Database(url, size=1, patience=timedelta(seconds=NEVER))
    async with asyncio.timeout(NEVER / 2):
        await db.open()
        await db.ping()
        await db.close()


async def test_a_host_that_says_nothing_keeps_nobody_from_the_next(
    silent: str, wires: list[Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "HEAD_START", SOON)
    await reach(over(wires[0], silent, address(wires[0])))
    first, _, port = silent.partition(":")
    query = f"host={first},127.0.0.1&port={port},{address(wires[0]).partition(':')[2]}"
    parts = urlsplit(wires[0].url)
    await reach(urlunsplit(parts._replace(query=query)))


async def test_the_first_that_answers_is_taken_and_the_next_not_even_asked(
    wires: list[Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "HEAD_START", NEVER_BEGINS)
    await reach(over(wires[0], *(address(wire) for wire in wires)))
    assert wires[0].seen > 0
    assert wires[1].seen == 0
    wires[0].lose()
    await reach(over(wires[0], *(address(wire) for wire in wires)))
    assert wires[1].seen > 0


async def test_where_no_host_answers_it_is_said(wires: list[Wire]) -> None:
    for wire in wires:
        wire.lose()
    with pytest.raises(Unavailable, match="cannot be reached"):
        await reach(over(wires[0], *(address(wire) for wire in wires)))


@pytest.mark.parametrize(
    ("url", "alone"),
    [
        ("postgresql://u:p@a/x", ["postgresql://u:p@a/x"]),
        ("postgresql://u:p@a:1,[::1]:2/x?y=z", ["postgresql://u:p@a:1/x?y=z", "postgresql://u:p@[::1]:2/x?y=z"]),
        ("postgresql://u@/x?host=a,b&port=1", ["postgresql://u@/x?host=a&port=1", "postgresql://u@/x?host=b&port=1"]),
        (
            "postgresql://u@a,[::1]:2/x?target_session_attrs=prefer-standby",
            ["postgresql://u@/x?target_session_attrs=prefer-standby&host=a%2C%5B%3A%3A1%5D%3A2"],
        ),
    ],
)
def test_each_host_has_a_url_of_its_own(url: str, alone: list[str]) -> None:
    assert connecting.each_host(url) == alone
