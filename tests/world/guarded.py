"""A site behind a proxy: the rows of its policy, an application that says what it heard, and browsers that go there."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.types import Receive, Scope, Send

from idp.crypto import KeyChain
from idp.policy import load_policy
from tests.world.caddy import caddy
from tests.world.databases import empty
from tests.world.listening import served
from tests.world.nginx import nginx
from tests.world.policies import BEFORE
from tests.world.provider import ALICE_PHONE, BANK_URI, BOB_PHONE, ISSUER, PASSWORD, Browser, Provider
from tests.world.running import running, settings_for
from tests.world.waiting import NEVER

DOCS = Path(__file__).parents[2] / "docs" / "forward-auth.md"
PAGE = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}
TOLD = ("Remote-User", "Remote-Name", "Remote-Groups", "Remote-Email", "X-Stile-Acr")
SPELLINGS = tuple(
    name[0] + "".join(map(str.__add__, between, name[1:]))
    for name in (each.split("-") for each in (*TOLD, "X-Original-URL", "X-Rewrite-URL"))
    for between in itertools.product("-_", repeat=len(name) - 1)
)
# What PHP, lighttpd and others take for a hyphen too; no list of a proxy's has every one of RFC 9110 5.6.2.
DISGUISED = (
    "Remote.User", "Remote!Groups", "REMOTE~EMAIL", "X.Stile-Acr", "X-Stile|Acr", "X.Original.URL", "X-Rewrite^URL"
)  # fmt: skip
WIKI, LOGS = "localhost:8081", "localhost:8082"


def rows(wiki: str = WIKI, logs: str = LOGS) -> str:
    return f"""
[groups.staff]
level = "two_factor"
[groups.treasury]
level = "two_factor"
[sites."{wiki}"]
title = "Wiki"
level = "two_factor"
groups = ["staff"]
[sites."{wiki}".paths]
"/admin" = {{ level = "strong", fresh = "15m" }}
"/books" = {{ groups = ["treasury"] }}
[sites."{logs}"]
level = "two_factor"
[sites."{logs}".paths]
"/admin" = {{ level = "strong", fresh = "15m" }}
"""


def rule(provider: Provider, text: str) -> None:
    provider.idp.policy = load_policy(BEFORE + text)


@asynccontextmanager
async def guarding(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """A provider that trusts the proxy of this machine; alice is staff, bob is nobody."""
    await empty(database_url)
    settings = settings_for(tmp_path, trusted_proxies=(ip_network("127.0.0.1"),))
    async with running(database_url, key_chain, settings) as provider:
        await provider.add_client("bank", BANK_URI)
        await provider.add_person(
            "alice",
            number=ALICE_PHONE,
            app=True,
            name="Alice Åder",
            groups=frozenset({"staff"}),
            email="alice@example.com",
            email_verified=True,
        )
        await provider.add_person("bob", number=BOB_PHONE)
        rule(provider, rows())
        yield provider


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Knows no OpenID, and says what it was told."""
    if scope["type"] != "http":
        return
    heard = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    body = json.dumps({"path": scope["raw_path"].decode(), "headers": heard}).encode()
    kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": kind})
    await send({"type": "http.response.body", "body": body})


def heard(answer: httpx.Response) -> dict[str, list[str]]:
    """The headers that the application was sent."""
    found: dict[str, list[str]] = {}
    for name, value in answer.json()["headers"]:
        found.setdefault(name, []).append(value)
    return found


class _Both(httpx.AsyncBaseTransport):
    """The provider is asked in this process, whoever else over the network."""

    def __init__(self, provider: httpx.AsyncBaseTransport) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)
        self._provider, self._wire = provider, httpx.AsyncHTTPTransport(limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        ours = request.url.port in {8000, 8081, 8082}
        if not ours:
            request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), NEVER)
        return await (self._provider if ours else self._wire).handle_async_request(request)

    async def aclose(self) -> None:
        await self._wire.aclose()


