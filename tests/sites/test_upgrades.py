"""What becomes of a connection that somebody wants to speak something else on: no proxy asks about it any more."""

import asyncio

import pytest

from tests.world.caddy import NEEDS_CADDY
from tests.world.guarded import Surfer, behind, enters, listens_to_all, rows, rule
from tests.world.listening import served
from tests.world.nginx import NEEDS_NGINX
from tests.world.ports import free_port
from tests.world.provider import Provider

SMUGGLED = b"GET /admin HTTP/1.1 Remote-User: root\n"


@pytest.mark.parametrize(
    "kind", [pytest.param("nginx", marks=NEEDS_NGINX), pytest.param("caddyfile", marks=NEEDS_CADDY)]
)
async def test_a_websocket_passes_and_no_other_protocol(
    kind: str, provider: Provider, alice: Surfer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Who may go to / and then speaks HTTP/2 with the application itself goes anywhere, as anybody."""
    heard: list[bytes] = []
    port, here = free_port(), tmp_path_factory.mktemp(kind)
    async with (
        listens_to_all(heard) as before,
        served(provider.app) as idp,
        behind(kind, "{}:{}".format(*idp.getsockname()), port, here, before=before),
    ):
        rule(provider, rows(f"localhost:{port}"))
        await enters(alice, f"http://localhost:{port}/")
        cookie = f"stile-site-{port}={alice.http.cookies.get(f'stile-site-{port}')}"

        async def asks(*upgrades: str) -> bytes:
            """What the application heard after the proxy had asked about `/`."""
            heard.clear()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            lines = [
                "GET / HTTP/1.1", f"Host: localhost:{port}", f"Cookie: {cookie}", "Sec-WebSocket-Key: eA==",
                "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk", *upgrades, "", "",
            ]  # fmt: skip
            writer.write("\r\n".join(lines).encode())
            status = await reader.readline()
            if b" 101 " in status:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(SMUGGLED)
                await reader.read()
            writer.close()
            return b"".join(heard)

        assert SMUGGLED in await asks("Upgrade: websocket")
        assert SMUGGLED in await asks("Upgrade: WebSocket")
        for upgrades in (
            ["Upgrade: h2c"],
            ["Upgrade: H2C"],
            ["Upgrade: h2c", "Upgrade: websocket"],
            ["Upgrade: websocket", "Upgrade: h2c"],
            ["Upgrade: websocket, h2c"],
            ["Upgrade: anything"],
        ):
            said = (await asks(*upgrades)).lower()
            assert b"upgrade: websocket\r" in said or b"upgrade:" not in said, (upgrades, said)
