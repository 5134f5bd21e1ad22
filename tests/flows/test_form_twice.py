"""A form that is sent twice (promise 11): who knows the answer goes on, and an old cookie alone gains nothing."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from idp.crypto import KeyChain, SecretKey, random_bytes
from idp.factors import password as passwords
from idp.flows.idp import Visitor
from idp.flows.signin import login
from idp.store.schema.records import rate_limit
from tests.world.asking import asked_here, count, forget_limits, wrong
from tests.world.composed import Statement
from tests.world.mailing import allow_mail
from tests.world.parallel import at_once
from tests.world.provider import BANK_URI, PASSWORD, Browser, Provider, forms, parameters

COUNTS = Statement(select(rate_limit.c.count))
FACTORS = ("sms", "email", "totp", "recovery")
Form = tuple[str, dict[str, str]]


async def at_password(provider: Provider, username: str = "bob") -> tuple[Browser, Form]:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    form = browser.form("/password")
    return browser, (
        form.action,
        {each.name: each.value for each in form.fields} | {"username": username, "password": PASSWORD},
    )


async def at_code(provider: Provider, factor: str) -> tuple[Browser, Form]:
    """In front of a form with the right code of this factor."""
    username = "bob" if factor == "sms" else "alice"
    if factor == "email":
        username = "dora"
        allow_mail(provider)
        if not provider.seeds.get("dora"):
            await provider.add_person("dora", email="dora@example.com", email_verified=True)
            provider.seeds["dora"] = b"-"
    browser, form = await at_password(provider, username)
    page = await browser.post(*form)
    await browser.get(f"{page.url.path.removesuffix('/sms')}/{factor}")
    sent = await provider.deliver()
    if factor == "totp":
        code = provider.totp()
    elif factor == "recovery":
        code = provider.saved["alice"][(await count(provider, "authentication_event") - 1) // 2]
    else:
        code = sent[-1]
    shown = browser.form(f"/{factor}")
    return browser, (shown.action, {each.name: each.value for each in shown.fields} | {"code": code})


async def at(provider: Provider, step: str) -> tuple[Browser, Form]:
    return await at_password(provider) if step == "password" else await at_code(provider, step)


async def send(provider: Provider, cookie: str | None, form: Form, **changes: str) -> httpx.Response:
    """The form with exactly this cookie, in whatever browser."""
    async with provider.browser().http as http:
        return await http.post(form[0], data=form[1] | changes, headers={"Cookie": f"stile={cookie}"})


async def goes_on(provider: Provider, answer: httpx.Response) -> httpx.Response:
    """What a browser that sees this answer alone is shown then; the answer itself if it leads to the client."""
    browser = provider.browser()
    if answer.headers["location"].startswith(BANK_URI):
        assert (await provider.redeem(parameters(answer)["code"])).status_code == 200
        return answer
    browser.http.cookies.set("stile", answer.cookies["stile"])
    return await browser.get(answer.headers["location"])


def leads(answer: httpx.Response) -> dict[str, str] | str:
    """Where it leads; each answer of the client has a code of its own."""
    where: str = answer.headers["location"]
    return parameters(answer) | {"code": ""} if where.startswith(BANK_URI) else where


def is_where_the_first_is(step: str, then: httpx.Response) -> None:
    if step == "password":
        assert "Check your phone" in then.text
    else:
        assert parameters(then)["code"]


STEPS = ("password", *FACTORS)


@pytest.mark.parametrize("step", STEPS)
async def test_a_form_sent_again_because_its_answer_was_lost_goes_on(provider: Provider, step: str) -> None:
    browser, form = await at(provider, step)
    old = browser.token
    first = await send(provider, old, form)
    events, messages = await count(provider, "authentication_event"), await count(provider, "message")
    charged = sorted(await provider.rows(COUNTS))
    second = await send(provider, old, form)
    assert second.cookies["stile"] == first.cookies["stile"]
    assert second.cookies.get("stile-device") == first.cookies.get("stile-device")
    assert leads(second) == leads(first)
    assert await count(provider, "authentication_event") == events
    assert await count(provider, "message") == messages
    assert sorted(await provider.rows(COUNTS)) == charged
    is_where_the_first_is(step, await goes_on(provider, second))


@pytest.mark.parametrize("step", STEPS)
async def test_the_form_without_the_answer_gains_nothing_and_ends_what_was_forgiven(
    provider: Provider, step: str
) -> None:
    browser, form = await at(provider, step)
    old = browser.token
    await send(provider, old, form)
    false = {"password": {"password": "wrong"}, "recovery": {"code": provider.saved["alice"][9]}}
    changes = false.get(step) or {"code": wrong(form[1]["code"])}
    for tried in (changes, {}):
        refused = await send(provider, old, form, **tried)
        assert "stile" not in refused.cookies


@pytest.mark.parametrize("then", ["code", "consent"])
@pytest.mark.parametrize("step", FACTORS)
async def test_an_old_cookie_is_worth_nothing_once_the_new_one_was_used(
    provider: Provider, step: str, then: str
) -> None:
    if then == "consent":
        bank = provider.idp.clients["bank"]
        provider.idp.clients = {**provider.idp.clients, "bank": replace(bank, first_party=False)}
    browser, form = await at(provider, step)
    old = browser.token
    shown = await goes_on(provider, await send(provider, old, form))
    assert ("/consent" in shown.text) is (then == "consent")
    assert "stile" not in (await send(provider, old, form)).cookies


async def test_the_cookie_before_the_password_is_worth_nothing_after_the_code(provider: Provider) -> None:
    """Until then it gains what the password gives to anybody, within half a minute: a session that opens nothing."""
    browser, form = await at_password(provider)
    old = browser.token
    await browser.post(*form)
    again = (await send(provider, old, form)).cookies["stile"]
    assert again == browser.token
    await browser.submit("/sms", code=(await provider.deliver())[-1])
    assert "stile" not in (await send(provider, old, form)).cookies
    opened = await provider.browser().http.get("/account", headers={"Cookie": f"stile={again}"})
    assert opened.status_code == 303


@pytest.mark.parametrize("step", STEPS)
async def test_an_old_cookie_is_worth_nothing_after_half_a_minute(provider: Provider, step: str) -> None:
    browser, form = await at(provider, step)
    old = browser.token
    await send(provider, old, form)
    provider.clock.move(timedelta(seconds=30))
    assert "stile" not in (await send(provider, old, form)).cookies


async def test_an_old_cookie_opens_no_page_and_no_account(provider: Provider) -> None:
    browser, form = await at_code(provider, "sms")
    old = browser.token
    await send(provider, old, form)
    async with provider.browser().http as http:
        headers = {"Cookie": f"stile={old}"}
        silent = await http.get(provider.authorize_url(prompt="none"), headers=headers)
        assert parameters(silent)["error"] == "login_required"
        for path in ("/account", form[0].removesuffix("/sms")):
            assert (await http.get(path, headers=headers)).status_code == 303


async def test_a_cookie_planted_before_the_password_does_not_ride_on_the_code(provider: Provider) -> None:
    """Fixation: the attacker knows the first cookie and the password, the victim the phone."""
    victim, form = await at_password(provider)
    planted = victim.token
    await victim.post(*form)
    half = victim.token
    code = (await provider.deliver())[-1]
    shown = victim.form("/sms")
    second = {each.name: each.value for each in shown.fields}
    await victim.post(shown.action, second | {"code": code}, follow=False)
    for cookie, tried in ((planted, form), (half, form), (planted, (shown.action, second | {"code": code}))):
        assert "stile" not in (await send(provider, cookie, tried)).cookies


@pytest.mark.parametrize("step", STEPS)
async def test_two_clicks_at_once_end_in_one_place(provider: Provider, step: str) -> None:
    for _ in range(8):
        await forget_limits(provider)
        browser, form = await at(provider, step)
        old, before = browser.token, await count(provider, "authentication_event")

        async def click(_: int, old: str | None = old, form: Form = form) -> httpx.Response:
            return await send(provider, old, form)

        answers = await at_once(2, click)
        assert {answer.status_code for answer in answers} == {303}
        assert len({answer.cookies["stile"] for answer in answers}) == 1
        assert await count(provider, "authentication_event") == before + 1
        for answer in answers:
            assert leads(answer) == leads(answers[0])
        is_where_the_first_is(step, await goes_on(provider, answers[1]))
        provider.clock.move(timedelta(minutes=2))


async def test_a_finished_page_starts_the_request_again(provider: Provider) -> None:
    """The answer on its way to the application was lost, and the person reloads."""
    browser, form = await at_code(provider, "sms")
    finished = form[0].removesuffix("/sms")
    assert parameters(await browser.post(*form))["code"]
    events = await count(provider, "authentication_event")
    for answer in (await browser.get(finished), await browser.post(*form)):
        assert parameters(answer)["code"]
        assert parameters(answer)["state"] == "s t&a=te"
    assert await count(provider, "authentication_event") == events


async def test_a_page_that_is_too_old_starts_the_request_again(provider: Provider) -> None:
    for late in (timedelta(minutes=11), timedelta(minutes=61)):
        await forget_limits(provider)
        browser, form = await at_code(provider, "sms")
        provider.clock.move(late)
        page = await browser.get(form[0].removesuffix("/sms"))
        assert page.status_code == 200
        assert page.url.path not in form[0]
        await forget_limits(provider)
        if late > timedelta(hours=1):
            assert page.url.path.startswith("/i/")
            await browser.submit("/password", username="bob", password=PASSWORD)
        assert "Check your phone" in (await browser.ask_for_text()).text


async def test_a_sign_in_page_that_was_open_all_night_still_signs_in(provider: Provider) -> None:
    browser, form = await at_password(provider)
    provider.clock.move(timedelta(hours=20))
    assert "Check your phone" in (await browser.post(*form)).text


async def test_another_browser_starts_the_request_again_by_itself_or_by_one_press(provider: Provider) -> None:
    _, form = await at_code(provider, "sms")
    there = form[0].removesuffix("/sms")
    known = provider.browser()
    await known.get(provider.authorize_url("notes"))
    assert "Sign in" in (await known.get(there)).text
    assert "Acme Bank" in known.page.text if known.page else False
    fresh = provider.browser()
    page = await fresh.get(there)
    assert page.status_code == 400
    assert "Start again here" in page.text
    assert fresh.token is None
    assert "Acme Bank" in (await fresh.get(f"{there}/again")).text


async def test_a_browser_without_cookies_is_not_sent_in_circles(provider: Provider) -> None:
    _, form = await at_code(provider, "sms")
    there = form[0].removesuffix("/sms")
    async with provider.browser().http as http:
        answer = await http.get(f"{there}/again")
        http.cookies.clear()
        assert (await http.get(answer.headers["location"])).status_code == 400


async def test_a_request_that_nobody_remembers_leads_to_the_account_page(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    page = await browser.get("/i/3b241101-e2bb-4255-8caf-4136c566a962")
    assert page.status_code == 400
    assert 'href="/account"' in page.text


async def test_the_request_of_a_client_that_changed_is_not_begun_again(provider: Provider) -> None:
    browser, form = await at_code(provider, "sms")
    there = form[0].removesuffix("/sms")
    provider.clock.move(timedelta(minutes=11))
    bank = provider.idp.clients["bank"]
    for changed in ({"redirect_uris": ("https://other.example/cb",)}, {"scopes": frozenset({"profile"})}):
        provider.idp.clients = {**provider.idp.clients, "bank": replace(bank, **changed)}
        assert (await browser.get(there)).status_code == 400
    provider.idp.clients = {"notes": provider.idp.clients["notes"]}
    assert (await browser.get(there)).status_code == 400


async def test_somebody_else_pressed_twice_is_somebody_else_once(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    await browser.get(provider.authorize_url("notes", prompt="select_account"))
    shown = next(form for form in forms(browser.page.text if browser.page else "") if form.action.endswith("/account"))
    form = (shown.action, {"csrf": shown.fields[0].value, "account": ""})
    old = browser.token
    answers = [await send(provider, old, form) for _ in range(2)]
    assert answers[0].cookies["stile"] == answers[1].cookies["stile"]
    assert "Sign in" in (await goes_on(provider, answers[1])).text


async def test_another_person_in_the_same_browser_who_clicks_twice_goes_on(provider: Provider) -> None:
    for _ in range(3):
        await forget_limits(provider)
        browser = provider.browser()
        await provider.sign_in(browser)
        provider.clock.move(timedelta(seconds=1))
        await browser.get(provider.authorize_url(prompt="login"))
        shown = browser.form("/password")
        form = (
            shown.action,
            {each.name: each.value for each in shown.fields} | {"username": "bob", "password": PASSWORD},
        )
        old = browser.token

        async def click(_: int, old: str | None = old, form: Form = form) -> httpx.Response:
            return await send(provider, old, form)

        answers = await at_once(2, click)
        assert len({answer.cookies["stile"] for answer in answers}) == 1
        assert "Check your phone" in (await goes_on(provider, answers[1])).text


async def test_two_nodes_whose_first_key_differs_set_the_same_cookie(provider: Provider) -> None:
    old, new = (SecretKey(name, random_bytes(32)) for name in ("k1", "k2"))
    provider.idp.secrets = KeyChain([old, new])
    browser, _ = await at_password(provider)
    who, page = Visitor("192.0.2.1", browser.token), asked_here(provider, browser)
    typed = passwords.Password(PASSWORD)
    first = await login.password(provider.idp, page, who, username="bob", typed=typed)
    provider.idp.secrets = KeyChain([new, old])
    assert await login.password(provider.idp, page, who, username="bob", typed=typed) == first
