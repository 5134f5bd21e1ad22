"""prompt, max_age, acr: asking again and stepping up (protocol.md C)."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.world.asking import count
from tests.world.provider import PASSWORD, Browser, Provider, claims, parameters
from tests.world.stage import (
    MOBILE_URI,
    STRONG,
    TWO_FACTOR,
    consent,
    elevate,
    error_of,
    lasting,
    refresh,
    tokens,
    userinfo,
)

TRANSFER = "openid transfers:write"


async def id_token(provider: Provider, answer: dict[str, str]) -> dict[str, Any]:
    issued = await provider.redeem(answer["code"])
    return claims(issued.json()["id_token"])


async def again(provider: Provider, browser: Browser, **changes: str) -> dict[str, str]:
    """The answer to a request that nobody is asked about."""
    return parameters(await browser.get(provider.authorize_url(**changes)))


async def test_silence_without_a_session_is_login_required(provider: Provider) -> None:  # C1
    answer = await provider.browser().http.get(provider.authorize_url(prompt="none"))
    assert answer.status_code == 303
    assert error_of(answer) == "login_required"
    assert "set-cookie" not in answer.headers


async def test_silence_with_half_a_session_is_login_required(provider: Provider) -> None:  # C1 promise 1
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username="alice", password=PASSWORD)
    assert error_of(await browser.get(provider.authorize_url(prompt="none"))) == "login_required"


async def test_silence_with_a_session_says_the_same_person_and_time(provider: Provider) -> None:  # C2
    browser = provider.browser()
    first = await id_token(provider, parameters(await provider.sign_in(browser)))
    provider.clock.move(timedelta(minutes=20))
    second = await id_token(provider, await again(provider, browser, prompt="none"))
    assert (first["sub"], first["auth_time"]) == (second["sub"], second["auth_time"])
    assert second["iat"] > first["iat"]


async def test_silence_where_consent_is_missing_is_an_error(provider: Provider) -> None:  # C1
    browser = provider.browser()
    await provider.sign_in(browser)
    url = provider.authorize_url("shop", redirect_uri="http://localhost:8003/callback", prompt="none")
    assert error_of(await browser.get(url)) == "consent_required"


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "1"}])
async def test_asked_to_sign_in_again_a_person_proves_both_factors_again(
    provider: Provider, changes: dict[str, str]
) -> None:  # C4 C7 C8 STP-04
    browser = provider.browser()
    first = await id_token(provider, parameters(await provider.sign_in(browser)))
    provider.clock.move(timedelta(seconds=90))
    asked_at = provider.clock.now()
    page = await browser.get(provider.authorize_url(**changes))
    assert browser.form("/password").action
    assert "alice" in page.text
    await browser.submit("/password", username="alice", password=PASSWORD)
    provider.clock.move(timedelta(seconds=3))
    done = await browser.submit("/sms", code=await provider.texted(browser))
    second = await id_token(provider, parameters(done))
    assert second["auth_time"] >= int(asked_at.timestamp())
    assert second["auth_time"] > first["auth_time"]
    assert second["sub"] == first["sub"]


async def test_consent_is_asked_again_when_the_client_wants_it(provider: Provider) -> None:  # C5
    browser = provider.browser()
    await provider.sign_in(browser)
    for _ in range(2):
        await browser.get(provider.authorize_url(prompt="consent"))
        assert "code" in parameters(await consent(browser))


async def test_an_account_can_be_chosen_or_another_one_used(provider: Provider) -> None:  # C5
    browser = provider.browser()
    await provider.sign_in(browser)
    url = provider.authorize_url(prompt="select_account")
    page = await browser.get(url)
    account = page.text.split('name="account" value="')[1].split('"')[0]
    assert "code" in parameters(await browser.submit("/account", account=account))
    await browser.get(url)
    before = browser.token
    page = await browser.submit("/account", account="")
    assert browser.form("/password").action
    assert browser.token != before
    assert "Alice" not in page.text


async def test_a_generous_max_age_asks_nothing(provider: Provider) -> None:  # C9
    browser = provider.browser()
    first = await id_token(provider, parameters(await provider.sign_in(browser, max_age="10000")))
    provider.clock.move(timedelta(minutes=30))
    second = await id_token(provider, await again(provider, browser, max_age="10000"))
    assert first["auth_time"] == second["auth_time"]


@pytest.mark.parametrize("asked", [TWO_FACTOR, f"{TWO_FACTOR} {STRONG}", f"urn:unknown {TWO_FACTOR}"])
async def test_a_level_the_session_has_is_asserted(provider: Provider, asked: str) -> None:  # C11
    browser = provider.browser()
    await provider.sign_in(browser)
    found = await id_token(provider, await again(provider, browser, acr_values=asked))
    assert found["acr"] == TWO_FACTOR


@pytest.mark.parametrize(
    "changes",
    [
        {"acr_values": STRONG},
        {"claims": json.dumps({"id_token": {"acr": {"essential": True, "value": STRONG}}})},
        {"claims": json.dumps({"id_token": {"acr": {"values": [STRONG]}}})},
    ],
)
async def test_a_higher_level_asks_for_the_missing_factor_alone(
    provider: Provider, changes: dict[str, str]
) -> None:  # C12
    browser = provider.browser()
    await provider.sign_in(browser)
    signed_in_at = int(provider.clock.now().timestamp())
    provider.clock.move(timedelta(minutes=1))
    await browser.get(provider.authorize_url(**changes))
    found = await id_token(provider, parameters(await browser.submit("/totp", code=provider.totp())))
    assert found["acr"] == STRONG
    assert found["amr"] == ["pwd", "otp", "mfa"]
    assert found["auth_time"] == signed_in_at


@pytest.mark.parametrize(
    ("username", "value"), [("alice", "phr"), ("alice", "urn:unknown"), ("bob", STRONG), ("alice", "urn:stile:1fa")]
)
async def test_an_essential_level_out_of_reach_is_an_error(
    provider: Provider, username: str, value: str
) -> None:  # C13
    browser = provider.browser()
    await provider.sign_in(browser, username)
    asked = json.dumps({"id_token": {"acr": {"essential": True, "values": [value]}}})
    answer = await browser.get(provider.authorize_url(claims=asked))
    assert error_of(answer) == "unmet_authentication_requirements"


async def test_a_transfer_shows_the_higher_level_everywhere_and_only_when_it_was_earned(
    provider: Provider,
) -> None:  # C14
    browser = provider.browser()
    ordinary = await tokens(provider, browser)
    issued = (await provider.redeem((await elevate(provider, browser))["code"])).json()
    seen = await provider.introspect(issued["access_token"])
    for found in (claims(issued["id_token"]), claims(issued["access_token"]), seen):
        assert found["acr"] == STRONG
    assert "transfers:write" in seen["scope"]
    before = await provider.introspect(ordinary["access_token"])
    assert before["acr"] == TWO_FACTOR
    assert "transfers:write" not in before["scope"]
    assert issued["expires_in"] <= 300


@pytest.mark.parametrize("changes", [{}, {"acr_values": TWO_FACTOR}, {"acr_values": STRONG}, {"prompt": "login"}])
async def test_without_an_app_a_transfer_is_never_granted(provider: Provider, changes: dict[str, str]) -> None:  # C14
    browser = provider.browser()
    await provider.sign_in(browser, "bob")
    provider.clock.move(timedelta(minutes=2))
    answer = await browser.get(provider.authorize_url(scope=TRANSFER, **changes))
    if answer.status_code == 200:
        answer = await browser.submit("/password", username="bob", password=PASSWORD)
    assert error_of(answer) == "unmet_authentication_requirements"


async def test_silence_never_steps_up(provider: Provider) -> None:  # C15
    browser = provider.browser()
    await provider.sign_in(browser)
    assert error_of(await again_raw(provider, browser, scope=TRANSFER)) == "interaction_required"
    await elevate(provider, browser)
    assert error_of(await again_raw(provider, browser, scope=TRANSFER)) == "interaction_required"


async def again_raw(provider: Provider, browser: Browser, **changes: str) -> Any:
    return await browser.get(provider.authorize_url(prompt="none", **changes))


async def test_stepping_up_changes_the_session_and_nothing_that_was_issued_before(provider: Provider) -> None:  # C16
    browser = provider.browser()
    before = await tokens(provider, browser)
    cookie = browser.token
    await elevate(provider, browser)
    assert browser.token != cookie
    stale = provider.browser()
    stale.http.cookies.set("stile", cookie or "")
    assert error_of(await again_raw(provider, stale)) == "login_required"
    assert (await provider.introspect(before["access_token"]))["acr"] == TWO_FACTOR
    page = await browser.get(provider.authorize_url(scope=TRANSFER))
    assert browser.form("/totp").action
    assert "/sms" not in page.text


async def test_an_api_that_wants_more_gets_it_with_a_new_token(provider: Provider) -> None:  # C17 RFC 9470
    browser = provider.browser()
    old = (await tokens(provider, browser))["access_token"]

    async def api(token: str, *, acr: str, max_age: int) -> str | None:
        """A resource server: the challenge of RFC 9470 3, or None where the token is good."""
        seen = await provider.introspect(token)
        age = int(provider.clock.now().timestamp()) - seen["auth_time"]
        if seen["acr"] != acr:
            return f'Bearer error="insufficient_user_authentication", acr_values="{acr}"'
        return None if age <= max_age else f'Bearer error="insufficient_user_authentication", max_age="{max_age}"'

    challenge = await api(old, acr=STRONG, max_age=60)
    assert challenge is not None
    await browser.get(provider.authorize_url(acr_values=challenge.split('acr_values="')[1].rstrip('"')))
    answer = parameters(await browser.submit("/totp", code=provider.totp()))
    new = (await provider.redeem(answer["code"])).json()["access_token"]
    assert await api(new, acr=STRONG, max_age=60) is None
    assert await api(old, acr=STRONG, max_age=60) is not None
    provider.clock.move(timedelta(seconds=90))
    challenge = await api(new, acr=STRONG, max_age=60)
    assert challenge is not None
    asked = {"acr_values": STRONG, "max_age": challenge.split('max_age="')[1].rstrip('"')}
    await browser.get(provider.authorize_url(**asked))
    await browser.submit("/password", username="alice", password=PASSWORD)
    answer = parameters(await browser.submit("/totp", code=provider.totp()))
    fresh = (await provider.redeem(answer["code"])).json()["access_token"]
    assert await api(fresh, acr=STRONG, max_age=60) is None


async def everywhere(provider: Provider, issued: dict[str, Any]) -> tuple[str, list[str], int]:
    """What is said of the sign-in: the same in ID token, access token and introspection, before and after a refresh."""
    said = [claims(issued["id_token"]), claims(issued["access_token"])]
    said.append(await provider.introspect(issued["access_token"]))
    if "refresh_token" in issued:
        said.append(await provider.introspect(issued["refresh_token"]))
        renewed = (await refresh(provider, issued["refresh_token"])).json()
        said += [claims(renewed["id_token"]), claims(renewed["access_token"])]
        said.append(await provider.introspect(renewed["access_token"]))
    told = {(each["acr"], tuple(each["amr"]), each["auth_time"]) for each in said if "acr" in each}
    assert len(told) == 1
    acr, amr, auth_time = told.pop()
    assert not {"acr", "amr", "auth_time"} & (await userinfo(provider, issued["access_token"])).json().keys()
    return acr, list(amr), auth_time


def seconds(provider: Provider) -> int:
    return int(provider.clock.now().timestamp())


async def test_auth_time_is_the_older_of_two_proofs_and_the_same_everywhere(provider: Provider) -> None:  # C18
    browser = provider.browser()
    first = await lasting(provider, browser)
    signed_in_at = seconds(provider)
    assert await everywhere(provider, first) == (TWO_FACTOR, ["pwd", "sms", "mfa"], signed_in_at)
    provider.clock.move(timedelta(minutes=3))
    issued = (await provider.redeem((await elevate(provider, browser))["code"])).json()
    assert await everywhere(provider, issued) == (STRONG, ["pwd", "otp", "mfa"], signed_in_at)


async def by_app(provider: Provider, browser: Browser) -> int:
    """Sign alice in to the bank by her app; the moment."""
    await browser.get(provider.authorize_url(acr_values=STRONG))
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    await browser.get(f"{page.url.path}/totp")
    assert "code" in parameters(await browser.submit("/totp", code=provider.totp()))
    return seconds(provider)


@pytest.mark.parametrize("client", ["bank", "notes"])
async def test_a_password_alone_makes_no_proof_younger(provider: Provider, client: str) -> None:  # promise 10
    browser = provider.browser()
    proved_at = await by_app(provider, browser)
    for _ in range(20):
        provider.clock.move(timedelta(minutes=59))
        assert (await provider.redeem((await again(provider, browser))["code"])).status_code == 200
    # Somebody with the cookie and the password gives up at the second factor.
    await browser.get(provider.authorize_url(client, prompt="login"))
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    assert page.status_code == 200
    answer = await again(provider, browser, scope="openid offline_access")
    issued = (await provider.redeem(answer["code"])).json()
    assert await everywhere(provider, issued) == (STRONG, ["pwd", "otp", "mfa"], proved_at)


async def test_a_text_message_makes_no_app_younger(provider: Provider) -> None:  # promise 10
    browser = provider.browser()
    proved_at = await by_app(provider, browser)
    provider.clock.move(timedelta(minutes=30))
    await provider.sign_in(browser, prompt="login", acr_values=TWO_FACTOR)
    later = seconds(provider)
    strong = (await provider.redeem((await again(provider, browser))["code"])).json()
    assert await everywhere(provider, strong) == (STRONG, ["pwd", "otp", "mfa"], proved_at)
    weaker = (await provider.redeem((await again(provider, browser, acr_values=TWO_FACTOR))["code"])).json()
    assert await everywhere(provider, weaker) == (TWO_FACTOR, ["pwd", "sms", "mfa"], later)


async def test_an_app_proved_for_another_client_is_not_named(provider: Provider) -> None:  # promises 4 and 10
    browser = provider.browser()
    await by_app(provider, browser)
    url = provider.authorize_url("notes", scope="openid")
    issued = (await provider.redeem(parameters(await browser.get(url))["code"], "notes")).json()
    found = claims(issued["id_token"])
    assert (found["acr"], found["amr"]) == (TWO_FACTOR, ["pwd", "mfa"])


async def test_a_sign_in_in_another_tab_is_not_the_one_a_client_asked_for(provider: Provider) -> None:  # C4
    browser = provider.browser()
    await provider.sign_in(browser)
    provider.clock.move(timedelta(minutes=2))
    page = await browser.get(provider.authorize_url(prompt="login"))
    await provider.sign_in(browser, client_id="notes", prompt="login")
    await browser.get(str(page.url))
    assert browser.form("/password").action
    # nor is the password that was typed for the other, where this one's second factor is asked
    provider.clock.move(timedelta(minutes=2))
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    await provider.sign_in(browser, client_id="notes", prompt="login")
    assert (await browser.get(str(page.url))).status_code == 200


async def test_three_wrong_codes_end_a_code(provider: Provider) -> None:  # C19
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username="bob", password=PASSWORD)
    right = (await provider.deliver())[-1]
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    for _ in range(3):
        assert (await browser.submit("/sms", code=wrong)).status_code == 400
    page = await browser.get(str(browser.page.url) if browser.page else "")
    form = {"csrf": _csrf(provider, browser), "code": right}
    refused = await browser.http.post(page.url.path.removesuffix("/sms") + "/sms", data=form)
    assert refused.status_code == 400
    assert error_of(await again_raw(provider, browser)) == "login_required"


def _csrf(provider: Provider, browser: Browser) -> str:
    from uuid import UUID

    from idp.web import door

    assert browser.page is not None
    path = browser.page.url.path.removesuffix("/sms") + "/sms"
    return door.csrf(provider.idp, UUID(hex=(browser.token or "").partition(".")[0]), path)


async def test_a_used_code_and_another_interactions_code_are_refused(provider: Provider) -> None:  # C19 OTP-09
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username="bob", password=PASSWORD)
    form = browser.form("/sms")
    code = (await provider.deliver())[-1]
    csrf = form.fields[0].value
    assert "code" in parameters(await browser.post(form.action, {"csrf": csrf, "code": code}))
    events = await count(provider, "authentication_event")
    again = await browser.http.post(form.action, data={"csrf": csrf, "code": code})
    assert again.status_code == 303
    assert "set-cookie" not in again.headers
    assert await count(provider, "authentication_event") == events
    provider.clock.move(timedelta(minutes=2))
    elsewhere = provider.browser()
    await elsewhere.get(provider.authorize_url())
    await elsewhere.submit("/password", username="bob", password=PASSWORD)
    assert (await elsewhere.submit("/sms", code=code)).status_code == 400


async def test_a_second_text_message_has_to_wait(provider: Provider) -> None:  # C19
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    page = await browser.submit("/password", username="bob", password=PASSWORD)
    path = page.url.path + "/sms/send"
    await provider.deliver()
    form = {"csrf": _csrf_for(provider, browser, path)}
    refused = await browser.http.post(path, data=form)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    provider.clock.move(timedelta(seconds=int(refused.headers["retry-after"])))
    assert (await browser.http.post(path, data=form)).status_code == 303
    codes = await provider.deliver()
    assert len(codes) == 2
    assert codes[0] == codes[1]


def _csrf_for(provider: Provider, browser: Browser, path: str) -> str:
    from uuid import UUID

    from idp.web import door

    return door.csrf(provider.idp, UUID(hex=(browser.token or "").partition(".")[0]), path)


async def test_the_page_of_one_browser_is_nothing_to_another(provider: Provider) -> None:  # C20
    browser, other = provider.browser(), provider.browser()
    await browser.get(provider.authorize_url())
    form = browser.form("/password")
    page = await browser.submit("/password", username="bob", password=PASSWORD)
    assert (await other.get(page.url.path)).status_code == 400
    await other.get(provider.authorize_url())
    own = await other.get(page.url.path)
    assert own.status_code == 200
    assert own.url.path != page.url.path
    stolen = {each.name: each.value for each in form.fields} | {"username": "alice", "password": PASSWORD}
    assert (await other.http.post(form.action, data=stolen)).status_code == 403


async def test_a_form_sent_again_after_the_end_proves_nothing_and_starts_again(provider: Provider) -> None:  # C20
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    form = browser.form("/password")
    filled = {each.name: each.value for each in form.fields} | {"username": "alice", "password": PASSWORD}
    await browser.post(form.action, filled)
    assert "code" in parameters(await browser.submit("/sms", code=await provider.texted(browser)))
    events = await count(provider, "authentication_event")
    stale = await browser.http.get(form.action.replace("/password?", "?"))
    assert "set-cookie" not in stale.headers
    assert "code" in parameters(stale)
    assert await count(provider, "authentication_event") == events
    # the form itself is a new beginning, with a new cookie
    posted = await browser.http.post(form.action, data=filled)
    assert posted.cookies["stile"]
    assert "code" in parameters(await browser.get(posted.headers["location"]))
    assert await count(provider, "authentication_event") == events + 1


async def test_the_mobile_client_is_asked_for_the_level_too(provider: Provider) -> None:  # C12
    browser = provider.browser()
    await provider.sign_in(browser, client_id="mobile", redirect_uri=MOBILE_URI)
    await browser.get(provider.authorize_url("mobile", redirect_uri=MOBILE_URI, acr_values=STRONG))
    answer = await browser.submit("/totp", code=provider.totp())
    assert "code" in parse_qs(urlsplit(answer.headers["location"]).query)


async def test_refreshed_tokens_keep_the_level_they_were_earned_with(provider: Provider) -> None:  # C14 E6
    browser = provider.browser()
    issued = await lasting(provider, browser)
    await elevate(provider, browser)
    renewed = (await refresh(provider, issued["refresh_token"])).json()
    assert claims(renewed["access_token"])["acr"] == TWO_FACTOR
