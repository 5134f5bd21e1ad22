"""Stepping up under attack (threats.md 3, STP)."""

from datetime import timedelta

import pytest

from tests.world.provider import PASSWORD, Provider, claims, parameters
from tests.world.stage import STRONG, TWO_FACTOR, consent, elevate, error_of, own_token, tokens

TRANSFER = "openid transfers:write"


@pytest.mark.parametrize(
    "changes",
    [{}, {"acr_values": TWO_FACTOR}, {"acr_values": "urn:stile:1fa pwd sms"}, {"acr_values": f"{TWO_FACTOR} {STRONG}"}],
)
async def test_a_transfer_asks_for_the_app_whatever_the_client_says(
    provider: Provider, changes: dict[str, str]
) -> None:  # STP-01 STP-02
    browser = provider.browser()
    await provider.sign_in(browser)
    page = await browser.get(provider.authorize_url(scope=TRANSFER, **changes))
    assert browser.form("/totp").action
    assert "/sms" not in page.text
    here = page.url.path
    for ending in ("sms", "sms/send", "recovery", "recovery/send", "email"):
        path = f"{here}/{ending}"
        answer = await browser.http.post(path, data={**own_token(provider, browser, path), "code": "123456"})
        assert answer.status_code in {400, 404, 405}, ending
    for path in (f"{here}/sms", f"{here}/recovery"):
        shown = await browser.get(path)
        assert "/totp" in shown.text
        assert f'action="{path}"' not in shown.text
    action = f"{here}/totp"
    smuggled = {**own_token(provider, browser, action), "method": "sms", "factor": "sms", "code": "123456"}
    assert (await browser.http.post(action, data=smuggled)).status_code == 400
    assert await provider.deliver() == provider.gateway.codes()
    await browser.get(here)
    told = parameters(await browser.submit("/totp", code=provider.totp()))
    issued = (await provider.redeem(told["code"])).json()
    for name in ("id_token", "access_token"):
        assert claims(issued[name])["acr"] == STRONG


async def test_a_saved_code_does_not_open_a_transfer(provider: Provider) -> None:  # promise 3
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    await browser.get(f"{page.url.path}/recovery")
    answer = await browser.submit("/recovery", code=provider.saved["alice"][0])
    issued = (await provider.redeem(parameters(answer)["code"])).json()
    assert claims(issued["id_token"])["acr"] == TWO_FACTOR
    page = await browser.get(provider.authorize_url(scope=TRANSFER))
    assert browser.form("/totp").action
    path = f"{page.url.path}/recovery"
    posted = {**own_token(provider, browser, path), "code": provider.saved["alice"][1]}
    assert (await browser.http.post(path, data=posted)).status_code == 400


async def test_another_application_cannot_ride_on_an_elevation(provider: Provider) -> None:  # STP-07
    browser = provider.browser()
    await provider.sign_in(browser)
    await elevate(provider, browser)
    provider.clock.move(timedelta(seconds=35))
    assert error_of(await browser.get(provider.authorize_url("notes", scope=TRANSFER, prompt="none")))
    await browser.get(provider.authorize_url("notes", scope=TRANSFER))
    assert browser.page is not None
    assert "Acme Notes" in browser.page.text
    assert "Acme Bank" not in browser.page.text
    assert "code" in parameters(await browser.submit("/totp", code=provider.totp()))


async def test_a_second_transfer_asks_again(provider: Provider) -> None:  # promise 4
    browser = provider.browser()
    await provider.sign_in(browser)
    await elevate(provider, browser)
    page = await browser.get(provider.authorize_url(scope=TRANSFER))
    assert page.status_code == 200
    assert browser.form("/totp").action


async def test_no_step_can_be_skipped(provider: Provider) -> None:  # STP-10
    browser = provider.browser()
    page = await provider.store(browser, scope=TRANSFER, prompt="consent")
    here = page.url.path
    other = provider.browser()
    theirs = (await provider.store(other)).url.path

    async def nothing_issued(*more: str) -> None:
        for path in ("/consent", "/totp", "/sms", "/sms/send", "/totp/send", "/recovery", *more):
            action = here + path
            for form in ({}, {"decision": "allow", "scope": "openid", "code": "000000", "account": ""}):
                answer = await browser.http.post(action, data={**own_token(provider, browser, action), **form})
                assert "code=" not in answer.headers.get("location", "")
                assert answer.status_code in {303, 400}, (path, answer.status_code)
        for method in ("GET", "HEAD"):
            answer = await browser.http.request(method, here)
            assert answer.status_code == 200
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            assert (await browser.http.request(method, here)).status_code == 405
        for path in (theirs, f"{theirs}/totp"):
            started = await browser.http.get(path)
            assert started.headers["location"].startswith("/i/")
            assert not started.headers["location"].startswith((theirs, here))

    await nothing_issued("/account")
    await browser.get(here)
    await browser.submit("/password", username="alice", password=PASSWORD)
    await nothing_issued()
    await browser.get(here)
    await browser.submit("/totp", code=provider.totp())
    answer = await browser.http.get(here)
    assert answer.status_code == 200
    assert "code" in parameters(await consent(browser))


async def test_a_password_alone_opens_nothing(provider: Provider) -> None:  # STP-14 promise 1
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username="alice", password=PASSWORD)
    for changes in ({}, {"scope": "profile"}, {"acr_values": ""}, {"max_age": "10000"}):
        page = await browser.http.get(provider.authorize_url(prompt="none", **changes))
        assert error_of(page) == "login_required"
    for path in ("/account", "/account/password", "/account/authenticators/new", "/account/recovery-codes"):
        answer = await browser.http.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/i/")
    for path in ("/account/sessions/end-others", "/account/password", "/account/recovery-codes"):
        form = {**own_token(provider, browser, path), "password": "x" * 20, "repeat": "x" * 20}
        answer = await browser.http.post(path, data=form)
        assert answer.status_code in {303, 400, 403}
        assert "Alice" not in answer.text
    assert (await browser.http.get("/userinfo")).status_code == 401


async def test_an_open_transfer_does_not_raise_tokens_issued_before(provider: Provider) -> None:  # C16
    browser = provider.browser()
    issued = await tokens(provider, browser)
    await elevate(provider, browser)
    seen = await provider.introspect(issued["access_token"])
    assert (seen["acr"], seen["scope"]) == (TWO_FACTOR, "openid")
