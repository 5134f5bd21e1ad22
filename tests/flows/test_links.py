"""Links of mails: derived when the mail leaves, stored as hashes, good once, and for one purpose."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from idp.crypto import digest
from idp.flows.people import links
from idp.model.links import LinkFor
from idp.sms import Channel
from idp.store.schema.people import link
from idp.store.schema.records import audit_event, message, message_attempt
from idp.store.sql import Sql
from tests.world.composed import Statement
from tests.world.mailing import can_mail, mails
from tests.world.parallel import at_once
from tests.world.provider import ISSUER, Provider

HOUR = timedelta(hours=1)
LINK = re.compile(rf"^{ISSUER}/link/([a-z_]+)/([A-Za-z0-9_-]{{43}})$", re.MULTILINE)
ALICE = Sql("SELECT id FROM account WHERE username = 'alice'")


async def make(provider: Provider, purpose: LinkFor = LinkFor.RESET, *, to: str | None = None) -> str:
    """Make a link, send its mail, and read the token in it."""
    idp, now = provider.idp, provider.clock.now()
    made = links.new(idp, purpose, await idp.db.value(ALICE), ttl=HOUR, now=now)
    async with idp.db.transaction() as conn:
        await links.make(conn, made, idp, locale=None, to=to)
    await provider.deliver()
    found = LINK.search(mails(provider)[-1].text)
    assert found is not None, mails(provider)[-1].text
    assert found[1] == purpose
    return found[2]


@pytest.fixture(autouse=True)
def _mail(provider: Provider) -> None:
    can_mail(provider)
    provider.gateway.channels = frozenset(Channel)


async def spend(provider: Provider, token: str, purpose: LinkFor = LinkFor.RESET) -> object:
    return await links.spend(provider.idp.db, purpose, token, now=provider.clock.now())


async def test_a_link_is_mailed_and_works_once(provider: Provider) -> None:
    token = await make(provider)
    found = await links.look(provider.idp, LinkFor.RESET, token)
    assert found is not None
    assert found.works(provider.clock.now())
    assert await spend(provider, token) is not None
    assert await spend(provider, token) is None
    found = await links.look(provider.idp, LinkFor.RESET, token)
    assert found is not None
    assert not found.works(provider.clock.now())


async def test_a_link_works_until_it_expires(provider: Provider) -> None:
    token = await make(provider)
    provider.clock.move(HOUR - timedelta(seconds=1))
    found = await links.look(provider.idp, LinkFor.RESET, token)
    assert found is not None
    assert found.works(provider.clock.now())
    provider.clock.move(timedelta(seconds=1))
    assert await spend(provider, token) is None


@pytest.mark.parametrize("wrong", ["", "x", "é", "\0", "A" * 43, "A" * 10_000])
async def test_what_is_no_token_is_no_link(provider: Provider, wrong: str) -> None:
    await make(provider)
    assert await links.look(provider.idp, LinkFor.RESET, wrong) is None
    assert await spend(provider, wrong) is None


async def test_a_link_is_good_for_its_purpose_alone(provider: Provider) -> None:
    token = await make(provider)
    for other in set(LinkFor) - {LinkFor.RESET}:
        assert await links.look(provider.idp, other, token) is None
        assert await spend(provider, token, other) is None
    assert await spend(provider, token) is not None


async def test_a_mail_goes_to_the_address_it_is_sealed_to(provider: Provider) -> None:
    await make(provider, to="new@example.com")
    assert mails(provider)[-1].to == "new@example.com"
    await make(provider)
    assert mails(provider)[-1].to == "alice@example.com"


async def test_what_is_stored_is_no_link(provider: Provider) -> None:
    token = await make(provider, to="new@example.com")
    for table in (link, message, message_attempt, audit_event):
        rows = await provider.rows(Statement(select(table)))
        assert rows
        assert token not in str(rows)
        assert "new@example.com" not in str(rows)
    (stored,) = await provider.rows(Sql("SELECT hash FROM link"))
    assert stored[0] == digest(token)


async def test_of_forty_presses_at_once_one_counts(provider: Provider) -> None:
    for _ in range(5):
        token = await make(provider)

        async def press(_: int, token: str = token) -> object:
            return await spend(provider, token)

        answers = await at_once(40, press)
        assert sum(answer is not None for answer in answers) == 1
