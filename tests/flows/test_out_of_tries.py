"""Three wrong codes of a kind that nobody sends (promise 11): one press asks afresh, and guessing stays bounded."""

from datetime import timedelta

import httpx
import pytest

from tests.world.account_pages import forged
from tests.world.asking import ask_second_factor, attempts, wrong
from tests.world.provider import Browser, Provider, parameters

TRY_AGAIN = "Try again</button>"
FACTORS = pytest.mark.parametrize("factor", ["totp", "recovery"])


def right(provider: Provider, factor: str) -> str:
    return provider.totp() if factor == "totp" else provider.saved["alice"][0]


def not_right(provider: Provider, factor: str) -> str:
    return wrong(provider.totp()) if factor == "totp" else "7KQM-2X0P-D8FW-0J00"


def has_field(page: httpx.Response) -> bool:
    return 'name="code"' in page.text


async def out_of_tries(provider: Provider, factor: str) -> tuple[Browser, str]:
    """In front of the page of a question whose three tries were wrong."""
    asked = await ask_second_factor(provider)
    here = f"/i/{asked.interaction_id}/{factor}"
    await asked.browser.get(here)
    for _ in range(3):
        page = await asked.browser.submit(f"/{factor}", code=not_right(provider, factor))
        assert page.status_code == 400
    return asked.browser, here


@FACTORS
async def test_who_has_no_tries_left_presses_once_and_goes_on(provider: Provider, factor: str) -> None:
    browser, here = await out_of_tries(provider, factor)
    page = browser.page
    assert page is not None
    for shown in (page, await browser.get(str(page.url)), await browser.get(here)):
        assert "No tries are left for now" in shown.text
        assert TRY_AGAIN in shown.text
        assert not has_field(shown)
        assert "/sms" in shown.text
    assert (await browser.get(here)).status_code == 200
    page = await browser.submit(f"/{factor}/send")
    assert (page.status_code, has_field(page), "try left" in page.text) == (200, True, False)
    assert "tries left" not in page.text
    answer = await browser.submit(f"/{factor}", code=right(provider, factor))
    assert "code" in parameters(answer)


@FACTORS
async def test_a_form_from_before_the_last_try_leads_to_the_button(provider: Provider, factor: str) -> None:
    asked = await ask_second_factor(provider)
    await asked.browser.get(f"/i/{asked.interaction_id}/{factor}")
    form = asked.browser.form(f"/{factor}")
    typed = {each.name: each.value for each in form.fields} | {"code": not_right(provider, factor)}
    for _ in range(3):
        await asked.browser.post(form.action, typed)
    page = await asked.browser.post(form.action, typed | {"code": right(provider, factor)})
    assert page.status_code == 400
    assert TRY_AGAIN in page.text
    assert "Ask for a new one" not in page.text
    assert not has_field(page)


@FACTORS
async def test_the_note_of_the_last_try_says_nothing_of_the_fresh_question(provider: Provider, factor: str) -> None:
    browser, _ = await out_of_tries(provider, factor)
    assert browser.page is not None
    note = str(browser.page.url)
    await browser.submit(f"/{factor}/send")
    page = await browser.get(note)
    assert has_field(page)
    assert "0 tries left" not in page.text
    assert "No tries are left" not in page.text


async def test_fresh_questions_are_a_new_three_each_and_wait_from_the_tenth_failure(provider: Provider) -> None:
    browser, here = await out_of_tries(provider, "totp")
    for _ in range(2):
        await browser.submit("/totp/send")
        for _ in range(3):
            assert (await browser.submit("/totp", code=not_right(provider, "totp"))).status_code == 400
        assert not has_field(await browser.get(here))
    await browser.submit("/totp/send")
    assert (await browser.submit("/totp", code=not_right(provider, "totp"))).status_code == 400
    page = await browser.submit("/totp", code=right(provider, "totp"))
    assert page.status_code == 429
    assert "Too many wrong codes" in page.text
    assert [row[1] for row in await attempts(provider) if row[0] == "totp"] == [1]
    # pressing for more gives no more: the waits are the person's, not the question's
    assert (await forged(provider, browser, f"{here}/send")).status_code == 303
    await browser.get(here)
    assert (await browser.submit("/totp", code=right(provider, "totp"))).status_code == 429
    provider.clock.move(timedelta(seconds=31))
    await browser.get(here)
    assert "code" in parameters(await browser.submit("/totp", code=right(provider, "totp")))
