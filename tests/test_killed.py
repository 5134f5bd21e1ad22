"""Promises 5 and 6 with real processes: `idp serve --workers 2`, killed at every step, raced, and killed as a whole.

What a lost connection does is in test_crashes; here nothing is told to end, it ends.
"""

import asyncio
import base64
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Uuid, bindparam, func, select

from idp import localpg
from idp.crypto import KeyChain, parse_secret_keys
from idp.serving.place import KEY_FILE, read_or_make_keys
from idp.store import migrations
from idp.store.engine import Database
from idp.store.schema.people import challenge
from idp.store.schema.records import audit_event
from tests.world.asking import Asked, ask_second_factor, count, forget_limits, offline_code, wrong
from tests.world.composed import Statement
from tests.world.databases import empty
from tests.world.parallel import at_once
from tests.world.processes import children, lives
from tests.world.provider import BANK_URI, ISSUER, Provider, parameters
from tests.world.served import (
    Killer,
    Over,
    Served,
    keys_text,
    killer_before,
    people,
    provider_on,
    reaching,
    served,
    serving,
)
from tests.world.steps import STEPS, check
from tests.world.waiting import until

pytestmark = pytest.mark.xdist_group("processes")

TRIES = Statement(
    select(challenge.c.attempts, challenge.c.consumed_at).where(
        challenge.c.interaction_id == bindparam("interaction", type_=Uuid), challenge.c.factor == "sms"
    )
)
REFUSALS = Statement(select(func.count()).select_from(audit_event).where(audit_event.c.name == "factor.refused"))
ROUNDS = range(3)
Racing = tuple[Served, list[Over]]


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    """No setting but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    own = {"IDP_ISSUER": ISSUER, "IDP_METRICS": "off", "IDP_SMS_GATEWAYS": "console", "IDP_LOG_LEVEL": "error"}
    return kept | own


@pytest.fixture(scope="module")
async def mortal(
    database_url: str, key_chain: KeyChain, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Served, Killer]]:
    """Workers that reach their database through a killer."""
    home = tmp_path_factory.mktemp("mortal")
    await empty(database_url)
    async with AsyncExitStack() as stack:
        killer = await stack.enter_async_context(killer_before(database_url))
        made = await stack.enter_async_context(people(database_url, key_chain, home))
        settings = {"IDP_DATABASE_URL": killer.url, "IDP_SECRET_KEYS": keys_text(key_chain)}
        provider = await stack.enter_async_context(served(made, environ | settings, home))
        killer.workers = provider.workers
        yield provider, killer


# What the same request brings after everything was committed and the worker died before it could say so.
AFTERWARDS = {
    "password": {303, 400, 410},
    "text message": {303, 400, 410},
    "passkey": {303, 400, 410},
    "consent": {303, 400, 410},
    "code exchange": {400},  # a code used twice
    "refresh": {200},  # a retry is forgiven for half a minute
    "freezing": {303},
}


async def killed(
    killer: Killer, request: Callable[[], Awaitable[httpx.Response]], number: int, *, answer: bool
) -> None:
    """Send the request, and see its worker die before it answers."""
    killer.at(number, answer=answer)
    answered: httpx.Response | None = None
    with suppress(httpx.TransportError):
        answered = await request()
    assert answered is None, (number, answer, killer.seen, answered.status_code, answered.text[:500])
    # Its sockets end a moment before it does, and the database commits when it comes to it.
    await killer.done()
    assert await asyncio.to_thread(until, lambda: not lives(killer.killed or 0))


async def attempts_of(provider: Provider, asked: Asked) -> tuple[int, object]:
    """How many tries of this question were spent, and when it was answered."""
    ((spent, consumed_at),) = await provider.rows(TRIES, interaction=asked.interaction_id)
    return spent, consumed_at


async def send(
    line: Over, method: str, path: str, data: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    """One request on one connection, which stays open."""
    answer = await line.handle_async_request(httpx.Request(method, ISSUER + path, data=data, headers=headers))
    await answer.aread()
    return answer


def typing(lines: list[Over], asked: Asked, code: str) -> Callable[[int], Awaitable[httpx.Response]]:
    """The same form of the same browser, each time on another connection."""
    form = asked.browser.form("/sms")
    data = {each.name: each.value for each in form.fields if each.name} | {"code": code}
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in asked.browser.http.cookies.jar)
    return lambda number: send(lines[number], "POST", form.action, data, {"Cookie": cookies})


def said(answer: httpx.Response) -> tuple[int, bool, bool]:
    """What was answered, whether it leads to a page that says what was wrong, and whether it brings a new cookie."""
    location = answer.headers.get("location", "")
    return answer.status_code, "?note=" in location, token_in(answer) is not None


def token_in(answer: httpx.Response) -> str | None:
    found = re.search(r"\bstile=([^;]+)", answer.headers.get("set-cookie", ""))
    return None if found is None else found[1]


def asking(provider: Provider, lines: list[Over], form: dict[str, str]) -> Callable[[int], Awaitable[httpx.Response]]:
    """The same request of the bank for tokens, each time on another connection."""
    basic = base64.b64encode(f"bank:{provider.secrets['bank']}".encode()).decode()
    return lambda number: send(lines[number], "POST", "/token", form, {"Authorization": f"Basic {basic}"})


def kill_everybody(process: int) -> None:
    """The process and whatever descends from it, at once. Nobody is left to clean up."""
    family = [process]
    for one in family:
        family += sorted(children(one))
    for one in family:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        pytest.param("password", 2, id="password"),
        pytest.param("text message", 2, id="text message"),
        pytest.param("passkey", 2, id="passkey"),
        pytest.param("consent", 2, id="consent"),
        pytest.param("code exchange", 1, id="code exchange"),
        pytest.param("refresh", 1, id="refresh"),
        pytest.param("freezing", 3, id="freezing"),
    ],
)
async def test_a_worker_may_die_between_any_two_messages(
    mortal: tuple[Served, Killer], database_url: str, name: str, stride: int
) -> None:
    provider, killer = mortal
    step = STEPS[name]
    await forget_limits(provider)
    request = await step.prepare(provider)
    killer.at(0)
    assert (await request()).status_code in {200, 303}
    killer.rest()
    messages, ends = killer.seen, killer.ends
    assert messages >= 2 * ends > 0
    for number, answer in [*((one, False) for one in range(1, messages + 1, stride)), (ends, True)]:
        await forget_limits(provider)
        request = await step.prepare(provider)
        await killed(killer, request, number, answer=answer)
        await check(database_url)
        # The same once more. It works unless it had worked, and it never works twice.
        again = await request()
        told = (number, answer, again.text[:500])
        assert again.status_code in (AFTERWARDS[name] if answer else {200, 303}), told
        await step.goes_on(provider, again)
        await check(database_url)
    await forget_limits(provider)
    assert (await provider.redeem(await offline_code(provider))).status_code == 200


async def test_a_try_of_a_worker_that_died_stays_spent(mortal: tuple[Served, Killer], database_url: str) -> None:
    """OTP-03: each try's worker is killed at a later message; after three tries the right code is refused."""
    provider, killer = mortal
    await forget_limits(provider)
    asked = await ask_second_factor(provider)
    (code,) = await provider.deliver()
    # 1 to 3 load, 4 to 6 spend, 7 to 9 note the refusal
    for spent, (number, answer) in enumerate([(6, False), (2, True), (7, False), (3, True)]):
        await killed(killer, lambda: asked.browser.submit("/sms", code=wrong(code)), number, answer=answer)
        assert (await attempts_of(provider, asked)) == (spent, None)
        await check(database_url)
    assert await asyncio.to_thread(until, lambda: len(provider.workers()) == 2)
    refused = await asked.browser.submit("/sms", code=code)
    assert refused.status_code == 400
    assert (await attempts_of(provider, asked)) == (3, None)
    await check(database_url)


