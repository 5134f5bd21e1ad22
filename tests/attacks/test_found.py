"""What an attack found once and must not find again: two things in one moment, and what grew without an end."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from idp import app as composition
from idp.crypto import KeyChain, SecretKey, random_bytes
from idp.factors import password as passwords
from idp.flows.opening import read_clients
from idp.flows.operate.clients import set_client_disabled
from idp.serving import server
from idp.store.tokens import clients
from idp.web import door
from tests.world.asking import offline_code
from tests.world.listening import served
from tests.world.provider import PASSWORD, Provider, claims, parameters
from tests.world.running import settings_for
from tests.world.stage import SHOP_URI, post, staged
from tests.world.waiting import NEVER

Raw: TypeAlias = "asyncpg.Connection[Any]"


@pytest.fixture
async def provider(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """One for each test: what is tried here changes people."""
    async with staged(database_url, key_chain, tmp_path) as made:
        yield made


async def _hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


@pytest.fixture
async def raw(database_url: str) -> "AsyncIterator[Raw]":
    """A second way into the database, to hold what somebody else would hold."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def watch(database_url: str) -> "AsyncIterator[Raw]":
    """A third one, that only looks."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def until_waiting(watch: Raw, *tasks: "asyncio.Task[Any]") -> None:
    """Until as many statements wait for a lock as there are tasks, or a task that should wait has finished."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while await watch.fetchval(waiting) < len(tasks) and not any(task.done() for task in tasks):
        pass


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE account SET password_hash = $1 WHERE username = 'alice'", id="another password"),
        pytest.param("UPDATE account SET disabled_at = now(), name = $1 WHERE username = 'alice'", id="disabled"),
    ],
)
async def test_a_password_that_is_being_changed_signs_nobody_in(
    provider: Provider, raw: Raw, watch: Raw, change: str
) -> None:
    """Compared with the old one and recorded after the new one, it would outlive the end of all sessions."""
    thief = provider.browser()
    await thief.get(provider.authorize_url())
    changing = raw.transaction()
    await changing.start()
    await raw.execute(change, passwords.hash_password(passwords.Password("another passphrase altogether")))
    trying = asyncio.create_task(thief.submit("/password", username="alice", password=PASSWORD))
    await until_waiting(watch, trying)
    await changing.commit()
    page = await trying
    assert thief.form("/password").fields
    assert page.status_code == 200
    assert await watch.fetchval("SELECT count(*) FROM authentication_event") == 0
    assert await watch.fetchval("SELECT count(*) FROM session WHERE account_id IS NOT NULL") == 0
    assert await provider.deliver() == []


async def test_who_agrees_while_somebody_signs_out_gets_no_code(provider: Provider, raw: Raw, watch: Raw) -> None:
    """The sign-out waited for the session and saw the grants of the moment before it began to wait."""
    browser = provider.browser()
    await provider.sign_in(browser)
    await browser.get("/account")
    sign_out = browser.form("/account/sign-out")
    data = {each.name: each.value for each in sign_out.fields}
    asked = await browser.get(provider.authorize_url("notes", prompt="consent"))
    interaction = str(asked.url).rsplit("/", 1)[1]
    # Everything was proved: what is agreed to is on its way, and held up for a moment.
    holding = raw.transaction()
    await holding.start()
    await raw.execute("SELECT FROM interaction WHERE id = $1 FOR UPDATE", interaction)
    agreeing = asyncio.create_task(browser.submit("/consent", decision="allow", follow=False))
    await until_waiting(watch, agreeing)
    assert (await browser.post(sign_out.action, data, follow=False)).status_code in {200, 303}
    await holding.commit()
    assert "code=" not in (await agreeing).headers["location"]
    assert await watch.fetchval("SELECT count(*) FROM grant_ WHERE revoked_at IS NULL") == 0


async def test_one_round_of_the_sweeper_takes_all_that_strangers_left(provider: Provider, raw: Raw) -> None:
    """Each request of a stranger makes a session, and 500 of them in half a minute are what anybody can send."""
    await raw.execute(
        "INSERT INTO session (id, token_hash, created_at, seen_at)"
        " SELECT gen_random_uuid(), decode(md5(n::text), 'hex'), $1, $1 FROM generate_series(1, 2300) n",
        provider.clock.now(),
    )
    provider.clock.move(timedelta(hours=3))
    await composition._sweep(provider.idp)
    assert await raw.fetchval("SELECT count(*) FROM session") == 0


@pytest.fixture
async def awake(
    provider: Provider, database_url: str, key_chain: KeyChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Starlette]:
    """The same provider in another process: with all that runs in the background, and less patience."""
    monkeypatch.setattr(composition, "REREAD", timedelta(milliseconds=20))
    monkeypatch.setattr(composition, "RECONNECT", timedelta(milliseconds=20))
    app = composition.create_app(settings_for(tmp_path), url=database_url, secrets=key_chain, gateways=())
    async with app.router.lifespan_context(app):
        assert "bank" in app.state.idp.clients
        yield app


