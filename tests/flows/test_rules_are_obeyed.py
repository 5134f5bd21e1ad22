"""What an operator writes into the policy is what holds: a row of each table, over HTTP."""

from datetime import timedelta

import pytest

from idp.model import Notice
from tests.world.account_pages import apps, code_for, come_in, key_on, notices
from tests.world.asking import offline_code
from tests.world.policies import rule
from tests.world.provider import PASSWORD, Provider, claims, parameters

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "visits"),
    [
        pytest.param('[sessions]\nidle = "5m"', [4 * MINUTE, 4 * MINUTE, 5 * MINUTE + SECOND], id="not used"),
        pytest.param('[sessions]\nidle = "5m"\nlife = "9m"', [4 * MINUTE, 4 * MINUTE, 2 * MINUTE], id="old"),
    ],
)
async def test_a_session_ends_when_the_policy_says(provider: Provider, text: str, visits: list[timedelta]) -> None:
    rule(provider, text)
    browser = provider.browser()
    await provider.sign_in(browser)
    answers = []
    for later in visits:
        provider.clock.move(later)
        answers.append(parameters(await browser.get(provider.authorize_url(prompt="none"))))
        if "code" in answers[-1]:
            assert (await provider.redeem(answers[-1]["code"])).status_code == 200
    assert ["code" in answer for answer in answers] == [True, True, False]
    assert answers[-1]["error"] == "login_required"


async def test_codes_and_id_tokens_live_as_long_as_the_policy_says(provider: Provider) -> None:
    rule(provider, '[tokens]\ncode = "10s"\nid_token = "1m"')
    first, late = [await provider.code(provider.browser(), name) for name in ("alice", "bob")]
    provider.clock.move(9 * SECOND)
    told = claims((await provider.redeem(first)).json()["id_token"])
    assert told["exp"] - told["iat"] == 60
    provider.clock.move(2 * SECOND)
    assert (await provider.redeem(late)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(("later", "status"), [(4 * SECOND, 200), (6 * SECOND, 400)])
async def test_a_refresh_is_repeated_as_long_as_the_policy_says(
    provider: Provider, later: timedelta, status: int
) -> None:
    rule(provider, '[tokens]\nforgiven = "5s"')
    given = (await provider.redeem(await offline_code(provider))).json()["refresh_token"]
    assert (await provider.token(grant_type="refresh_token", refresh_token=given)).status_code == 200
    provider.clock.move(later)
    assert (await provider.token(grant_type="refresh_token", refresh_token=given)).status_code == status


async def test_a_page_ends_when_the_policy_says(provider: Provider) -> None:
    rule(provider, '[interaction]\nttl = "2m"')
    browser = provider.browser()
    await provider.half_way(browser)
    code = await provider.texted(browser)
    provider.clock.move(2 * MINUTE)
    assert browser.page is not None
    here = browser.page.url.path.split("/")[2]
    answer = await browser.submit("/sms", code=code)
    assert answer.url.path.startswith("/i/")
    assert answer.url.path.split("/")[2] != here


async def test_a_limit_is_what_the_policy_says(provider: Provider) -> None:
    rule(provider, '[limits]\ncode_failures = { free = 1, base = "1h", cap = "1h" }')
    browser = provider.browser()
    await provider.half_way(browser)
    code = await provider.texted(browser)
    await browser.submit("/sms", code=f"{(int(code) + 1) % 10**6:06}")
    assert (await browser.submit("/sms", code=code)).status_code == 429


@pytest.mark.parametrize(("later", "forgiven"), [(4 * SECOND, True), (5 * SECOND, False)])
async def test_a_form_is_sent_again_as_long_as_the_policy_says(
    provider: Provider, later: timedelta, *, forgiven: bool
) -> None:
    rule(provider, '[sessions]\nforgiven = "5s"')
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    form, old = browser.form("/password"), browser.token
    fields = {each.name: each.value for each in form.fields} | {"username": "bob", "password": PASSWORD}
    await browser.post(form.action, fields, follow=False)
    provider.clock.move(later)
    again = await provider.browser().http.post(form.action, data=fields, headers={"Cookie": f"stile={old}"})
    assert ("stile" in again.cookies) is forgiven


async def test_a_key_on_the_screen_is_good_as_long_as_the_policy_says(provider: Provider) -> None:
    rule(provider, '[enrolment]\nttl = "2m"')
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get("/account/authenticators/new")
    key = key_on(await browser.submit("/account/authenticators/new")) or ""
    provider.clock.move(2 * MINUTE)
    await browser.submit("/confirm", code=code_for(provider, key))
    assert await apps(provider, "bob") == []


async def test_wrong_codes_are_told_as_soon_and_as_often_as_the_policy_says(provider: Provider) -> None:
    rule(provider, "[notices]\nwrong_codes = 1\n[limits]\ncode_notices = { per_day = 2 }")
    browser = provider.browser()
    await provider.half_way(browser)
    for _ in range(3):
        await browser.submit("/totp", code="000000")
    assert len(await notices(provider, Notice.CODES_WRONG)) == 2