def stands_still(process: int) -> bool:
    return "\nState:\tT" in Path(f"/proc/{process}/status").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
async def racing(
    database_url: str, key_chain: KeyChain, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Racing]:
    """Twenty connections to each of two workers, which reach PostgreSQL directly."""
    home = tmp_path_factory.mktemp("racing")
    await empty(database_url)
    settings = {"IDP_DATABASE_URL": database_url, "IDP_SECRET_KEYS": keys_text(key_chain)}
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(people(database_url, key_chain, home))
        provider = await stack.enter_async_context(served(made, environ | settings, home))
        workers = sorted(provider.workers())
        assert len(workers) == 2
        both = []
        for stopped in workers:
            # Who stands still accepts nothing.
            os.kill(stopped, signal.SIGSTOP)
            try:
                assert await asyncio.to_thread(until, partial(stands_still, stopped))
                lines = [Over(provider.address, connections=1) for _ in range(20)]
                await asyncio.gather(*(send(line, "GET", "/health/live") for line in lines))
            finally:
                os.kill(stopped, signal.SIGCONT)
            for line in lines:
                stack.push_async_callback(line.wire.aclose)
            both.append(lines)
        yield provider, [line for pair in zip(*both, strict=True) for line in pair]


async def test_forty_wrong_codes_at_two_processes_are_three_comparisons(racing: Racing) -> None:
    """OTP-01."""
    provider, lines = racing
    for _ in ROUNDS:
        await forget_limits(provider)
        asked = await ask_second_factor(provider)
        (code,) = await provider.deliver()
        ((before,),) = await provider.rows(REFUSALS)
        answers = await at_once(40, typing(lines, asked, wrong(code)))
        assert [said(each) for each in answers] == [(303, True, False)] * 40
        ((after,),) = await provider.rows(REFUSALS)
        assert after - before == 3
        assert (await attempts_of(provider, asked)) == (3, None)
        late = await at_once(2, typing(lines, asked, code))
        assert [said(each) for each in late] == [(303, True, False)] * 2
        assert (await attempts_of(provider, asked)) == (3, None)