async def until_unknown(watch: Raw, app: Starlette, client_id: str) -> None:
    """Until a provider does not know a client any more."""
    async with asyncio.timeout(NEVER):
        while client_id in app.state.idp.clients:
            await watch.fetchval("SELECT 1")


async def test_a_disabled_client_is_refused_although_nobody_heard_of_it(awake: Starlette, watch: Raw) -> None:
    """A NOTIFY that never came: a listening connection that died without a sign, a pooler that keeps it to itself."""
    await watch.execute("UPDATE client SET disabled_at = now() WHERE id = 'bank'")
    await until_unknown(watch, awake, "bank")


async def test_a_row_that_cannot_be_read_does_not_end_the_listening(awake: Starlette, watch: Raw) -> None:
    with structlog.testing.capture_logs() as logs:
        await watch.execute("UPDATE client SET auth_method = 'nonsense' WHERE id = 'notes'")
        async with asyncio.timeout(NEVER):
            while not any(line["event"] == "listener" and line["error"] == "ValueError" for line in logs):
                await watch.execute(f"NOTIFY {clients.CHANNEL}")
    await watch.execute("DELETE FROM client WHERE id = 'notes'")
    await watch.execute("UPDATE client SET disabled_at = now() WHERE id = 'bank'")
    await until_unknown(watch, awake, "bank")


async def test_a_disabled_clients_tokens_open_no_api(provider: Provider) -> None:
    """Who may look at a token is who it is for: their answer must not outlive the client it was given to."""
    ledger = "http://localhost:8005"
    await provider.add_client("shopping", "http://localhost:8004/callback", audience=(ledger, "notes"))
    browser = provider.browser()
    asked = {"client_id": "shopping", "redirect_uri": "http://localhost:8004/callback"}
    code = parameters(await provider.sign_in(browser, **asked))["code"]
    given = await provider.token(
        "shopping",
        grant_type="authorization_code",
        code=code,
        redirect_uri=asked["redirect_uri"],
        code_verifier=provider.pkce.verifier,
    )
    token = given.json()["access_token"]
    assert (await provider.introspect(token, "notes"))["active"] is True
    await set_client_disabled(provider.idp, "shopping", disabled=True)
    await read_clients(provider.idp)
    assert await provider.introspect(token, "notes") == {"active": False}


async def test_a_disabled_persons_refresh_token_is_not_active(provider: Provider, raw: Raw) -> None:
    code = await offline_code(provider)
    refresh = (await provider.redeem(code)).json()["refresh_token"]
    assert (await provider.introspect(refresh))["active"] is True
    # not by the command, which ends all grants as well: what a script of the operator's would do
    await raw.execute("UPDATE account SET disabled_at = now() WHERE username = 'alice'")
    assert await provider.introspect(refresh) == {"active": False}


async def test_who_knows_the_id_of_a_session_gets_no_form_of_it(provider: Provider) -> None:
    """Every application knows it: `sid` in the ID token. Pages held the form tokens of whatever session was claimed."""
    alice = provider.browser()
    page = await provider.sign_in(alice, prompt="consent")
    issued = (await provider.redeem(parameters(await alice.submit("/consent", decision="allow"))["code"])).json()
    sid = claims(issued["id_token"])["sid"].replace("-", "")
    assert page.status_code == 200
    assert alice.token is not None
    assert alice.token.startswith(sid)
    ours = door.csrf(provider.idp, UUID(hex=sid), "/language")
    form = {"csrf": ours, "language": "en", "here": "/account"}
    assert (await alice.post("/language", form, follow=False)).status_code == 303
    seal = alice.token.rpartition(".")[2]
    for claim in (f"{sid}.x", f"{sid}.{'a' * 43}.{seal}", f"{sid}.{'a' * 43}.{'0' * 32}", sid, f"{sid}."):
        stranger = provider.browser()
        stranger.http.cookies.set("stile", claim)
        assert (await stranger.post("/language", form, follow=False)).status_code == 403, claim


async def test_a_session_outlives_the_secret_key_it_began_with(provider: Provider, key_chain: KeyChain) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    old = SecretKey(key_chain.current, key_chain._keys[key_chain.current])
    provider.idp.secrets = KeyChain([SecretKey("newer", random_bytes(32)), old])
    assert (await browser.get("/account")).status_code == 200


async def test_one_clients_wrong_secrets_are_counted_for_it_alone(provider: Provider, raw: Raw) -> None:
    """By Basic all of them shared one count, and each invented id had a row of its own."""
    form = {"grant_type": "authorization_code", "code": "x"}

    async def wrong(client_id: str) -> int:
        return (await http.post("/token", data=form, auth=(client_id, "wrong"))).status_code

    async with provider.browser().http as http:
        assert [await wrong("bank") for _ in range(12)] == [401] * 10 + [429] * 2
        assert await wrong("notes") == 401
        right = await http.post("/token", data=form, auth=("bank", provider.secrets["bank"]))
        assert (right.status_code, right.json()["error"]) == (400, "invalid_grant")
        before = await raw.fetchval("SELECT count(*) FROM rate_limit")
        for number in range(5):
            await wrong(f"invented-{number}")
            await http.post("/token", data={**form, "client_id": f"made-up-{number}", "client_secret": "x"})
    assert await raw.fetchval("SELECT count(*) FROM rate_limit") == before + 1


