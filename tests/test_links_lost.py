"""Promise 6 of links: the connection to the database is lost at every message, and nothing is half done."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from idp.crypto import KeyChain
from idp.flows.operate.invitations import invite
from idp.flows.operate.resets import give_link
from tests.world.asking import forget_limits
from tests.world.databases import empty
from tests.world.provider import ALICE_PHONE, BANK_URI, ISSUER, Browser, Provider
from tests.world.proxy import Wire, wire_to
from tests.world.running import running, settings_for

NEW = "seven green lanterns above the quay {}"
# What must be empty, whatever happened.
HALF_DONE = {
    "a link that is used and opened nothing, or the other way round": """
        SELECT 1 WHERE (SELECT count(*) FROM link WHERE used_at IS NOT NULL AND purpose = 'reset') <>
        (SELECT count(*) FROM session WHERE link = 'reset')""",
    "a session of a link without what it asks": """
        SELECT s.id FROM session s WHERE s.link = 'reset'
        AND NOT EXISTS (SELECT FROM interaction i WHERE i.session_id = s.id)""",
    "an invitation that is used and opened nothing, or the other way round": """
        SELECT 1 WHERE (SELECT count(*) FROM link WHERE used_at IS NOT NULL AND purpose = 'invite') <>
        (SELECT count(*) FROM session WHERE link = 'invite')""",
    "a new password with a session that goes on": """
        SELECT e.account_id FROM audit_event e JOIN session s USING (account_id)
        WHERE e.name = 'password.changed' AND s.created_at < e.at AND s.ended_at IS NULL
          AND s.link IS DISTINCT FROM 'invite'""",
    "a new password of which nobody is told": """
        SELECT 1 WHERE (SELECT count(*) FROM audit_event WHERE name = 'password.changed' AND fields->>'by' = 'reset') >
        (SELECT count(*) FROM message WHERE kind = 'password_changed')""",
}


@pytest.fixture
async def wired(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[tuple[Provider, Wire]]:
    await empty(database_url)
    async with wire_to(database_url) as wire, running(wire.url, key_chain, settings_for(tmp_path, pool_size=2)) as made:
        await made.add_client("bank", BANK_URI)
        await made.add_person("alice", number=ALICE_PHONE, app=True)
        yield made, wire


async def check(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for what, query in HALF_DONE.items():
            assert not await connection.fetch(query), what
    finally:
        await connection.close()


async def reset_link(provider: Provider, number: int) -> str:
    del number
    given = await give_link(provider.idp, "alice", mail=False)
    assert given.address is not None
    return given.address.removeprefix(ISSUER)


async def invitation(provider: Provider, number: int) -> str:
    made = await invite(provider.idp, username=f"guest{number}", mail=False)
    assert made.address is not None
    return made.address.removeprefix(ISSUER)


@pytest.mark.parametrize("answer_only", [pytest.param(False, id="message"), pytest.param(True, id="answer")])
@pytest.mark.parametrize("make", [reset_link, invitation])
async def test_a_link_that_is_pressed_opens_all_or_nothing(
    wired: tuple[Provider, Wire],
    database_url: str,
    make: object,
    answer_only: bool,
) -> None:
    provider, wire = wired
    number, statuses = 0, []
    while True:
        number += 1
        path = await (reset_link if make is reset_link else invitation)(provider, number)
        browser = provider.browser()
        await browser.get(path)
        wire.cut_at(number, answer_only=answer_only)
        page = await browser.submit(path, follow=False)
        cut = wire.was_cut
        wire.mend()
        await check(database_url)
        statuses.append(page.status_code)
        if not cut:
            break
        if page.status_code == 503:
            # The same once more: it works, or it had worked and leads where it led.
            await browser.get(path, follow=False)
            again = await provider_page(browser, path)
            assert again in {200, 303}
            await check(database_url)
    assert statuses[-1] == 303
    assert 503 in statuses


async def provider_page(browser: Browser, path: str) -> int:
    """What whoever comes back to the link is answered: its button, which works, or on."""
    page = await browser.http.get(path)
    if page.status_code == 200:
        browser.page = page
        return (await browser.submit(path, follow=False)).status_code
    return page.status_code


async def test_a_password_that_is_chosen_is_set_with_all_that_follows_or_not_at_all(
    wired: tuple[Provider, Wire], database_url: str
) -> None:
    provider, wire = wired
    number, statuses = 0, []
    while True:
        number += 1
        await forget_limits(provider)
        provider.clock.move(provider.idp.policy.enrolment.ttl)  # another code of the app
        browser = provider.browser()
        path = await reset_link(provider, number)
        await browser.get(path)
        await browser.submit(path)
        page = await browser.submit("/totp", code=provider.totp())
        assert page.url.path == "/reset", page.text[:500]
        wire.cut_at(number)
        word = NEW.format(number)
        page = await browser.submit("/reset", follow=False, password=word, repeat=word)
        cut = wire.was_cut
        wire.mend()
        await check(database_url)
        statuses.append(page.status_code)
        if not cut:
            break
        if page.status_code == 503:
            again = await browser.submit("/reset", password=word, repeat=word)
            assert again.url.path == "/reset/done", (number, again.status_code, again.text[:800])
            await check(database_url)
    assert statuses[-1] == 303
    assert 503 in statuses
