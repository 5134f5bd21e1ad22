"""Acme Bank: accounts, transfers, the step-up, and its API."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from idp.demo.bank import STEP_UPS
from idp.demo.ledger import amount_of
from tests.world.stub_provider import (
    BANK,
    ISSUER,
    STRONG,
    TWO,
    Browser,
    Claims,
    Stub,
    World,
    path_of,
    prepare_transfer,
    sign_in,
    unsigned,
)


def approved(payee: str = "Jana Nováková", amount: str = "25.50") -> dict[str, Any]:
    return {"type": "payment", "amount": {"amount": amount, "currency": "EUR"}, "payee": payee}


async def test_a_transfer_asks_for_the_approval_of_just_that(browser: Browser, stub: Stub) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    assert "Check your transfer" in browser.text
    assert "€25.50" in browser.text
    assert "Jana Nováková" in browser.text
    await browser.press(f"{path_of(browser)}/confirm")
    assert stub.asked[-1]["scope"] == "openid"
    assert json.loads(stub.asked[-1]["authorization_details"]) == [approved()]
    assert {"acr_values", "max_age", "prompt"}.isdisjoint(stub.asked[-1])
    assert "Transfer sent" in browser.text
    assert "€25.50" in browser.text
    assert STRONG in browser.text
    await browser.open(f"{BANK}/")
    assert "\N{MINUS SIGN}€25.50" in browser.text
    assert "€4,255.00" in browser.text


async def test_a_confirmation_does_not_lift_the_session(browser: Browser) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    await browser.press(f"{path_of(browser)}/confirm")
    await browser.open(f"{BANK}/")
    assert TWO in browser.text
    assert STRONG not in browser.text


async def test_each_transfer_is_confirmed_anew(browser: Browser, stub: Stub) -> None:
    await sign_in(browser)
    for _ in range(2):
        await prepare_transfer(browser)
        await browser.press(f"{path_of(browser)}/confirm")
        assert "Transfer sent" in browser.text
    assert sum("authorization_details" in asked for asked in stub.asked) == 2


async def test_a_sent_transfer_cannot_be_sent_again(browser: Browser, stub: Stub) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    review, page = path_of(browser), browser.page
    await browser.press(f"{review}/confirm")
    asked = len(stub.asked)
    browser.page = page
    await browser.press(f"{review}/confirm")
    assert "Transfer sent" in browser.text
    assert len(stub.asked) == asked


async def test_two_confirmations_of_one_transfer_at_once_send_it_once(world: World, browser: Browser) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    review, page = path_of(browser), browser.page
    answers = []
    for _ in range(2):
        browser.page = page
        await browser.press(f"{review}/confirm", stop_before=f"{BANK}/callback")
        answers.append(browser.target)
    await asyncio.gather(*(browser.http.get(answer) for answer in answers))
    await browser.open(f"{BANK}/")
    assert browser.text.count("Jana Nováková") == 1
    assert "€4,255.00" in browser.text


async def test_the_loop_of_rfc_9470_is_obeyed(browser: Browser, stub: Stub) -> None:
    stub.needs_asking = True
    await sign_in(browser)
    await prepare_transfer(browser)
    await browser.press(f"{path_of(browser)}/confirm")
    assert [asked.get("acr_values") for asked in stub.asked] == [None, None, f"{STRONG} phr phrh"]
    assert "authorization_details" in stub.asked[-1]
    assert "Transfer sent" in browser.text


async def test_a_provider_that_never_reaches_the_level_does_not_send_people_round_for_ever(
    browser: Browser, stub: Stub
) -> None:
    stub.never_strong = True
    stub.id_claims = {"acr": STRONG}  # the ID token claims it, the access token does not have it
    await sign_in(browser)
    await prepare_transfer(browser)
    await browser.press(f"{path_of(browser)}/confirm")
    assert len(stub.asked) == 1 + 1 + STEP_UPS
    assert "The transfer was not sent" in browser.text
    await browser.open(f"{BANK}/")
    assert "€4,280.50" in browser.text


async def test_a_weaker_id_token_than_the_api_asked_for_is_refused(browser: Browser, stub: Stub) -> None:
    stub.never_strong = True
    await sign_in(browser)
    await prepare_transfer(browser)
    await browser.press(f"{path_of(browser)}/confirm")
    assert browser.page.status_code == 400
    await browser.open(f"{BANK}/")
    assert "€4,280.50" in browser.text


async def test_without_an_authenticator_app_a_page_says_what_to_do(browser: Browser, stub: Stub) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    stub.refuse = ("unmet_authentication_requirements", "Your new app <works> from 16 January, 12:00.")
    await browser.press(f"{path_of(browser)}/confirm")
    assert browser.page.status_code == 403
    assert "You need an authenticator app" in browser.text
    assert "Your new app &lt;works&gt; from 16 January, 12:00." in browser.text
    assert f'href="{ISSUER}/account"' in browser.text
    assert "€25.50" in browser.text
    here = str(browser.page.url)
    await browser.open(here)  # a reload
    assert "You need an authenticator app" in browser.text
    await browser.open(f"{BANK}/")
    assert "Jana" not in browser.text
    stub.refuse = None
    await browser.open(here.removesuffix("/refused"))
    await browser.press(f"{path_of(browser)}/confirm")
    assert "Transfer sent" in browser.text
    await browser.open(here)
    assert "Transfer sent" in browser.text


@pytest.mark.parametrize(
    ("error", "sentence"),
    [("access_denied", "You did not confirm this transfer"), ("server_error", "could not confirm this transfer")],
)
async def test_a_declined_confirmation_goes_back_to_the_transfer(
    browser: Browser, stub: Stub, error: str, sentence: str
) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    review = path_of(browser)
    stub.refuse = (error, "no")
    await browser.press(f"{review}/confirm")
    assert path_of(browser) == review
    assert sentence in browser.text
    stub.refuse = None
    await browser.press(f"{review}/confirm")
    assert "Transfer sent" in browser.text


async def test_somebody_else_cannot_confirm(browser: Browser, stub: Stub) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    stub.subject = "sub-bob"
    await browser.press(f"{path_of(browser)}/confirm")
    assert "Somebody else confirmed this" in browser.text
    await browser.open(f"{BANK}/")
    assert "€4,280.50" in browser.text
    assert "Hello, Alice Ader" in browser.text


async def test_a_confirmation_after_signing_out_does_nothing(browser: Browser) -> None:
    await sign_in(browser)
    account = browser.page
    await prepare_transfer(browser)
    await browser.press(f"{path_of(browser)}/confirm", stop_before=f"{BANK}/callback")
    answer = browser.target
    browser.page = account
    await browser.press("/logout")
    await browser.open(str(answer))
    assert browser.page.status_code == 400
    await sign_in(browser)
    assert "€4,280.50" in browser.text


async def test_a_confirmation_whose_transfer_was_cancelled_does_nothing(browser: Browser) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    review, page = path_of(browser), browser.page
    await browser.press(f"{review}/confirm", stop_before=f"{BANK}/callback")
    answer = browser.target
    browser.page = page
    await browser.press(f"{review}/cancel")
    assert "Hello" in browser.text
    await browser.open(str(answer))
    assert "€4,280.50" in browser.text
    assert STRONG not in browser.text


async def test_money_spent_meanwhile_is_not_spent_twice(browser: Browser) -> None:
    await sign_in(browser)
    await prepare_transfer(browser, amount="4000")
    first, page = path_of(browser), browser.page
    await prepare_transfer(browser, amount="4000", payee="Second")
    await browser.press(f"{path_of(browser)}/confirm")
    assert "Transfer sent" in browser.text
    browser.page = page
    await browser.press(f"{first}/confirm")
    assert "not enough money" in browser.text


@pytest.mark.parametrize(
    ("payee", "amount"),
    [("", "5"), ("x" * 71, "5"), ("a\x00b", "5"), ("a\x7fb", "5"), ("Jana", ""), ("Jana", "0"), ("Jana", "-5"),
     ("Jana", "1e3"), ("Jana", "5.001"), ("Jana", "\uff11\uff10"), ("Jana", "4280.51"), ("Jana", "9" * 5000)],
)  # fmt: skip
async def test_a_form_filled_in_wrongly_says_what_is_wrong(browser: Browser, payee: str, amount: str) -> None:
    await sign_in(browser)
    await prepare_transfer(browser, payee=payee, amount=amount)
    assert browser.page.status_code == 400
    assert "There is a problem" in browser.text
    assert "<title>Error: " in browser.text


@pytest.mark.parametrize(
    ("text", "cents"), [("25", "25.00"), (" €1 250,5", "1250.50"), ("0.01", "0.01"), ("100000", "100000.00")]
)
def test_amounts_are_read_as_people_write_them(text: str, cents: str) -> None:
    assert str(amount_of(text)) == cents


async def test_hostile_names_are_shown_as_text(browser: Browser, stub: Stub) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'&{{7*7}}"
    stub.name = hostile
    stub.id_claims = {"acr": "<i>acr", "amr": ["<u>amr"]}
    await sign_in(browser)
    for raw in ("<img src=x", "<i>acr", "<u>amr"):
        assert raw not in browser.text
    assert "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;{{7*7}}" in browser.text
    await prepare_transfer(browser, payee='"><script>alert(1)</script>', amount="")
    assert "<script" not in browser.text
    await prepare_transfer(browser, payee='"><script>alert(1)</script>')
    assert "<script" not in browser.text
    assert "&lt;script&gt;" in browser.text


async def test_another_person_in_the_same_browser_sees_nothing_of_the_first(browser: Browser, stub: Stub) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    transfer = browser.at
    stub.subject, stub.name = "sub-bob", "Bob Berg"
    await sign_in(browser)
    assert "Bob Berg" in browser.text
    await browser.open(transfer)
    assert browser.page.status_code == 404


async def test_another_browser_cannot_see_or_touch_a_transfer(world: World, browser: Browser) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    other = await sign_in(world.browser())
    await other.open(browser.at)
    assert other.page.status_code == 404
    token = browser.text.split('name="csrf" value="')[1].split('"')[0]
    answer = await other.http.post(f"{browser.at}/confirm", data={"csrf": token})
    assert answer.status_code == 404


# The API


async def _access_token(browser: Browser, stub: Stub) -> str:
    """A token for transfers that has not been used yet."""
    await sign_in(browser)
    await prepare_transfer(browser)
    await browser.press(f"{path_of(browser)}/confirm", stop_before=f"{BANK}/callback")
    code = next(iter(stub.codes))
    return str(stub._issue(stub.codes.pop(code), refreshed=False)["access_token"])


async def _post(world: World, token: str | None, body: Any = None, **headers: str) -> httpx.Response:
    sent = body if body is not None else {"payee": "Jana Nováková", "amount": "25.50"}
    given = {"authorization": f"Bearer {token}"} if token is not None else {}
    content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    return await world.http().post(f"{BANK}/api/transfers", content=content, headers=given | headers)


async def test_the_api_books_once_for_each_token(world: World, browser: Browser, stub: Stub) -> None:
    token = await _access_token(browser, stub)
    answers = await asyncio.gather(*(_post(world, token) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [401] * 7
    stub.clock.move(timedelta(minutes=5, seconds=29))  # the longest it can live
    late = await _post(world, token)
    assert late.status_code == 401
    assert "was used already" in late.headers["www-authenticate"]
    stub.clock.move(timedelta(seconds=1))
    assert "exp is 30 s ago" in (await _post(world, token)).headers["www-authenticate"]


async def test_the_api_tells_a_stranger_nothing_but_the_scheme(world: World) -> None:
    for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}, {"authorization": ""}):
        answer = await _post(world, None, **headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_scheme_is_not_case_sensitive(world: World, browser: Browser, stub: Stub) -> None:
    token = await _access_token(browser, stub)
    assert (await _post(world, None, authorization=f"bEARER {token}")).status_code == 201


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        pytest.param({"iss": "https://evil.example"}, 401, "invalid_token", id="iss"),
        pytest.param({"aud": ISSUER}, 401, "invalid_token", id="aud"),
        pytest.param({"aud": None}, 401, "invalid_token", id="no-aud"),
        pytest.param({"exp": 1}, 401, "invalid_token", id="expired"),
        pytest.param({"exp": None}, 401, "invalid_token", id="no-exp"),
        pytest.param({"jti": None}, 401, "invalid_token", id="no-jti"),
        pytest.param({"sub": ["x"]}, 401, "invalid_token", id="sub"),
        pytest.param({"client_id": None}, 401, "invalid_token", id="no-client"),
        pytest.param({"authorization_details": None}, 403, "insufficient_scope", id="no-details"),
        pytest.param({"authorization_details": "payment"}, 401, "invalid_token", id="details-as-text"),
        pytest.param({"authorization_details": [{"type": "payment"}]}, 403, "insufficient_scope", id="no-amount"),
        pytest.param({"authorization_details": [approved(payee="Eve")]}, 403, "insufficient_scope", id="payee"),
        pytest.param({"authorization_details": [approved(amount="1.00")]}, 403, "insufficient_scope", id="amount"),
        pytest.param({"acr": TWO}, 401, "insufficient_user_authentication", id="acr"),
        pytest.param({"acr": None}, 401, "insufficient_user_authentication", id="no-acr"),
        pytest.param({"acr": [STRONG]}, 401, "insufficient_user_authentication", id="acr-as-list"),
        pytest.param({"aud": [f"{BANK}/api", "other"]}, 201, None, id="several-audiences"),
    ],
)
async def test_the_api_judges_each_claim(
    world: World, browser: Browser, stub: Stub, changed: Claims, status: int, error: str | None
) -> None:
    stub.access_claims = changed
    answer = await _post(world, await _access_token(browser, stub))
    assert answer.status_code == status
    assert answer.json().get("error") == error
    challenge = answer.headers.get("www-authenticate", "")
    assert (f'acr_values="{STRONG} phr phrh"' in challenge) is (error == "insufficient_user_authentication")


async def test_the_api_refuses_what_is_not_an_access_token(world: World, browser: Browser, stub: Stub) -> None:
    await _access_token(browser, stub)
    now = stub.seconds()
    claims = {"iss": ISSUER, "aud": f"{BANK}/api", "sub": "s", "jti": "j", "client_id": "bank", "iat": now,
              "exp": now + 60, "authorization_details": [approved()], "acr": STRONG}  # fmt: skip
    for token in (
        stub.signed(claims, typ="JWT"), unsigned(claims, typ="at+jwt"), "x", "a.b.c", "é.é.é", "a" * 9000,
    ):  # fmt: skip
        answer = await world.http().post(
            f"{BANK}/api/transfers", content=b"{}", headers=[(b"authorization", f"Bearer {token}".encode())]
        )
        assert answer.status_code == 401
        assert answer.json() == {"error": "invalid_token"}
    assert (await _post(world, stub.signed(claims, typ="application/at+jwt"))).status_code == 201


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"[]", b"null", b"[" * 15_000, b'{"payee":7,"amount":"1"}', b'{"payee":"J","amount":1}',
     b'{"payee":"J","amount":"-1"}', b'{"payee":"\\ud800","amount":"1"}', b"\xff", b'{"n":' + b"9" * 5000 + b"}"],
    ids=range(11),
)  # fmt: skip
async def test_the_api_refuses_a_senseless_transfer_and_keeps_the_token(
    world: World, browser: Browser, stub: Stub, body: bytes
) -> None:
    token = await _access_token(browser, stub)
    assert (await _post(world, token, body)).status_code == 400
    assert (await _post(world, token)).status_code == 201


async def test_the_api_says_not_now_when_keys_cannot_be_had(world: World, browser: Browser, stub: Stub) -> None:
    await _access_token(browser, stub)
    stub.down = True
    for hours, status in [(1, 401), (24, 503)]:  # its keys are believed for a day: this one signs nothing for the API
        stub.clock.move(timedelta(hours=hours))
        assert (await _post(world, stub.signed({"sub": "x"}, typ="at+jwt"))).status_code == status


async def test_strangers_with_made_up_keys_do_not_make_the_bank_ask_each_time(
    world: World, browser: Browser, stub: Stub
) -> None:
    await sign_in(browser)
    stub.clock.move(timedelta(seconds=30))
    for number in range(5):
        await _post(world, stub.signed({"sub": "x"}, typ="at+jwt", kid=f"made-up-{number}"))
    assert stub.keys_read == 2