async def test_the_server_itself_writes_no_address_of_a_request(caplog: pytest.LogCaptureFixture) -> None:
    """LOG-01: uvicorn's access log would hold codes and states. It is off at the source, whatever logging does."""
    access = logging.getLogger("uvicorn.access")
    before = access.level, access.propagate, access.handlers[:]
    access.setLevel(logging.DEBUG)
    access.propagate = True
    try:
        with caplog.at_level(logging.DEBUG):
            async with served(_hello) as sock, httpx.AsyncClient(trust_env=False, timeout=NEVER) as http:
                answer = await http.get(f"{server.address_of(sock)}/callback?code=sentinel-7")
                assert answer.text == "hello"
    finally:
        access.level, access.propagate, access.handlers[:] = before
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")]
    assert not [line for line in ours if "sentinel-7" in line]
    assert not [record for record in caplog.records if record.name == "uvicorn.access"]


async def test_a_code_issued_while_its_application_is_disconnected_is_worth_nothing(
    provider: Provider, raw: Raw, watch: Raw
) -> None:
    """Decided before the consent was withdrawn, issued after everything of the application had been ended."""
    browser = provider.browser()
    shop = {"client_id": "shop", "redirect_uri": SHOP_URI}
    await provider.sign_in(browser, **shop)
    assert "code" in parameters(await browser.submit("/consent", decision="allow"))
    silently = provider.authorize_url("shop", redirect_uri=SHOP_URI, prompt="none")
    assert "code" in parameters(await browser.get(silently))
    exchange = {
        "grant_type": "authorization_code",
        "redirect_uri": SHOP_URI,
        "client_id": "shop",
        "client_secret": provider.secrets["shop"],
        "code_verifier": provider.pkce.verifier,
    }
    # The application goes first:
    code = parameters(await browser.get(silently))["code"]
    await browser.get("/account")
    assert (await browser.submit("/account/apps/withdraw")).status_code == 200
    assert (await post(provider, "/token", {**exchange, "code": code})).json()["error"] == "invalid_grant"
    assert parameters(await browser.get(silently))["error"] == "consent_required"
    # The code goes first:
    await browser.get(provider.authorize_url("shop", redirect_uri=SHOP_URI))
    await browser.submit("/consent", decision="allow")
    await browser.get("/account")
    form = browser.form("/account/apps/withdraw")
    data = {each.name: each.value for each in form.fields}
    holding = raw.transaction()
    await holding.start()
    await raw.execute("SELECT FROM session FOR UPDATE")
    code = parameters(await browser.get(silently))["code"]
    asking = asyncio.create_task(post(provider, "/token", {**exchange, "code": code}))
    await until_waiting(watch, asking)
    leaving = asyncio.create_task(browser.post(form.action, data, follow=False))
    await until_waiting(watch, asking, leaving)
    await holding.commit()
    assert (await asking).status_code == 200
    assert (await leaving).status_code == 303
    assert await watch.fetchval("SELECT count(*) FROM grant_ WHERE client_id = 'shop' AND revoked_at IS NULL") == 0


async def test_the_development_inbox_is_shown_on_this_machine_alone(provider: Provider) -> None:
    """`idp serve --host 0.0.0.0` with IDP_DEV: everybody in the network read everybody's codes."""
    await provider.browser().get(provider.authorize_url())
    shown = {}
    for address in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "192.0.2.1", "10.0.0.8", "2001:db8::1", "x"):
        forwarded = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
        answer = await provider.browser(address=address, headers=forwarded).get("/dev/outbox")
        shown[address] = answer.status_code
    assert list(shown.values()) == [200] * 4 + [404] * 4, shown


async def _headers_after_the_body(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    names = " ".join(name.decode() for name, _ in scope["headers"])
    await PlainTextResponse(f"{body.decode()}: {names}")(scope, receive, send)


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"


async def test_what_follows_a_body_is_no_header_and_has_an_end() -> None:
    """Trailers were taken for headers, behind every proxy's back, and kept: 460 MiB of one stranger's in 9 s."""
    async with served(_headers_after_the_body) as sock:
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(CHUNKED + b"X-Forwarded-For: 192.0.2.7\r\nCookie: a=b\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(b"hello: host transfer-encoding")) == b"hello: host transfer-encoding"
        writer.write(CHUNKED)
        sent = 0
        with suppress(ConnectionError):
            while sent < 4 * 1024 * 1024 and not writer.transport.is_closing():
                writer.write(b"X: " + b"a" * 8000 + b"\r\n")
                sent += 8005
                await writer.drain()
        with suppress(ConnectionError):
            assert b" 431 " in await reader.readline()
        assert sent < 4 * 1024 * 1024
        writer.close()
