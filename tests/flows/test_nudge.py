"""The account page asks, seldom, whether the recovery codes are still at hand."""

from datetime import timedelta

from tests.world.account_pages import come_in
from tests.world.provider import Provider

ASKED = "Are your recovery codes still at hand?"
NUDGE = timedelta(days=180)


async def test_who_has_codes_is_asked_after_half_a_year_and_not_again_for_as_long(provider: Provider) -> None:
    page = await come_in(provider, provider.browser(), "alice")
    assert ASKED not in page.text
    provider.clock.move(NUDGE)
    browser = provider.browser()
    page = await come_in(provider, browser, "alice")
    assert ASKED in page.text
    page = await browser.submit("/at-hand")
    assert page.url.path == "/account"
    assert "Good." in page.text
    assert ASKED not in page.text
    provider.clock.move(NUDGE - timedelta(hours=1))
    assert ASKED not in (await come_in(provider, provider.browser(), "alice")).text
    provider.clock.move(timedelta(hours=1))
    assert ASKED in (await come_in(provider, provider.browser(), "alice")).text


async def test_who_has_none_is_not_asked(provider: Provider) -> None:
    provider.clock.move(NUDGE)
    assert ASKED not in (await come_in(provider, provider.browser(), "bob")).text


async def test_asking_costs_the_page_no_statement(provider: Provider) -> None:
    provider.clock.move(NUDGE)
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    provider.count()
    await browser.get("/account")
    assert len(provider.statements) == 2, provider.statements
