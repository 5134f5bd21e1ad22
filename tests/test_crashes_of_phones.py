"""Promise 6 for a phone that is confirmed: the connection is lost at every message, and every answer, of its one POST.

It is added whole, with its row of the audit and its notice, or not at all; and who presses again gets there.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from idp.crypto import KeyChain
from tests.world.account_pages import forged
from tests.world.asking import forget_limits
from tests.world.databases import empty, execute
from tests.world.own_phones import CONFIRM, in_room, name, sent_to
from tests.world.provider import BANK_URI, BOB_PHONE, Browser, Provider
from tests.world.proxy import Wire, wire_to
from tests.world.running import running, settings_for

BROKEN = {
    "a phone without its line in the trail, or the other way round": """
        SELECT 1 WHERE (SELECT count(*) FROM authenticator WHERE confirmed_at IS NOT NULL AND hold IS NOT NULL) <>
        (SELECT count(*) FROM audit_event WHERE name = 'authenticator.added' AND fields ? 'hold')""",
    "a phone that nobody is told of": """
        SELECT a.id FROM authenticator a WHERE a.confirmed_at IS NOT NULL AND a.hold IS NOT NULL
        AND NOT EXISTS (SELECT FROM message m WHERE m.about = a.id AND m.kind = 'phone_added')""",
    "a code that could be used again": """
        SELECT a.id FROM authenticator a JOIN verification v ON v.authenticator_id = a.id
        WHERE a.confirmed_at IS NOT NULL""",
    "more tries than there are": "SELECT 1 FROM verification WHERE attempts > max_attempts",
}


@pytest.fixture
async def wired(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[tuple[Provider, Wire]]:
    await empty(database_url)
    async with wire_to(database_url) as wire, running(wire.url, key_chain, settings_for(tmp_path, pool_size=2)) as made:
        await made.add_client("bank", BANK_URI)
        await made.add_person("bob", number=BOB_PHONE)
        yield made, wire


async def check(database_url: str) -> int:
    """How many phones there are beside the first, after nothing is found broken."""
    connection = await asyncpg.connect(database_url)
    try:
        for what, query in BROKEN.items():
            assert not await connection.fetch(query), what
        found: int = await connection.fetchval("""
            SELECT count(*) FROM authenticator WHERE confirmed_at IS NOT NULL AND closed_at IS NULL""")
        return found - 1
    finally:
        await connection.close()


@pytest.mark.parametrize("answer_only", [pytest.param(False, id="message"), pytest.param(True, id="answer")])
async def test_a_phone_is_added_whole_or_not_at_all(
    wired: tuple[Provider, Wire], database_url: str, *, answer_only: bool
) -> None:
    provider, wire = wired
    browser = await in_room(provider)
    statuses, at = [], 0
    while True:
        at += 1
        number = f"+3725678{9100 + at}"
        await forget_limits(provider)
        await name(provider, browser, number)
        code = (await sent_to(provider, number))[-1]
        wire.cut_at(at, answer_only=answer_only)
        response = await forged(provider, browser, CONFIRM, code=code)
        cut = wire.was_cut
        wire.mend()
        statuses.append(response.status_code)
        assert response.status_code in {303, 503}
        there = await check(database_url)
        if response.status_code == 303:
            assert there == 1, "what was acknowledged is there"
        await go_on(provider, browser, code, database_url)
        await execute(database_url, "DELETE FROM authenticator WHERE hint <> 'ending 46'")
        await execute(database_url, "DELETE FROM audit_event WHERE name = 'authenticator.added'")
        if not cut:
            break
    assert 503 in statuses
    assert at > 5


async def go_on(provider: Provider, browser: Browser, code: str, database_url: str) -> None:
    """The same once more: it works, or it had worked and is told so."""
    again = await forged(provider, browser, CONFIRM, code=code)
    assert again.status_code == 303, again.text[:1000]
    assert await check(database_url) == 1
