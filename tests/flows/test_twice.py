"""Account pages when a button is pressed twice, a page is reloaded or a second tab was quicker: nobody is stuck."""

import pytest

from tests.world.account_pages import apps, come_in, forged, prove_app
from tests.world.provider import Browser, Provider

NEW_PASSWORD = "another horse battery staple"


async def at_the_app(provider: Provider) -> tuple[Browser, str]:
    """Alice on the page of her app, which she has just used."""
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    [app] = await apps(provider, "alice")
    path = f"/account/authenticators/{app['id']}"
    await prove_app(provider, browser, path)
    return browser, path


async def test_an_app_removed_twice_is_removed(provider: Provider) -> None:
    browser, path = await at_the_app(provider)
    first = await forged(provider, browser, f"{path}/remove")
    second = await forged(provider, browser, f"{path}/remove")
    assert first.status_code == second.status_code == 303
    page = await browser.get(second.headers["location"])
    assert "The authenticator app was removed." in page.text


async def test_a_password_changed_twice_is_changed(provider: Provider) -> None:
    browser, _ = await at_the_app(provider)
    first = await forged(provider, browser, "/account/password", password=NEW_PASSWORD, repeat=NEW_PASSWORD)
    second = await forged(provider, browser, "/account/password", password=NEW_PASSWORD, repeat=NEW_PASSWORD)
    assert first.status_code == second.status_code == 303, second.text
    page = await browser.get(second.headers["location"])
    assert "Your password was changed." in page.text


async def test_what_was_removed_in_another_tab_leads_home(provider: Provider) -> None:
    browser, path = await at_the_app(provider)
    await forged(provider, browser, f"{path}/remove")
    for answer in (
        await browser.get(path),
        await forged(provider, browser, f"{path}/rename", label="Pixel"),
        await browser.get(path),
    ):
        assert answer.status_code in {200, 303, 403, 404}
        if answer.status_code != 303:
            assert "/account" in answer.text, answer.text


@pytest.mark.parametrize(
    "step",
    ["rename", "remove"],
)
async def test_the_address_of_a_form_leads_back_to_its_page(provider: Provider, step: str) -> None:
    """As after a change of language, or an address that was kept."""
    browser, path = await at_the_app(provider)
    page = await browser.get(f"{path}/{step}")
    assert page.status_code == 200
    assert page.url.path == path


@pytest.mark.parametrize(
    "path", ["/account/apps/withdraw", "/account/sessions/end", "/account/sessions/end-others", "/account/sign-out"]
)
async def test_the_address_of_a_button_leads_to_the_account(provider: Provider, path: str) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    page = await browser.get(path)
    assert (page.status_code, page.url.path) == (200, "/account")
