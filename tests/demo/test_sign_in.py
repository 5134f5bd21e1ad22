"""Signing in: what a relying party must refuse, and that nobody is signed in after a refusal."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from joserfc import jwt

from tests.world.stub_provider import (
    BANK,
    EC_KEY,
    ISSUER,
    KEY,
    NOTES,
    OTHER_KEY,
    TWO,
    Browser,
    Claims,
    Stub,
    World,
    half_hash,
    sign_in,
    signed_with_the_public_key,
    unsigned,
)


async def _nobody_is_signed_in(browser: Browser) -> None:
    assert browser.page.status_code == 400
    assert "Signing in did not work" in browser.text
    await browser.open(f"{BANK}/")
    assert "How you signed in" not in browser.text


async def test_a_good_answer_signs_in_and_shows_how(browser: Browser) -> None:
    await sign_in(browser)
    assert "Hello, Alice Ader" in browser.text
    assert TWO in browser.text
    assert "pwd, sms, mfa" in browser.text
    assert "15 January 2026, 12:00 UTC" in browser.text


async def test_the_request_carries_pkce_state_and_nonce_anew_each_time(browser: Browser, stub: Stub) -> None:
    for _ in range(2):
        await browser.open(f"{BANK}/login")
    first, second = stub.asked
    assert first["response_type"] == "code"
    assert first["scope"] == "openid profile"
    assert first["code_challenge_method"] == "S256"
    assert "acr_values" not in first  # the provider owns the rule
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) == 43
        assert first[name] != second[name]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"state": "guessed"}, id="state-of-somebody-else"),
        pytest.param({"state": None}, id="no-state"),
        pytest.param({"iss": "https://evil.example"}, id="mix-up"),
        pytest.param({"iss": None}, id="no-iss"),
        pytest.param({"iss": f"{ISSUER}/"}, id="iss-with-a-slash"),
        pytest.param({"code": None}, id="no-code"),
        pytest.param({"code": "guessed"}, id="code-the-provider-does-not-know"),
        pytest.param(
            {"iss": "https://evil.example", "error": "access_denied", "code": None}, id="error-of-another-issuer"
        ),
    ],
)
async def test_an_answer_that_is_not_ours_signs_nobody_in(
    browser: Browser, stub: Stub, answer: dict[str, str | None]
) -> None:
    stub.answer = answer
    await browser.open(f"{BANK}/login")
    await _nobody_is_signed_in(browser)


async def test_a_parameter_that_comes_twice_is_refused(browser: Browser) -> None:
    await browser.open(f"{BANK}/login", stop_before=f"{BANK}/callback")
    await browser.open(f"{browser.target}&code={browser.target.params['code']}")
    await _nobody_is_signed_in(browser)


async def test_an_answer_works_in_the_browser_that_asked_and_once(world: World, browser: Browser, stub: Stub) -> None:
    await browser.open(f"{BANK}/login", stop_before=f"{BANK}/callback")
    answer = str(browser.target)
    await _nobody_is_signed_in(await world.browser().open(answer))
    await browser.open(answer)
    assert browser.at == f"{BANK}/"
    assert "How you signed in" in browser.text
    redeemed = len(stub.redeemed)
    await browser.open(answer)
    assert browser.at == f"{BANK}/", "who is signed in goes on"
    assert len(stub.redeemed) == redeemed


async def test_an_answer_that_took_too_long_is_refused(browser: Browser, stub: Stub) -> None:
    await browser.open(f"{BANK}/login", stop_before=f"{BANK}/callback")
    stub.clock.move(timedelta(minutes=29, seconds=59))
    await browser.open(f"{BANK}/")  # the session is kept, the login is not
    stub.clock.move(timedelta(seconds=2))
    await browser.open(str(browser.target) if browser.page.is_redirect else f"{BANK}/callback?state=x")
    assert browser.page.status_code == 400


async def test_who_is_signed_in_and_goes_back_to_an_old_answer_goes_on(browser: Browser) -> None:
    """Back, over the provider's page, brings an answer whose state was used: it is no reason for an error page."""
    await sign_in(browser)
    await browser.open(f"{BANK}/callback?state=used&iss={ISSUER}&code=c")
    assert browser.page.status_code == 200
    assert "Hello, Alice Ader" in browser.text


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"iss": "http://localhost:8009"}, id="iss"),
        pytest.param({"iss": None}, id="no-iss"),
        pytest.param({"aud": "notes"}, id="aud-of-another-client"),
        pytest.param({"aud": ["bank", "notes"]}, id="aud-with-somebody-else"),
        pytest.param({"aud": ["bank", "notes"], "azp": "bank"}, id="aud-with-somebody-else-and-azp"),
        pytest.param({"aud": None}, id="no-aud"),
        pytest.param({"azp": "notes"}, id="azp-of-another-client"),
        pytest.param({"nonce": "another"}, id="nonce"),
        pytest.param({"nonce": None}, id="no-nonce"),
        pytest.param({"nonce": ["x"]}, id="nonce-of-another-kind"),
        pytest.param({"exp": None}, id="no-exp"),
        pytest.param({"exp": "2000000000"}, id="exp-as-text"),
        pytest.param({"exp": True}, id="exp-as-truth"),
        pytest.param({"exp": float("nan")}, id="exp-not-a-number"),
        pytest.param({"iat": None}, id="no-iat"),
        pytest.param({"sub": None}, id="no-sub"),
        pytest.param({"sub": ""}, id="empty-sub"),
        pytest.param({"sub": 7}, id="sub-as-number"),
        pytest.param({"at_hash": half_hash("another token")}, id="at-hash"),
        pytest.param({"at_hash": ""}, id="empty-at-hash"),
    ],
)
async def test_an_id_token_with_a_wrong_claim_signs_nobody_in(browser: Browser, stub: Stub, changed: Claims) -> None:
    stub.id_claims = changed
    await browser.open(f"{BANK}/login")
    await _nobody_is_signed_in(browser)