async def test_twenty_right_codes_at_two_processes_are_one_proof(racing: Racing, database_url: str) -> None:
    provider, lines = racing
    for _ in ROUNDS:
        await forget_limits(provider)
        asked = await ask_second_factor(provider)
        (code,) = await provider.deliver()
        before = await count(provider, "authentication_event")
        answers = await at_once(20, typing(lines, asked, code))
        # whoever sent it again in time is given the same one
        assert len({token_in(each) for each in answers} - {None}) == 1
        assert {each.status_code for each in answers} <= {303, 400, 410}
        assert await count(provider, "authentication_event") == before + 1
        await check(database_url)


async def test_twelve_redemptions_at_two_processes_are_one_and_end_what_it_brought(
    racing: Racing, database_url: str
) -> None:
    """RFC 6749 4.1.2: a code used twice is denied, and what it brought is revoked."""
    provider, lines = racing
    for _ in ROUNDS:
        await forget_limits(provider)
        code = await offline_code(provider)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BANK_URI}
        form["code_verifier"] = provider.pkce.verifier
        answers = await at_once(12, asking(provider, lines, form))
        assert sorted(each.status_code for each in answers) == [200] + [400] * 11
        (body,) = [each.json() for each in answers if each.status_code == 200]
        assert not (await provider.introspect(body["refresh_token"]))["active"]
        assert not (await provider.introspect(body["access_token"]))["active"]
        await check(database_url)


async def test_twenty_refreshes_at_two_processes_leave_one_live_token_at_most(
    racing: Racing, database_url: str
) -> None:
    provider, lines = racing
    for _ in ROUNDS:
        await forget_limits(provider)
        first = (await provider.redeem(await offline_code(provider))).json()["refresh_token"]
        form = {"grant_type": "refresh_token", "refresh_token": first}
        answers = await at_once(20, asking(provider, lines, form))
        assert {each.status_code for each in answers} <= {200, 400}
        brought = [each.json()["refresh_token"] for each in answers if each.status_code == 200]
        assert brought
        assert len(set(brought)) == 1  # the successor is derived from the token that was used
        alive = [(await provider.introspect(token))["active"] for token in {first, *brought}]
        assert sum(alive) <= 1
        await check(database_url)


async def test_what_was_acknowledged_survives_the_death_of_everybody(environ: dict[str, str], tmp_path: Path) -> None:
    """Server, workers and the embedded PostgreSQL are killed in the moment the tokens came."""
    data = tmp_path / "data"
    with localpg.running(data) as url:
        await migrations.migrate(url)
        chain = KeyChain(parse_secret_keys(read_or_make_keys(data / KEY_FILE))[0])
        async with people(url, chain, tmp_path) as made:
            secrets, pkce = made.secrets, made.pkce

    @asynccontextmanager
    async def life() -> AsyncIterator[Served]:
        async with serving(environ | {"IDP_DATA_DIR": str(data)}, tmp_path / "stderr") as (process, address):
            url = localpg.attach(data)
            assert url is not None
            async with provider_on(url, chain, tmp_path) as found:
                found.secrets, found.pkce = secrets, pkce
                async with reaching(found, process, address) as provider:
                    yield provider

    async with life() as provider:
        browser = provider.browser()
        await provider.sign_in(browser, scope="openid offline_access", prompt="consent")
        code = parameters(await browser.submit("/consent", decision="allow"))["code"]
        answer = await provider.redeem(code)
        kill_everybody(provider.process.pid)
    first = answer.json()["refresh_token"]
    async with life() as provider:
        again = provider.browser()
        again.http.cookies = browser.http.cookies
        silent = await again.get(provider.authorize_url(prompt="none"), follow=False)
        assert "code" in parameters(silent)
        answer = await provider.token(grant_type="refresh_token", refresh_token=first)
        assert answer.status_code == 200
        second = answer.json()["refresh_token"]
        assert (await provider.introspect(second))["active"]
        assert (await provider.redeem(code)).status_code == 400
        assert not (await provider.introspect(second))["active"]


async def test_connections_that_are_gone_are_no_trouble_at_the_end(database_url: str) -> None:
    """Whoever stops after the database died stops as always, and parts with every connection."""
    db = Database(database_url, size=3)
    await db.open()
    async with db.transaction(), db.transaction(), db.transaction():
        pass
    assert db._pool is not None
    connections = list(db._pool._idle)
    assert len(connections) == 3
    for each in connections[1:]:
        wire = each._transport  # type: ignore[attr-defined]  # its stubs leave out what is private
        wire.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    await db.close()
    assert all(each.is_closed() for each in connections)
