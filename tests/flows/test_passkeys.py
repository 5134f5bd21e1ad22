"""Passkeys, by a signer of our own: set up on the account page, and the second step of signing in."""

import json

from tests.world.account_pages import come_in, prove_app
from tests.world.authenticator import Key, options_in
from tests.world.provider import Browser, Provider, claims, parameters

NEW = "/account/passkeys/new"


async def set_up(provider: Provider, key: Key, *, label: str = "My phone") -> Browser:
    """A passkey of alice, trusted at once because her app confirmed it."""
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await prove_app(provider, browser, NEW)
    answer = key.made(options_in(page.text))
    page = await browser.submit(NEW, code=json.dumps(answer), label=label)
    assert page.status_code == 200, page.text
    assert "Your passkey is set up." in page.text, page.text
    return browser


async def test_a_passkey_is_set_up_and_confirms_the_next_sign_in(provider: Provider) -> None:
    key = Key()
    await set_up(provider, key)
    browser = provider.browser()
    page = await provider.half_way(browser)
    assert "Confirm with your passkey" in page.text
    answered = await browser.submit("/passkey", code=json.dumps(key.answer(options_in(page.text))))
    told = await provider.redeem(parameters(answered)["code"])
    found = claims(told.json()["id_token"])
    assert (found["acr"], found["amr"]) == ("phr", ["pwd", "swk", "user", "mfa"])


async def test_a_passkey_that_knows_who_holds_it_signs_in_without_a_password(provider: Provider) -> None:
    key = Key()
    await set_up(provider, key)
    browser = provider.browser()
    page = await browser.get(provider.authorize_url())
    answered = await browser.submit("/with-passkey", code=json.dumps(key.answer(options_in(page.text))))
    told = await provider.redeem(parameters(answered)["code"])
    found = claims(told.json()["id_token"])
    assert (found["acr"], found["amr"]) == ("phr", ["swk", "user", "mfa"])