@pytest.mark.parametrize(("seconds", "good"), [(-31, False), (-30, False), (-29, True)])
async def test_an_id_token_ends_half_a_minute_after_exp(
    browser: Browser, stub: Stub, seconds: int, *, good: bool
) -> None:
    stub.id_claims = {"exp": stub.seconds() + seconds}
    await browser.open(f"{BANK}/login")
    assert ("How you signed in" in browser.text) is good


@pytest.mark.parametrize(("seconds", "good"), [(31, False), (30, True)])
async def test_an_id_token_from_the_future_is_refused(
    browser: Browser, stub: Stub, seconds: int, *, good: bool
) -> None:
    stub.id_claims = {"iat": stub.seconds() + seconds}
    await browser.open(f"{BANK}/login")
    assert ("How you signed in" in browser.text) is good


@pytest.mark.parametrize("missing", [{"at_hash": None}, {"name": None}, {"aud": ["bank"]}, {"azp": "bank"}])
async def test_an_id_token_may_leave_out_what_is_optional(browser: Browser, stub: Stub, missing: Claims) -> None:
    stub.id_claims = missing
    await sign_in(browser)
    assert "How you signed in" in browser.text


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(unsigned, id="alg-none"),
        pytest.param(lambda claims: unsigned(claims, alg="None"), id="alg-None"),
        pytest.param(lambda claims: unsigned(claims, alg="RS256"), id="no-signature"),
        pytest.param(lambda claims: Stub().signed(claims, key=OTHER_KEY), id="key-not-listed"),
        pytest.param(lambda claims: Stub().signed(claims, key=OTHER_KEY, kid="one"), id="key-under-a-listed-name"),
        pytest.param(lambda claims: Stub().signed(claims)[:-8] + "AAAAAAAA", id="broken-signature"),
        pytest.param(lambda claims: Stub().signed(claims, typ="at+jwt"), id="an-access-token"),
        pytest.param(
            lambda claims: jwt.encode({"alg": "ES256", "kid": "ec"}, claims, EC_KEY), id="listed-key-other-alg"
        ),
        pytest.param(signed_with_the_public_key, id="hmac-with-the-public-key"),
        pytest.param(lambda _: "no.jwt", id="two-parts"),
        pytest.param(lambda _: "WyJhbGciXQ.e30.AA", id="a-list-for-a-header"),
    ],
)
async def test_a_forged_id_token_signs_nobody_in(browser: Browser, stub: Stub, sign: Callable[[Claims], str]) -> None:
    stub.sign = sign
    await browser.open(f"{BANK}/login")
    await _nobody_is_signed_in(browser)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"id_token": None}, id="no-id-token"),
        pytest.param({"access_token": 7}, id="access-token-of-another-kind"),
    ],
)
async def test_a_token_response_without_its_parts_signs_nobody_in(browser: Browser, stub: Stub, told: Claims) -> None:
    stub.tokens = told
    await browser.open(f"{BANK}/login")
    await _nobody_is_signed_in(browser)


