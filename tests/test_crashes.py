"""Promise 6: the connection to the database is lost at every message of every step, and at every answer.

To PostgreSQL this is what a killed process is: whatever it had not committed is gone. To the provider it is a failover.
After each loss the database is looked at, and the person goes on.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest

from idp.crypto import KeyChain
from tests.conftest import running, settings_for
from tests.proxy import Wire, wire_to
from tests.store.asking import Asked, ask_second_factor, attempts, forget_limits, offline_code
from tests.support import ALICE_PHONE, BANK_URI, PASSWORD, Provider, parameters
from tests.world.databases import empty

# What must be empty, whatever happened.
BROKEN = {
    "an event whose challenge is not consumed, or the other way round": """
        SELECT i.id FROM interaction i
        LEFT JOIN challenge c ON c.interaction_id = i.id AND c.factor = 'sms' AND c.consumed_at IS NOT NULL
        LEFT JOIN authentication_event e ON e.interaction_id = i.id AND e.factor = 'sms'
        WHERE (c.interaction_id IS NULL) <> (e.id IS NULL)""",
    "an event without a spent attempt": """
        SELECT e.id FROM authentication_event e JOIN challenge c USING (interaction_id, factor) WHERE c.attempts < 1""",
    "a session of somebody without a proof, or a proof in nobody's session": """
        SELECT s.id FROM session s
        WHERE (s.account_id IS NOT NULL) <> EXISTS (SELECT FROM authentication_event e WHERE e.session_id = s.id)""",
    "a question without its message": """
        SELECT c.interaction_id FROM challenge c WHERE c.factor = 'sms'
        AND NOT EXISTS (SELECT FROM message m WHERE m.interaction_id = c.interaction_id)""",
    "two proofs from one code": """
        SELECT interaction_id FROM authentication_event WHERE factor = 'sms'
        GROUP BY interaction_id HAVING count(*) > 1""",
    "a code without its finished interaction's grant": """
        SELECT g.id FROM grant_ g WHERE NOT EXISTS (SELECT FROM authorization_code c WHERE c.grant_id = g.id)""",
    "an interaction finished without a code, or two codes of one": """
        SELECT s.id FROM session s WHERE
        (SELECT count(*) FROM grant_ g WHERE g.session_id = s.id) -
        (SELECT count(*) FROM interaction i WHERE i.session_id = s.id AND i.finished_at IS NOT NULL)
        -- One more for whoever lost the answer and came again: the request began anew, and was answered at once.
        NOT IN (0, 1)""",
    "two live refresh tokens of one family": """
        SELECT grant_id FROM refresh_token WHERE used_at IS NULL GROUP BY grant_id HAVING count(*) > 1""",
    "a used code that brought no refresh token, or one unused that did": """
        SELECT c.hash FROM authorization_code c JOIN grant_ g ON g.id = c.grant_id
        WHERE 'offline_access' = ANY (g.scopes)
        AND (c.used_at IS NOT NULL) <> EXISTS (SELECT FROM refresh_token r WHERE r.grant_id = c.grant_id)""",
    "an effect without its line in the audit trail": """
        SELECT 1 WHERE (SELECT count(*) FROM authentication_event) <>
        (SELECT count(*) FROM audit_event WHERE name = 'factor.verified')""",
}


@pytest.fixture
async def wired(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[tuple[Provider, Wire]]:
    await empty(database_url)
    async with wire_to(database_url) as wire, running(wire.url, key_chain, settings_for(tmp_path, pool_size=2)) as made:
        await made.add_client("bank", BANK_URI)
        await made.add_person("alice", number=ALICE_PHONE)
        yield made, wire


async def check(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for what, query in BROKEN.items():
            assert not await connection.fetch(query), what
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class Step:
    """`prepare` leads to the request; `goes_on` is what the person does after it failed or succeeded."""

    prepare: Callable[[Provider], Awaitable[Callable[[], Awaitable[httpx.Response]]]]
    goes_on: Callable[[Provider, httpx.Response], Awaitable[None]]
    again: frozenset[int] = frozenset({200, 303, 400, 410})
    """What the same request may be answered after its answer was lost."""


async def _accepted(provider: Provider, response: httpx.Response) -> None:
    """What was acknowledged is true: the cookie we were given is a session."""
    if response.status_code == 303 and "set-cookie" in response.headers:
        browser = provider.browser()
        browser.http.cookies.set("stile", response.cookies["stile"])
        page = await browser.get(response.headers["location"], follow=False)
        assert page.status_code in {200, 303}


async def _password(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    return lambda: browser.submit("/password", follow=False, username="alice", password=PASSWORD)


async def _asked_for_code(provider: Provider) -> tuple[Asked, str]:
    asked = await ask_second_factor(provider)
    return asked, (await provider.deliver())[-1]


async def _sms(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    asked, code = await _asked_for_code(provider)
    return lambda: asked.browser.submit("/sms", follow=False, code=code)


async def _resume(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    asked, code = await _asked_for_code(provider)
    done = await asked.browser.submit("/sms", follow=False, code=code)
    return lambda: asked.browser.get(done.headers["location"], follow=False)


async def _issued(provider: Provider, response: httpx.Response) -> None:
    if response.status_code == 303:
        assert (await provider.redeem(parameters(response)["code"])).status_code == 200


async def _redeem(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    code = await offline_code(provider)
    return lambda: provider.redeem(code)


async def _refresh(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    first = (await provider.redeem(await offline_code(provider))).json()["refresh_token"]
    return lambda: provider.token(grant_type="refresh_token", refresh_token=first)


async def _tokens_work(provider: Provider, response: httpx.Response) -> None:
    if response.status_code == 200:
        body = response.json()
        assert (await provider.introspect(body["access_token"]))["active"]
        assert (await provider.introspect(body["refresh_token"]))["active"]


STEPS = {
    "password": Step(_password, _accepted),
    "text message": Step(_sms, _accepted),
    "authorization": Step(_resume, _issued),
    "code exchange": Step(_redeem, _tokens_work),
    "refresh": Step(_refresh, _tokens_work, frozenset({200})),
}


@pytest.mark.parametrize("answer_only", [pytest.param(False, id="message"), pytest.param(True, id="answer")])
@pytest.mark.parametrize("name", STEPS)
async def test_whatever_is_lost_the_database_stays_true(
    wired: tuple[Provider, Wire], database_url: str, name: str, answer_only: bool
) -> None:
    provider, wire = wired
    step = STEPS[name]
    number, statuses = 0, []
    while True:
        number += 1
        await forget_limits(provider)
        request = await step.prepare(provider)
        wire.cut_at(number, answer_only=answer_only)
        response = await request()
        cut = wire.was_cut
        wire.mend()
        await check(database_url)
        statuses.append(response.status_code)
        if not cut:
            break
        assert response.status_code in {200, 303, 503}, (number, response.text[:500])
        if response.status_code == 503:
            assert response.headers["retry-after"]
        await step.goes_on(provider, response)
        if response.status_code == 503:
            # The same once more: it works, or it had worked and is refused; it never works twice.
            again = await request()
            assert again.status_code in step.again, (number, again.text[:500])
            await step.goes_on(provider, again)
        await check(database_url)
    assert statuses[-1] in {200, 303}
    await step.goes_on(provider, response)
    assert 503 in statuses
    assert number > 1


async def test_a_try_whose_answer_was_lost_stays_spent(wired: tuple[Provider, Wire], database_url: str) -> None:
    """OTP-03: the wire is cut at ever later answers until three tries are spent; then the right code is refused."""
    provider, wire = wired
    asked, code = await _asked_for_code(provider)
    shown, spent = [], [0]
    while spent[-1] < 3:
        wire.cut_at(1 + len(spent) % 8, answer_only=True)
        wrong = f"{(int(code) + 1) % 1_000_000:06}"
        shown.append((await asked.browser.submit("/sms", follow=False, code=wrong)).status_code)
        wire.mend()
        spent.append((await attempts(provider))[0][1])
        assert len(spent) < 40
    assert spent == sorted(spent)
    assert 503 in shown
    answer = await asked.browser.submit("/sms", follow=False, code=code)
    assert answer.status_code == 400
    await check(database_url)
