"""A hash of another system is made anew once, however many browsers its person signs in from at that moment."""

import bcrypt
import pytest

from idp.factors import password as passwords
from idp.store.sql import Sql
from tests.world.parallel import at_once
from tests.world.provider import Browser, Provider

TYPED = "Harbour-Anna-1"
SET = Sql("UPDATE account SET password_hash = :hashed WHERE username = 'alice'")
STORED = Sql("SELECT password_hash FROM account WHERE username = 'alice'")
ROUNDS, BROWSERS = 8, 6


async def test_everybody_who_was_right_gets_in_and_the_hash_is_made_anew_once(provider: Provider) -> None:
    foreign = bcrypt.hashpw(TYPED.encode(), bcrypt.gensalt(4)).decode()
    for number in range(ROUNDS):
        await provider.idp.db.one(SET, hashed=foreign)
        browsers = [provider.browser(address=f"192.0.2.{number * BROWSERS + each + 1}") for each in range(BROWSERS)]
        for browser in browsers:
            await browser.get(provider.authorize_url())

        async def sign_in(each: int, browsers: list[Browser] = browsers) -> str:
            page = await browsers[each].submit("/password", username="alice", password=TYPED)
            return page.text if page.status_code == 200 else f"status {page.status_code}"

        pages = await at_once(BROWSERS, sign_in)
        assert ["/totp" in page for page in pages] == [True] * BROWSERS
        stored = await provider.idp.db.value(STORED)
        assert not passwords.needs_rehash(passwords.Password(TYPED), hashed=stored)


async def test_a_hash_that_is_made_anew_costs_no_statement_more(provider: Provider) -> None:
    foreign = bcrypt.hashpw(TYPED.encode(), bcrypt.gensalt(4)).decode()
    counts = []
    for hashed in (foreign, None):
        if hashed is not None:
            await provider.idp.db.one(SET, hashed=hashed)
        browser = provider.browser()
        await browser.get(provider.authorize_url())
        provider.count()
        await browser.submit("/password", follow=False, username="alice", password=TYPED)
        counts.append(len(provider.statements))
        provider.idp.db.on_statement = None
    assert counts == [3, 3]


async def test_the_same_form_twice_at_once_leads_where_the_first_led(provider: Provider) -> None:
    foreign = bcrypt.hashpw(TYPED.encode(), bcrypt.gensalt(4)).decode()
    for _ in range(ROUNDS):
        await provider.idp.db.one(SET, hashed=foreign)
        browser = provider.browser()
        await browser.get(provider.authorize_url())
        form = browser.form("/password")
        data = {each.name: each.value for each in form.fields if each.name} | {"username": "alice", "password": TYPED}

        async def press(_: int, browser: Browser = browser, to: str = form.action, data: dict[str, str] = data) -> str:
            return str((await browser.http.post(to, data=data)).headers.get("location", "nowhere"))

        assert len(set(await at_once(2, press))) == 1


async def test_a_change_meanwhile_is_not_undone(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets a password while the old one is compared: theirs stays."""
    foreign = bcrypt.hashpw(TYPED.encode(), bcrypt.gensalt(4)).decode()
    await provider.idp.db.one(SET, hashed=foreign)
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    hash_password = provider.idp.passwords.hash_password
    other = await hash_password(passwords.Password("set by an operator"))

    async def slowly(typed: passwords.Password) -> str:
        made = await hash_password(typed)
        await provider.idp.db.one(SET, hashed=other)
        return made

    monkeypatch.setattr(provider.idp.passwords, "hash_password", slowly)
    page = await browser.submit("/password", username="alice", password=TYPED)
    assert "/totp" not in page.text
    assert await provider.idp.db.value(STORED) == other
