"""Authenticator apps under attack (threats.md 3, TOTP)."""

import asyncio
from datetime import timedelta

import pytest

from tests.world.provider import PASSWORD, Browser, Provider, parameters
from tests.world.stage import STRONG, error_of, own_token


async def at_the_app(provider: Provider, address: str = "192.0.2.1") -> Browser:
    """A browser that has proved the password and is asked for the app."""
    browser = provider.browser(address=address)
    await browser.get(provider.authorize_url(acr_values=STRONG))
    await browser.submit("/password", username="alice", password=PASSWORD)
    return browser


async def test_a_code_of_the_app_works_once(provider: Provider) -> None:  # TOTP-01
    code = provider.totp()
    first, second = await at_the_app(provider), await at_the_app(provider, "192.0.2.2")
    assert "code" in parameters(await first.submit("/totp", code=code))
    again = await second.submit("/totp", code=code)
    assert again.status_code == 400
    assert "used already" in again.text
    await first.get(provider.authorize_url(scope="openid transfers:write"))
    assert (await first.submit("/totp", code=code)).status_code == 400
    assert error_of(await second.get(provider.authorize_url(prompt="none"))) == "login_required"


async def test_a_code_that_was_used_says_so_and_costs_nothing(provider: Provider) -> None:
    code = provider.totp()
    first, second = await at_the_app(provider), await at_the_app(provider, "192.0.2.2")
    assert "code" in parameters(await first.submit("/totp", code=code))
    for _ in range(14):
        again = await second.submit("/totp", code=f"{code[:3]}\u00a0{code[3:]}")
        assert (again.status_code, "used already" in again.text) == (400, True)
    # three tries are still three: two wrong ones, then the right one
    for _ in range(2):
        wrong = await second.submit("/totp", code=f"{(int(code) + 1000) % 10**6:06d}")
        assert (wrong.status_code, "is not right" in wrong.text) == (400, True)
    again = await second.submit("/totp", code=code)
    assert "used already" in again.text
    assert "code" in parameters(await second.submit("/totp", code=provider.totp(after=timedelta(seconds=30))))


async def test_only_the_very_code_that_was_accepted_is_free(provider: Provider) -> None:
    first, second = await at_the_app(provider), await at_the_app(provider, "192.0.2.2")
    assert "code" in parameters(await first.submit("/totp", code=provider.totp()))
    form = second.form("/totp")
    for _ in range(3):
        page = await second.submit("/totp", code=provider.totp(after=timedelta(seconds=-30)))
        assert "is not right" in page.text
    typed = {each.name: each.value for each in form.fields} | {"code": provider.totp(after=timedelta(seconds=30))}
    assert (await second.post(form.action, typed)).status_code == 400


async def test_of_many_browsers_with_one_code_one_gets_in(provider: Provider) -> None:  # TOTP-01
    browsers = [await at_the_app(provider, f"192.0.2.{n}") for n in range(1, 6)]
    code = provider.totp()
    answers = await asyncio.gather(*(browser.submit("/totp", follow=False, code=code) for browser in browsers))
    assert {answer.status_code for answer in answers} <= {303, 400}
    inside = 0
    for browser in browsers:
        answer = await browser.get(provider.authorize_url(prompt="none"))
        inside += "code=" in answer.headers["location"]
    assert inside == 1


async def test_steps_only_move_forward(provider: Provider) -> None:  # TOTP-03
    browser, other = await at_the_app(provider), await at_the_app(provider, "192.0.2.2")
    assert "code" in parameters(await browser.submit("/totp", code=provider.totp()))
    before = provider.totp(after=timedelta(seconds=-30))
    assert (await other.submit("/totp", code=before)).status_code == 400
    assert "code" in parameters(await other.submit("/totp", code=provider.totp(after=timedelta(seconds=30))))


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_one_step_of_drift_is_accepted(provider: Provider, steps: int, accepted: bool) -> None:  # TOTP-04
    browser = await at_the_app(provider)
    code = provider.totp(after=timedelta(seconds=30 * steps))
    answer = await browser.submit("/totp", follow=False, code=code)
    assert answer.status_code == (303 if accepted else 400)


async def test_three_wrong_codes_pause_the_app_too(provider: Provider) -> None:  # promise 5
    browser = await at_the_app(provider)
    path = browser.form("/totp").action
    form = own_token(provider, browser, path)
    right = provider.totp()
    answers = await asyncio.gather(
        *(browser.http.post(path, data={**form, "code": f"{(int(right) + n) % 10**6:06d}"}) for n in range(1000, 1040))
    )
    assert {answer.status_code for answer in answers} <= {400, 429}
    looked_at = [answer for answer in answers if "is not right" in answer.text]
    assert len(looked_at) <= 3