async def test_new_keys_are_fetched_when_a_token_names_them_but_not_all_the_time(browser: Browser, stub: Stub) -> None:
    await sign_in(browser)
    assert stub.keys_read == 1
    stub.signing_key, stub.listed = OTHER_KEY, [KEY, OTHER_KEY]
    await browser.open(f"{BANK}/login")
    assert browser.page.status_code == 400  # asked a moment ago
    assert stub.keys_read == 1
    stub.clock.move(timedelta(seconds=10))
    await sign_in(browser)
    assert stub.keys_read == 2


async def test_a_retired_key_is_forgotten(browser: Browser, stub: Stub) -> None:
    await sign_in(browser)
    stub.listed = [OTHER_KEY]
    stub.clock.move(timedelta(minutes=10))
    await browser.open(f"{BANK}/login")
    assert browser.page.status_code == 400


@pytest.mark.parametrize("listed", [["text", {"kid": "odd", "kty": "odd"}, {"kty": "RSA", "kid": "half"}, KEY]])
async def test_keys_that_make_no_sense_are_skipped(browser: Browser, stub: Stub, listed: list[object]) -> None:
    stub.listed = [key for key in listed if not isinstance(key, str)]
    await sign_in(browser)


async def test_a_key_for_encryption_verifies_nothing(browser: Browser, stub: Stub) -> None:
    stub.listed = [KEY.as_dict(private=False) | {"use": "enc"}, OTHER_KEY]
    await browser.open(f"{BANK}/login")
    await _nobody_is_signed_in(browser)


async def test_the_client_secret_is_encoded_before_basic(browser: Browser, stub: Stub) -> None:
    await sign_in(browser)  # the stub compares bank's secret with its colon, plus, percent and slash
    assert "client_secret" not in stub.redeemed[0]


@pytest.mark.parametrize("app", [BANK, NOTES])
async def test_whoever_is_signed_in_and_allows_nothing_is_told_so(browser: Browser, stub: Stub, app: str) -> None:
    await sign_in(browser, app)
    stub.refuse = ("access_denied", "The person did not agree.")
    await browser.open(f"{app}/login")
    assert browser.page.status_code == 403
    assert "You did not allow it" in browser.text
    assert "You stopped signing in" not in browser.text
    stub.refuse = None
    await browser.open(f"{app}/")
    assert "How you signed in" in browser.text


@pytest.mark.parametrize(
    ("error", "title"),
    [
        ("access_denied", "You stopped signing in"),
        ("server_error", "Signing in did not work"),
        ("<script>alert(1)</script>", "Signing in did not work"),
    ],
)
@pytest.mark.parametrize("app", [BANK, NOTES])
async def test_a_refusal_at_the_provider_ends_on_a_page_that_says_so(
    browser: Browser, stub: Stub, app: str, error: str, title: str
) -> None:
    stub.refuse = (error, "<b>because</b>")
    await browser.open(f"{app}/login")
    assert browser.page.status_code == 403
    assert title in browser.text
    assert "<b>" not in browser.text
    assert "<script" not in browser.text


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"down": True}, id="nobody-listens"),
        pytest.param({"token_status": 500}, id="500"),
        pytest.param({"token_body": b"<html>"}, id="html"),
        pytest.param({"token_body": b"[]"}, id="a-list"),
        pytest.param({"token_body": b"[" * 100_000}, id="deep"),
        pytest.param({"token_body": b'{"access_token":"a"}'}, id="no-token-type"),
        pytest.param({"token_body": b'{"error":"invalid_client"}', "token_status": 401}, id="our-own-mistake"),
    ],
)
async def test_a_provider_that_cannot_answer_gives_a_friendly_503(
    browser: Browser, stub: Stub, broken: dict[str, object]
) -> None:
    await browser.open(f"{BANK}/login", stop_before=f"{BANK}/callback")
    for name, value in broken.items():
        setattr(stub, name, value)
    await browser.open(str(browser.target))
    assert browser.page.status_code == 503
    assert "Signing in is not available" in browser.text
    assert browser.page.headers["retry-after"] == "10"


@pytest.mark.parametrize("metadata", [{"issuer": f"{ISSUER}/"}, {"authorization_endpoint": None}])
async def test_metadata_of_another_issuer_or_without_endpoints_are_not_used(
    browser: Browser, stub: Stub, metadata: Claims
) -> None:
    stub.metadata = metadata
    await browser.open(f"{BANK}/login")
    assert browser.page.status_code == 503


async def test_signing_in_while_the_provider_is_down_says_so_and_works_later(browser: Browser, stub: Stub) -> None:
    stub.down = True
    await browser.open(f"{BANK}/login")
    assert browser.page.status_code == 503
    stub.down = False
    await sign_in(browser)
