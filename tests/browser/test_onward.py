"""Applications that lead on, over origins nobody registered, from where they were answered, in Debian's Chromium."""

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import PIPE
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.world.demonstration import Demo, environment
from tests.world.provider import Pkce
from tests.world.visitor import Inspector, Visitor
from tests.world.waiting import NEVER

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PKCE = Pkce()
ARRIVED = b'<!doctype html><html lang="en"><title>app</title><link rel="icon" href="data:,"><h1>Arrived</h1>'
# Three origins of one small server, none of them the provider's: every name below localhost is this machine.
HOSTS = ("localhost", "127.0.0.1", "front.localhost")


@dataclass(slots=True)
class Onward:
    """Applications at /cb/N and /out/N that lead on over N further origins. `answers` is what /cb was told."""

    port: int = 0
    answers: list[dict[str, str]] = field(default_factory=list)
    clients: dict[str, str] = field(default_factory=dict)

    def url(self, path: str, hops: int, *, origin: int = 0) -> str:
        return f"http://{HOSTS[origin]}:{self.port}/{path}/{hops}"

    def asks(self, demo: Demo, client: str, hops: int = 2, **changes: str) -> str:
        """An authorization request."""
        asked = {
            "client_id": self.clients[client],
            "redirect_uri": self.url("cb", hops),
            "response_type": "code",
            "scope": "openid",
            "code_challenge": PKCE.challenge,
            "code_challenge_method": "S256",
        }
        return f"{demo.provider}/authorize?{urlencode(asked | changes)}"

    async def registers(self, demo: Demo, name: str, *options: str) -> None:
        command = [sys.executable, "-m", "idp", "client", "add", name, "--public", *options, "--json"]
        for hops in (1, 2):
            command += ["--redirect-uri", self.url("cb", hops), "--post-logout-uri", self.url("out", hops)]
        process = await asyncio.create_subprocess_exec(
            *command, env=environment(demo.data_dir), stdout=PIPE, stderr=PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err
        self.clients[name] = json.loads(out)["client_id"]


@contextmanager
def listening(onward: Onward) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._lead_on(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._lead_on(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _lead_on(self, told: str) -> None:
            _, path, number = (*urlsplit(self.path).path.split("/"), "", "")[:3]
            if path == "cb" and told:
                onward.answers.append(dict(parse_qsl(told)))
            if path in {"cb", "out"} and number != "0":
                origin = HOSTS.index(urlsplit(f"//{self.headers['Host']}").hostname or "") + 1
                self.send_response(302)
                self.send_header("Location", onward.url(path, int(number) - 1, origin=origin))
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(ARRIVED)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    onward.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
async def onward(demo: Demo) -> Any:
    onward = Onward()
    with listening(onward):
        await onward.registers(demo, "Broker")
        await onward.registers(demo, "House", "--first-party")
        yield onward


async def arrives(visitor: Visitor, onward: Onward, path: str, hops: int = 2) -> None:
    """The browser is where the application led it. Nothing in the console: `Visitor.leave` looks."""
    await expect(visitor.page).to_have_url(onward.url(path, 0, origin=hops))
    await expect(visitor.heading).to_have_text("Arrived")


@pytest.mark.parametrize("hops", [1, 2])
async def test_cancelling_leads_wherever_the_application_does(
    visitor: Visitor, demo: Demo, onward: Onward, hops: int
) -> None:
    await visitor.opens(onward.asks(demo, "Broker", hops))
    await visitor.presses("Cancel")
    await arrives(visitor, onward, "cb", hops)
    assert onward.answers.pop()["error"] == "access_denied"


async def test_consent_leads_wherever_the_application_does(visitor: Visitor, demo: Demo, onward: Onward) -> None:
    await visitor.opens(onward.asks(demo, "Broker"))
    await visitor.gives_password(demo.alice)
    await visitor.gives_text_code(demo.alice)
    await visitor.sees("Allow Broker?")
    await visitor.presses("Allow")
    await arrives(visitor, onward, "cb")
    assert "code" in onward.answers.pop()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
async def test_a_code_a_form_post_and_signing_out_lead_wherever_the_application_does(
    browser: Browser, demo: Demo, inspector: Inspector, onward: Onward, script: bool
) -> None:
    person = await demo.add(f"onward{script:d}", f"+3725630{script:d}300")
    one, two = [await Visitor.arrive(browser, demo, inspector, script=script) for _ in range(2)]
    await one.opens(onward.asks(demo, "House"))
    await one.gives_password(person)
    await one.gives_text_code(person)
    await arrives(one, onward, "cb")
    async with httpx.AsyncClient(timeout=NEVER) as http:
        redeemed = await http.post(
            f"{demo.provider}/token",
            data={
                "grant_type": "authorization_code",
                "client_id": onward.clients["House"],
                "redirect_uri": onward.url("cb", 2),
                "code": onward.answers.pop()["code"],
                "code_verifier": PKCE.verifier,
            },
        )
    hint = redeemed.raise_for_status().json()["id_token"]

    await two.opens(onward.asks(demo, "House", response_mode="form_post"))
    await two.gives_password(demo.bob if script else demo.alice)
    await two.gives_text_code(demo.bob if script else demo.alice)
    if not script:
        await two.presses("Continue")
    await arrives(two, onward, "cb")
    assert "code" in onward.answers.pop()

    # The hint is of another session, so it is asked about
    out = {"id_token_hint": hint, "post_logout_redirect_uri": onward.url("out", 2)}
    await two.opens(f"{demo.provider}/logout?{urlencode(out)}")
    await two.presses("Sign out")
    await arrives(two, onward, "out")
    for visitor in (one, two):
        await visitor.leave()
