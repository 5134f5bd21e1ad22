"""Approving one thing as what it is: pushed, shown from the stored bytes, approved with one code, told in the token."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from idp.model import AuthMethod
from idp.store.sql import Sql
from tests.world.account_pages import forged
from tests.world.authenticator import Key, keep, options_in
from tests.world.parallel import at_once
from tests.world.policies import rule
from tests.world.provider import BANK_URI, PASSWORD, Browser, HtmlForm, Provider, claims, forms, parameters

PAYMENT = {
    "type": "payment",
    "amount": {"amount": "1250.00", "currency": "EUR"},
    "payee": "Maria Silva",
    "account": "DE89370400440532013000",
}


@pytest.fixture
async def paying(bare: Provider, provider: Provider) -> Provider:
    """The provider with a bank that may ask for payments."""
    await provider.add_client(
        "payments", BANK_URI, name="Acme Payments", details_types=frozenset({"payment"}), signing_alg="ES256"
    )
    return provider


async def push(provider: Provider, by: str = "payments", **changes: Any) -> httpx.Response:
    given: dict[str, Any] = {
        "redirect_uri": BANK_URI,
        "response_type": "code",
        "state": "s",
        "nonce": "n",
        "code_challenge": provider.pkce.challenge,
        "code_challenge_method": "S256",
        "authorization_details": json.dumps([PAYMENT]),
        **changes,
    }
    form = {name: value for name, value in given.items() if value is not None}
    async with provider.browser().http as http:
        return await http.post("/par", data=form, auth=(by, provider.secrets[by]))


def at(pushed: httpx.Response, client_id: str = "payments") -> str:
    assert pushed.status_code == 201, pushed.text
    return "/authorize?" + urlencode({"client_id": client_id, "request_uri": pushed.json()["request_uri"]})


async def signed_in(provider: Provider, username: str = "alice") -> Browser:
    browser = provider.browser()
    await provider.sign_in(browser, username)
    return browser


async def redeem(provider: Provider, code: str) -> httpx.Response:
    return await provider.token(
        "payments",
        grant_type="authorization_code",
        code=code,
        redirect_uri=BANK_URI,
        code_verifier=provider.pkce.verifier,
    )


async def test_a_payment_is_shown_approved_with_one_code_and_told_in_its_token(paying: Provider) -> None:
    browser = await signed_in(paying)
    page = await browser.get(at(await push(paying)))
    assert page.status_code == 200
    for shown in ("EUR 1,250.00", "Maria Silva", "DE89 3704 0044 0532 0130 00", "Acme Payments"):
        assert shown in page.text
    answer = parameters(await browser.submit("/totp", code=paying.totp()))
    assert answer["state"] == "s"
    tokens = (await redeem(paying, answer["code"])).json()
    told = tokens["authorization_details"]
    assert {name: told[0][name] for name in PAYMENT} == PAYMENT
    assert told[0]["approved_at"] == int(paying.clock.now().timestamp())
    access = claims(tokens["access_token"])
    assert access["authorization_details"] == told
    assert access["acr"] == "urn:stile:2fa-strong"
    assert (await paying.introspect(tokens["access_token"], "payments"))["authorization_details"] == told


SMALL = '[[details.payment.under]]\nlevel = "two_factor"\nEUR = { each = "30.00", day = "100.00" }\n'


def paid(amount: str, currency: str = "EUR", **changes: Any) -> str:
    return json.dumps([{**PAYMENT, "amount": {"amount": amount, "currency": currency}, **changes}])


async def test_what_a_client_pushes_is_answered_with_201_and_90_seconds(paying: Provider) -> None:
    paying.count()
    answer = await push(paying)
    assert (answer.status_code, answer.json()["expires_in"]) == (201, 90)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert len(paying.statements) == 1


async def test_a_page_is_one_statement_its_answer_two_and_the_exchange_one(paying: Provider) -> None:
    browser = await signed_in(paying)
    pushed = await push(paying)
    paying.count()
    await browser.get(at(pushed))
    assert len(paying.statements) == 1
    paying.count()
    answer = parameters(await browser.submit("/totp", code=paying.totp()))
    assert len(paying.statements) == 2
    paying.count()
    assert (await redeem(paying, answer["code"])).status_code == 200
    assert len(paying.statements) == 1


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"authorization_details": "[object Object]"}, "invalid_authorization_details", "JSON.stringify"),
        ({"authorization_details": "{}"}, "invalid_authorization_details", "not an array"),
        ({"authorization_details": "[]"}, "invalid_authorization_details", "1 to 5"),
        ({"authorization_details": "[1]"}, "invalid_authorization_details", "not an object"),
        ({"authorization_details": "[" * 3000}, "invalid_authorization_details", "JSON"),
        ({"authorization_details": '[{"type": "loan"}]'}, "invalid_authorization_details", "may not use"),
        ({"authorization_details": '[{"type": 5}]'}, "invalid_authorization_details", "lacks type"),
        ({"authorization_details": '[{"type": "payment"}]'}, "invalid_authorization_details", "lacks amount"),
        ({"authorization_details": paid("12.505")}, "invalid_authorization_details", "wrong amount"),
        ({"authorization_details": paid("-5")}, "invalid_authorization_details", "wrong amount"),
        ({"authorization_details": paid("0.00")}, "invalid_authorization_details", "wrong amount"),
        ({"authorization_details": paid("\uff11\uff10")}, "invalid_authorization_details", "wrong amount"),
        ({"authorization_details": paid("1e3")}, "invalid_authorization_details", "wrong amount"),
        ({"authorization_details": paid("5", "EURO")}, "invalid_authorization_details", "wrong amount"),
        ({"authorization_details": paid("5.5", "JPY")}, "invalid_authorization_details", "wrong amount"),
        ({"authorization_details": paid("5", payee="")}, "invalid_authorization_details", "wrong payee"),
        ({"authorization_details": paid("5", payee="a\nb")}, "invalid_authorization_details", "wrong payee"),
        ({"authorization_details": paid("5", payee="a\u202eb")}, "invalid_authorization_details", "wrong payee"),
        ({"authorization_details": paid("5", payee="\u2800")}, "invalid_authorization_details", "wrong payee"),
        ({"authorization_details": paid("5", payee="a\u180bb")}, "invalid_authorization_details", "wrong payee"),
        ({"authorization_details": paid("5", payee="\U0001d159")}, "invalid_authorization_details", "wrong payee"),
        ({"authorization_details": paid("5", payee="\u0301")}, "invalid_authorization_details", "wrong payee"),
        ({"authorization_details": paid("5", payee="Maria \ufe0f")}, "invalid_authorization_details", "wrong payee"),
        (
            {"authorization_details": paid("5", payee="Mari\u0301\u0302\u0303\u0304\u0305a")},
            "invalid_authorization_details",
            "wrong payee",
        ),
        ({"authorization_details": paid("5", payee="x" * 71)}, "invalid_authorization_details", "at most 70"),
        (
            {"authorization_details": paid("5", account="DE00370400440532013000")},
            "invalid_authorization_details",
            "IBAN",
        ),
        ({"authorization_details": paid("5", hidden="x")}, "invalid_authorization_details", "hidden"),
        ({"authorization_details": paid("5", **{"<script>": "x"})}, "invalid_authorization_details", "does not have"),
        ({"authorization_details": paid("5", transaction_id="mine")}, "invalid_authorization_details", "does not have"),
        ({"authorization_details": json.dumps([PAYMENT, PAYMENT])}, "invalid_authorization_details", "one object"),
        ({"request_uri": "urn:x"}, "invalid_request", "cannot be pushed"),
        ({"client_id": "bank"}, "invalid_request", "client_id"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request", "redirect_uri"),
        ({"response_type": None}, "invalid_request", "response_type"),
        ({"response_type": "token"}, "unsupported_response_type", "code"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request", "PKCE"),
        ({"authorization_details": None, "scope": "nonsense"}, "invalid_scope", "available"),
    ],
)
async def test_what_is_wrong_is_said_by_its_own_code(
    paying: Provider, changes: dict[str, Any], error: str, said: str
) -> None:
    answer = await push(paying, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert said in answer.json()["error_description"]
    assert "<script>" not in answer.text


async def test_only_who_proves_to_be_the_client_may_push(paying: Provider) -> None:
    async with paying.browser().http as http:
        answer = await http.post("/par", data={"client_id": "payments"}, auth=("payments", "wrong"))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert (await push(paying, "bank")).json()["error"] == "invalid_authorization_details"


async def test_an_amount_comes_by_a_pushed_request_alone(paying: Provider) -> None:
    url = paying.authorize_url("payments", redirect_uri=BANK_URI, scope=None, authorization_details=paid("5"))
    answer = parameters(await paying.browser().get(url))
    assert answer["error"] == "invalid_authorization_details"
    assert "pushed" in answer["error_description"]


async def test_a_client_may_have_to_push_everything(paying: Provider) -> None:
    await paying.add_client("pushing", BANK_URI, require_pushed=True)
    url = paying.authorize_url("pushing", redirect_uri=BANK_URI)
    assert parameters(await paying.browser().get(url))["error"] == "invalid_request"
    pushed = await push(paying, "pushing", authorization_details=None, scope="openid")
    browser = await signed_in(paying)
    assert "code" in parameters(await browser.get(at(pushed, "pushing")))


async def test_unknown_foreign_late_and_used_requests_are_answered_alike(paying: Provider) -> None:
    browser = await signed_in(paying)
    foreign, late, used = [await push(paying) for _ in range(3)]
    unknown = at(used).replace("uri%3A", "uri%3Ax")
    await browser.get(at(used))
    parameters(await browser.submit("/totp", code=paying.totp()))
    pages = [await browser.get(url) for url in (unknown, at(foreign, "bank"))]
    paying.clock.move(timedelta(seconds=91))
    pages += [await browser.get(url) for url in (at(late), at(used))]
    for page in pages:
        assert page.status_code == 400, page.url
        assert "This cannot be opened any more" in page.text
    asked = {"redirect_uri": BANK_URI, "state": "x"}
    for url in (unknown, at(late), at(used)):
        told = parameters(await browser.get(f"{url}&{urlencode(asked)}"))
        assert (told["error"], told["state"]) == ("invalid_request_uri", "x")


async def test_who_comes_in_time_has_ten_minutes_and_no_more(paying: Provider) -> None:
    browser = await signed_in(paying)
    url = at(await push(paying))
    await browser.get(url)
    paying.clock.move(timedelta(minutes=9))
    page = await browser.get(url)
    assert "EUR 1,250.00" in page.text
    paying.clock.move(timedelta(seconds=61))
    page = await browser.submit("/totp", code=paying.totp())
    assert page.status_code == 400
    assert "This cannot be opened any more" in page.text
    assert "Back to" in page.text


async def test_who_is_not_signed_in_signs_in_and_approves_with_one_code(paying: Provider) -> None:
    browser = paying.browser()
    page = await browser.get(at(await push(paying)))
    assert "1,250" not in page.text  # nothing of it before the password
    paying.clock.move(timedelta(minutes=2))
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    assert "EUR 1,250.00" in page.text
    answer = parameters(await browser.submit("/totp", code=paying.totp()))
    assert (await redeem(paying, answer["code"])).json()["authorization_details"][0]["payee"] == "Maria Silva"


async def test_reload_and_a_second_tab_lead_to_the_same_page(paying: Provider) -> None:
    browser = await signed_in(paying)
    url = at(await push(paying))
    pages = [await browser.get(url) for _ in range(3)]
    assert len({browser_form(page) for page in pages}) == 1
    assert "code" in parameters(await browser.submit("/totp", code=paying.totp()))


def browser_form(page: httpx.Response) -> str:
    assert page.status_code == 200
    return next(form.action for form in forms(page.text) if form.action.endswith("/totp"))


async def test_another_browser_cannot_have_what_one_has(paying: Provider) -> None:
    url = at(await push(paying))
    one, other = await signed_in(paying), await signed_in(paying, "bob")
    await one.get(url)
    assert (await other.get(url)).status_code == 400
    stranger = paying.browser()
    assert (await stranger.get(url)).status_code == 400


async def test_a_page_for_other_details_approves_nothing(paying: Provider) -> None:
    browser = await signed_in(paying)
    await browser.get(at(await push(paying)))
    page = await browser.submit("/totp", code=paying.totp(), approves="00" * 32)
    assert page.status_code == 400
    assert "EUR 1,250.00" in page.text
    assert "code" in parameters(await browser.submit("/totp", code=paying.totp()))


async def test_one_approval_is_one_access_token_however_often_it_is_answered(paying: Provider) -> None:
    browser = await signed_in(paying)
    await browser.get(at(await push(paying)))
    cookie, form = browser.token, browser.form("/totp")
    typed = {each.name: each.value for each in form.fields} | {"code": paying.totp()}

    async def press(_: int) -> httpx.Response:
        one = paying.browser()
        one.http.cookies.set("stile", cookie or "")
        return await one.http.post(form.action, data=typed)

    answers = [parameters(each) for each in await at_once(2, press) if each.status_code == 303]
    codes = [each["code"] for each in answers if "code" in each]
    assert codes
    tokens = [(await redeem(paying, code)).status_code for code in codes]
    assert tokens.count(200) == 1


async def test_a_text_message_names_amount_and_payee_and_its_code_is_for_them_alone(paying: Provider) -> None:
    rule(paying, SMALL)
    browser = await signed_in(paying, "bob")
    paying.clock.move(timedelta(minutes=2))
    await browser.get(at(await push(paying, authorization_details=paid("12.50"))))
    await browser.submit("/sms/send")
    code = (await paying.deliver())[-1]
    text = paying.gateway.sent[-1].text
    assert text.startswith(f"{code} approves EUR 12.50 to Maria Silva at Acme ID.")
    # The same question, had it been asked for other details.
    await paying.idp.db.one(
        Sql("UPDATE interaction SET request = jsonb_set(request, '{details}', to_jsonb(:other::text))"),
        other=paid("29.00").replace(" ", ""),
    )
    await browser.get(str(browser.page.url.path))  # type: ignore[union-attr]
    page = await browser.submit("/sms", code=code)
    assert page.status_code == 400


async def test_small_ones_take_less_until_their_sum_does_not(paying: Provider) -> None:
    rule(paying, SMALL)
    browser = await signed_in(paying, "bob")
    for _ in range(3):
        paying.clock.move(timedelta(minutes=3))
        await browser.get(at(await push(paying, authorization_details=paid("30.00"))))
        await browser.submit("/sms/send")
        answer = await browser.submit("/sms", code=(await paying.deliver())[-1])
        assert (await redeem(paying, parameters(answer)["code"])).status_code == 200
    # The fourth would make 120: it takes the app, which bob does not have.
    for amount in ("30.00", "30.01"):
        answer = await browser.get(at(await push(paying, authorization_details=paid(amount))))
        assert (answer.status_code, "You cannot approve this yet" in answer.text) == (403, True)
    paying.clock.move(timedelta(hours=24))
    browser = await signed_in(paying, "bob")
    page = await browser.get(at(await push(paying, authorization_details=paid("10.00"))))
    assert "EUR 10.00" in page.text


async def test_small_ones_at_the_same_time_do_not_slip_under_their_sum(paying: Provider) -> None:
    rule(paying, SMALL.replace('level = "two_factor"', 'level = "two_factor"\nfresh = "any"'))
    for _ in range(4):
        browsers = [await signed_in(paying), await signed_in(paying)]
        forms_: list[tuple[Browser, str, dict[str, str]]] = []
        for number in range(8):
            browser = browsers[number % 2]
            await browser.get(at(await push(paying, authorization_details=paid("30.00"))))
            form = browser.form("/approve")
            forms_.append((browser, form.action, {each.name: each.value for each in form.fields}))

        async def press(number: int, pages: list[tuple[Browser, str, dict[str, str]]] = forms_) -> httpx.Response:
            browser, action, data = pages[number]
            return await browser.http.post(action, data=data)

        answers = await at_once(len(forms_), press)
        assert sum("code=" in answer.headers.get("location", "") for answer in answers) == 3
        paying.clock.move(timedelta(hours=25))


async def test_this_was_not_me_ends_it_tells_the_person_and_the_client(paying: Provider) -> None:
    browser = await signed_in(paying)
    url = at(await push(paying))
    await browser.get(url)
    answer = parameters(await browser.submit("/not-mine"))
    assert answer["error"] == "access_denied"
    await paying.deliver()
    assert "refused as not yours" in paying.gateway.sent[-1].text
    assert (await browser.get(url)).status_code == 400


async def test_whoever_cancels_ends_it_too(paying: Provider) -> None:
    browser = paying.browser()
    url = at(await push(paying))
    await browser.get(url)
    assert parameters(await browser.submit("/cancel"))["error"] == "access_denied"
    assert (await browser.get(url)).status_code == 400


async def test_a_third_party_asks_for_the_rest_on_the_same_page(paying: Provider) -> None:
    await paying.add_client("forum", BANK_URI, details_types=frozenset({"payment"}), first_party=False)
    browser = await signed_in(paying)
    page = await browser.get(at(await push(paying, "forum", scope="openid profile email"), "forum"))
    assert "See your email address" in page.text
    answer = parameters(await browser.submit("/totp", code=paying.totp(), scope="profile"))
    tokens = (
        await paying.token(
            "forum",
            grant_type="authorization_code",
            code=answer["code"],
            redirect_uri=BANK_URI,
            code_verifier=paying.pkce.verifier,
        )
    ).json()
    assert set(tokens["scope"].split()) == {"openid", "profile"}
    assert tokens["authorization_details"]


async def test_silence_approves_nothing(paying: Provider) -> None:
    browser = await signed_in(paying)
    answer = parameters(await browser.get(at(await push(paying, prompt="none"))))
    assert answer["error"] == "interaction_required"


async def test_a_code_is_worth_nothing_once_the_client_may_not_ask_for_it(paying: Provider) -> None:
    browser = await signed_in(paying)
    await browser.get(at(await push(paying)))
    answer = parameters(await browser.submit("/totp", code=paying.totp()))
    known = dict(paying.idp.clients)
    paying.idp.clients = {**known, "payments": replace(known["payments"], details_types=frozenset())}
    assert (await redeem(paying, answer["code"])).json()["error"] == "invalid_grant"


async def test_signed_in_and_a_button_are_enough_where_the_policy_says_so(paying: Provider) -> None:
    fields = '[details.notice.fields]\nsubject = { kind = "text" }\n'
    rule(paying, f'[details.notice]\nlevel = "two_factor"\nfresh = "any"\n{fields}')
    await paying.add_client("mailer", BANK_URI, details_types=frozenset({"notice"}))
    browser = await signed_in(paying, "bob")
    details = json.dumps([{"type": "notice", "subject": "Yearly report"}])
    page = await browser.get(at(await push(paying, "mailer", authorization_details=details), "mailer"))
    assert "Yearly report" in page.text
    assert 'name="code"' not in page.text
    assert "code" in parameters(await browser.submit("/approve"))


ANY = SMALL.replace('level = "two_factor"', 'level = "two_factor"\nfresh = "any"')


async def test_the_button_pressed_twice_answers_the_client_again_with_the_same_grant(paying: Provider) -> None:
    rule(paying, ANY)
    browser = await signed_in(paying)
    await browser.get(at(await push(paying, authorization_details=paid("30.00"))))
    form = browser.form("/approve")
    data = {each.name: each.value for each in form.fields}

    async def press(_: int) -> httpx.Response:
        return await browser.http.post(form.action, data=data)

    answers = [*await at_once(4, press), await press(0)]
    codes = [parameters(answer)["code"] for answer in answers]
    tokens = [await redeem(paying, code) for code in codes]
    assert [each.status_code for each in tokens] == [200, 400, 400, 400, 400]
    assert await paying.rows(Sql("SELECT amounts FROM approved_sum")) == [([30],)]
    other = await browser.http.post(form.action, data={**data, "approves": "00" * 32})
    assert "code=" not in other.headers["location"]
    await paying.idp.db.one(Sql("UPDATE account SET frozen_at = :now"), now=paying.clock.now())
    assert "code=" not in (await press(0)).headers["location"]
    await paying.idp.db.one(Sql("UPDATE account SET frozen_at = NULL"))
    assert "code=" in (await press(0)).headers["location"]
    paying.clock.move(timedelta(seconds=30))
    assert "code=" not in (await press(0)).headers["location"]


@pytest.mark.parametrize("instead", ["/not-mine", "/cancel"])
async def test_what_was_not_theirs_is_not_approved_afterwards_nor_at_the_same_time(
    paying: Provider, instead: str
) -> None:
    rule(paying, ANY)
    for _ in range(6):
        browser = await signed_in(paying)
        await browser.get(at(await push(paying, authorization_details=paid("1.00"))))
        pressed = [browser.form("/approve"), browser.form(instead)]

        async def press(number: int, where: list[HtmlForm] = pressed, here: Browser = browser) -> httpx.Response:
            form = where[number]
            return await here.http.post(form.action, data={each.name: each.value for each in form.fields})

        told = [answer.headers["location"] for answer in [*await at_once(2, press), await press(0), await press(1)]]
        assert any("code=" in each for each in told) is not any("error=access_denied" in each for each in told), told
        paying.clock.move(timedelta(minutes=2))


async def test_what_a_proof_approved_is_not_answered_again_by_a_button(paying: Provider) -> None:
    browser = await signed_in(paying)
    await browser.get(at(await push(paying)))
    form = browser.form("/totp")
    shown = {each.name: each.value for each in form.fields if each.name == "approves"}
    assert "code" in parameters(await browser.submit("/totp", code=paying.totp()))
    answer = await forged(paying, browser, form.action.replace("/totp", "/approve"), shown)
    assert answer.headers["location"] == form.action.removesuffix("/totp")


async def test_the_client_can_tell_why_somebody_cannot_approve(paying: Provider) -> None:
    browser = await signed_in(paying, "bob")
    page = await browser.get(at(await push(paying)))
    assert "you have none" in page.text
    answer = parameters(await browser.submit("/cancel"))
    assert (answer["error"], answer["unmet"]) == ("unmet_authentication_requirements", "no_authenticator")
    later = paying.clock.now() + timedelta(hours=5)
    await paying.idp.db.one(Sql("UPDATE authenticator SET trusted_at = :later WHERE factor = 'totp'"), later=later)
    browser = await signed_in(paying)
    url = at(await push(paying))
    page = await browser.get(url)
    assert "from <strong>15 Jan 2026, 17:00 UTC" in page.text
    assert 'href="/account"' in page.text
    answer = parameters(await browser.submit("/cancel"))
    assert (answer["error"], answer["unmet"]) == ("unmet_authentication_requirements", "on_hold")
    assert "cannot be opened any more" in (await browser.get(url)).text
    silent = parameters(await browser.get(at(await push(paying, prompt="none"))))
    assert silent["unmet"] == "on_hold"


async def test_a_frozen_account_approves_nothing_however_small(paying: Provider) -> None:
    rule(paying, SMALL)
    browser = await signed_in(paying, "bob")
    await paying.idp.db.one(Sql("UPDATE account SET frozen_at = :now WHERE username = 'bob'"), now=paying.clock.now())
    page = await browser.get(at(await push(paying, authorization_details=paid("5.00"))))
    assert "Your account is frozen" in page.text
    answer = parameters(await browser.submit("/cancel"))
    assert (answer["error"], answer["unmet"]) == ("unmet_authentication_requirements", "frozen")


@pytest.mark.parametrize(
    "name", ["", "%00", "x" * 3000, "%FF", "é", "%ED%A0%80", "a&client_id=bank", "a&request_uri=b"]
)
async def test_no_name_of_a_request_breaks_anything(paying: Provider, name: str) -> None:
    url = f"/authorize?client_id=payments&request_uri=urn:ietf:params:oauth:request_uri:{name}"
    for browser in (paying.browser(), await signed_in(paying)):
        for path in (
            url,
            url.replace("/authorize", "/authorize/password"),
            url.replace("/authorize", "/authorize/cancel"),
        ):
            assert (await browser.http.get(path)).status_code < 500
            assert (await browser.http.post(path, data={"csrf": "x"})).status_code < 500


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"a=b&a=c", b"authorization_details=%00", b"client_id=payments&scope=" + b"x" * 70_000]
)
async def test_no_body_that_is_pushed_breaks_anything(paying: Provider, body: bytes) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with paying.browser().http as http:
        answers = [
            await http.post("/par", content=body, headers=kind, auth=("payments", paying.secrets["payments"])),
            await http.post("/par", content=body, headers=kind),
            await http.post("/par", content=body),
            await http.get("/par"),
        ]
    assert {answer.status_code for answer in answers} <= {400, 401, 405, 413}


async def test_nobody_fills_the_table_in_the_name_of_a_public_client(paying: Provider) -> None:
    await paying.add_client("spa", BANK_URI, auth_method=AuthMethod.NONE, secret_hash=None)
    form = {
        "client_id": "spa",
        "redirect_uri": BANK_URI,
        "response_type": "code",
        "scope": "openid",
        "code_challenge": paying.pkce.challenge,
        "code_challenge_method": "S256",
    }
    async with paying.browser().http as http:
        paying.count()
        assert (await http.post("/par", data=form)).status_code == 201
        assert len(paying.statements) == 2
        answers = [await http.post("/par", data=form) for _ in range(60)]
    assert [answer.status_code for answer in answers] == [201] * 59 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_a_payment_is_approved_with_a_passkey_whose_challenge_is_for_it_alone(paying: Provider) -> None:
    key, browser = Key(), paying.browser()
    await keep(paying, key)
    page = await browser.get(paying.authorize_url())
    await browser.submit("/with-passkey", code=json.dumps(key.answer(options_in(page.text))))
    page = await browser.get(at(await push(paying)))
    assert "Your browser will ask for your fingerprint" in page.text
    answered = await browser.submit("/passkey", code=json.dumps(key.answer(options_in(page.text))))
    assert "code" in parameters(answered)
