"""Promise 6: the connection to the database is lost at every message of every step, and at every answer.

To PostgreSQL this is what a killed process is: whatever it had not committed is gone. To the provider it is a failover.
After each loss the database is looked at, and the person goes on.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from idp.crypto import KeyChain
from tests.world.asking import attempts, forget_limits
from tests.world.databases import empty
from tests.world.provider import ALICE_PHONE, BANK_URI, Provider
from tests.world.proxy import Wire, wire_to
from tests.world.running import running, settings_for
from tests.world.steps import STEPS, _asked_for_code, check


@pytest.fixture
async def wired(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[tuple[Provider, Wire]]:
    await empty(database_url)
    async with wire_to(database_url) as wire, running(wire.url, key_chain, settings_for(tmp_path, pool_size=2)) as made:
        await made.add_client("bank", BANK_URI)
        await made.add_person("alice", number=ALICE_PHONE)
        yield made, wire


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