class Surfer(Browser):
    """A browser that also goes to sites: those whose proxy the test plays, and those behind a real one."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider.app, address="127.0.0.1")
        self.http._transport = _Both(self.http._transport)
        self.provider = provider

    async def ask(self, path: str, *, host: str = WIKI, **more: Any) -> httpx.Response:
        """What Traefik and Caddy ask for a request of this browser."""
        told = {"X-Forwarded-Host": host, "X-Forwarded-Uri": path, "X-Forwarded-Method": more.pop("method", "GET")}
        given = httpx.Headers(more.pop("headers", PAGE))
        given.update(told)
        return await self.http.get(f"{ISSUER}/forward-auth", headers=given, **more)

    async def goes(self, location: str) -> httpx.Response:
        """From what a site answers as far as a page of the provider, or back to the callback of the site."""
        answer = await self.http.get(location)
        assert answer.status_code == 303, answer.text
        return await self.get(answer.headers["location"])

    async def signs_in(self, path: str = "/", *, host: str = WIKI, who: str = "alice") -> httpx.Response:
        """From a request that is turned away to the answer of the callback."""
        sent = await self.ask(path, host=host)
        assert sent.status_code == 303, sent.text
        return await self.back(await self.authenticates(await self.goes(sent.headers["location"]), who))

    async def signs_in_silently(self, host: str) -> None:
        """Who is signed in at the provider already, and is asked nothing."""
        begun = await self.http.get((await self.ask("/", host=host)).headers["location"])
        assert (await self.back(await self.http.get(begun.headers["location"]))).status_code == 303

    async def authenticates(self, page: httpx.Response, who: str = "alice") -> httpx.Response:
        """Password and text message on this page of the provider."""
        assert page.status_code == 200, page.text
        await self.submit("/password", username=who, password=PASSWORD)
        return await self.submit("/sms", code=await self.provider.texted(self))

    async def back(self, answer: httpx.Response) -> httpx.Response:
        """With the answer of the provider to the callback."""
        assert answer.status_code == 303, answer.text
        assert urlsplit(answer.headers["location"]).path == "/.stile/callback"
        return await self.http.get(answer.headers["location"])


async def enters(surfer: Surfer, url: str) -> httpx.Response:
    """Signs in, and comes where that leads."""
    sent = await surfer.http.get(url, headers=PAGE)
    assert sent.status_code in {302, 303}, sent.text
    answer = await surfer.back(await surfer.authenticates(await surfer.goes(sent.headers["location"])))
    site = urlsplit(url)
    return await surfer.http.get(f"{site.scheme}://{site.netloc}{answer.headers['location']}", headers=PAGE)


def example(kind: str) -> str:
    """A block of the documentation, as an operator copies it."""
    found = re.search(rf"```{kind}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@asynccontextmanager
async def listens_to_all(heard: list[bytes]) -> AsyncIterator[str]:
    """The address of an application that speaks whatever it is asked to speak: it says 101, and hears what follows."""

    async def hears(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            heard.append(head)
            found = re.search(rb"\r\nupgrade: *([^\r]+)\r", head, re.IGNORECASE)
            if found is None:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n")
                writer.write(b"Upgrade: " + found[1] + b"\r\n\r\n")
                heard.append(await reader.readuntil(b"\n"))
        writer.close()

    server = await asyncio.start_server(hears, "127.0.0.1", 0)
    async with server:
        yield "{}:{}".format(*server.sockets[0].getsockname())


@asynccontextmanager
async def behind(kind: str, idp: str, port: int, here: Path, *, before: str | None = None) -> AsyncIterator[None]:
    """The application behind a proxy, by the example as it stands but for names, ports and certificates.

    `before`: the address of another application that it stands before.
    """
    async with served(application) as app:
        text = example(kind)
        for written, meant in (
            ("listen 443 ssl", f"listen 127.0.0.1:{port}"),
            ("server_name wiki.example.com", "server_name localhost"),
            ("https://wiki.example.com", f"http://localhost:{port}"),
            ("wiki.example.com {", f"http://localhost:{port} {{\n    bind 127.0.0.1"),
            ("wiki.example.com", f"localhost:{port}"),
            ("127.0.0.1:8000", idp),
            ("127.0.0.1:3000", before or "{}:{}".format(*app.getsockname())),
        ):
            text = text.replace(written, meant)
        kept = "\n".join(line for line in text.splitlines() if "ssl_certificate" not in line)
        async with (nginx if kind == "nginx" else caddy)(kept, port, here):
            yield
