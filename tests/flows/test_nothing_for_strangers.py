"""Before a right password nothing is stored: the request is the address of its page (decision 0012)."""

import re
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from sqlalchemy import delete, func, select

from idp.crypto import digest
from idp.store import rate_limits
from idp.store.engine import Database
from idp.store.schema.people import interaction, session
from idp.store.schema.records import audit_event, message, rate_limit
from idp.store.sql import Sql
from tests.world.asking import forget_limits
from tests.world.composed import Statement
from tests.world.parallel import at_once
from tests.world.provider import PASSWORD, Browser, Provider, parameters

EVERYTHING = {
    table.name: Statement(select(func.count()).select_from(table))
    for table in (session, interaction, message, rate_limit, audit_event)
}
SESSIONS = Statement(select(session.c.id))
FORGET_SESSIONS = Statement(delete(session).returning(session.c.id))
WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\b")
Form = tuple[str, dict[str, str]]


async def rows(provider: Provider) -> dict[str, int]:
    return {name: (await provider.rows(statement))[0][0] for name, statement in EVERYTHING.items()}


def commits(provider: Provider) -> int:
    return sum(bool(WRITES.search(statement)) for statement in provider.statements)


def form_of(browser: Browser, username: str = "bob", password: str = PASSWORD) -> Form:
    form = browser.form("/password")
    return form.action, {each.name: each.value for each in form.fields} | {"username": username, "password": password}


async def send(provider: Provider, cookie: str | None, form: Form) -> httpx.Response:
    """The form with exactly this cookie, in whatever browser."""
    async with provider.browser().http as http:
        return await http.post(form[0], data=form[1], headers={"Cookie": f"stile={cookie}"} if cookie else {})


async def test_the_address_of_a_request_is_the_page_that_asks_for_the_password(provider: Provider) -> None:
    browser, url = provider.browser(), provider.authorize_url()
    before = await rows(provider)
    provider.count()
    page = await browser.get(url)
    assert page.status_code == 200
    assert str(page.url).endswith(url)
    assert not provider.statements
    cookie = browser.token
    for _ in range(2):  # reload, and back from a bookmark
        provider.count()
        assert "Sign in" in (await browser.get(url)).text
        assert (len(provider.statements), commits(provider)) == (1, 0)
    assert browser.token == cookie
    assert await rows(provider) == before


async def test_a_password_is_three_statements_and_two_commits(provider: Provider) -> None:
    for prompt in (None, "login"):  # the second time in a session that there is
        await forget_limits(provider)
        browser = provider.browser()
        if prompt:
            await provider.sign_in(browser, "bob")
            provider.clock.move(timedelta(minutes=2))
        await browser.get(provider.authorize_url(prompt=prompt))
        provider.count()
        answer = await send(provider, browser.token, form_of(browser))
        assert answer.headers["location"].startswith("/i/")
        assert (len(provider.statements), commits(provider)) == (3, 2)


async def test_a_login_is_seven_statements_and_four_commits_in_five_requests(provider: Provider) -> None:
    browser = provider.browser()
    provider.count()
    await browser.get(provider.authorize_url())
    to = await browser.submit("/password", follow=False, username="alice", password=PASSWORD)
    await browser.get(to.headers["location"])
    code = parameters(await browser.submit("/totp", follow=False, code=provider.totp()))["code"]
    assert (await provider.redeem(code)).status_code == 200
    assert len(provider.statements) <= 7
    assert commits(provider) <= 4


async def test_a_wrong_password_leaves_its_charge_and_its_line_in_the_trail(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    before = await rows(provider)
    page = await browser.post(*form_of(browser, password="wrong"))
    assert page.status_code == 400
    assert "The username or the password is not right" in page.text
    assert urlsplit(str(page.url)).path == "/authorize"
    after = await rows(provider)
    assert {name for name in after if after[name] != before[name]} == {"rate_limit", "audit_event"}
    # once more from that very page: what was wrong with the first is no part of the request
    assert "note" not in browser.form("/password").action
    page = await browser.submit("/password", username="bob", password="wrong again")
    assert str(page.url).count("note=") == 1
    assert "Check your phone" in (await browser.submit("/password", username="bob", password=PASSWORD)).text


async def test_what_was_wrong_is_said_on_that_page_in_that_browser_alone(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    page = await browser.post(*form_of(browser, password="wrong"))
    note = dict(parse_qsl(urlsplit(str(page.url)).query))["note"]
    for url in (provider.authorize_url("notes"), provider.authorize_url(state="other")):
        assert (await browser.get(f"{url}&note={note}")).status_code == 200
    assert (await provider.browser().get(str(page.url))).status_code == 200
    for forged in ("x", "A" * 200, note[:-2] + "AA", "%00", "é"):
        assert (await browser.get(f"{provider.authorize_url()}&note={forged}")).status_code == 200
    twice = f"{provider.authorize_url()}&note={note}&note={note}"
    assert (await browser.get(twice)).status_code == 400
    # RFC 6749 3.1 for all that is the application's
    assert parameters(await browser.get(f"{provider.authorize_url()}&foo=1&foo=2"))["error"] == "invalid_request"


async def test_cancel_answers_the_client_and_stores_nothing(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    provider.count()
    answer = parameters(await browser.submit("/cancel", follow=False))
    assert (answer["error"], answer["state"]) == ("access_denied", "s t&a=te")
    assert not provider.statements


async def test_two_tabs_of_a_stranger_each_go_where_they_wanted(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url(state="one"))
    first = form_of(browser)
    await browser.get(provider.authorize_url("notes", state="two"))
    second = form_of(browser)
    await browser.post(*first)
    assert parameters(await browser.submit("/sms", code=await provider.texted(browser)))["state"] == "one"
    assert parameters(await browser.post(*second))["state"] == "two"


@pytest.mark.parametrize("together", [True, False])
async def test_two_tabs_that_both_come_with_the_first_cookie_share_one_session(
    provider: Provider, together: bool
) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url(state="one"))
    forms = [form_of(browser)]
    await browser.get(provider.authorize_url("notes", state="two"))
    forms.append(form_of(browser))
    cookie = browser.token

    async def press(number: int) -> httpx.Response:
        return await send(provider, cookie, forms[number])

    answers = await at_once(2, press) if together else [await press(0), await press(1)]
    assert len({answer.cookies["stile"] for answer in answers}) == 1
    assert (await rows(provider))["session"] == 1
    code = (await provider.deliver())[-1]
    browser = provider.browser()
    browser.http.cookies.set("stile", answers[1].cookies["stile"], domain="localhost.local")
    page = await browser.get(answers[1].headers["location"])
    assert "Check your phone" in page.text
    assert parameters(await browser.submit("/sms", code=code))["state"] == "two"
    assert parameters(await browser.get(answers[0].headers["location"]))["state"] == "one"


async def test_another_persons_session_is_no_way_in_for_who_brings_its_first_cookie(provider: Provider) -> None:
    """Fixation: the attacker signs in as himself with a cookie that he planted before."""
    victim = provider.browser()
    await victim.get(provider.authorize_url())
    planted, typed = victim.token, form_of(victim, "alice")
    attacker = await send(provider, planted, form_of(victim, "bob"))
    assert attacker.cookies["stile"]
    before = await rows(provider)
    page = await victim.post(*typed)
    assert page.status_code == 200
    assert "Sign in" in page.text
    assert victim.token not in {planted, attacker.cookies["stile"]}
    assert {**await rows(provider), "rate_limit": 0} == {**before, "rate_limit": 0}
    page = await victim.submit("/password", username="alice", password=PASSWORD)
    assert "alice" in page.text
    for cookie in (planted, attacker.cookies["stile"]):
        thief = provider.browser()
        thief.http.cookies.set("stile", cookie or "")
        assert "alice" not in (await thief.get(str(page.url))).text


async def test_a_form_is_for_its_own_request_alone(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    action, data = form_of(browser)
    path, _, query = action.partition("?")
    other = urlencode(list(parse_qsl(provider.authorize_url("notes").partition("?")[2])))
    for changed in (f"{path}?{other}", f"{action}&prompt=login", path, f"/authorize/cancel?{query}"):
        answer = await browser.http.post(changed, data=data)
        assert answer.status_code in {303, 400, 403}
        assert "stile" not in answer.cookies
        assert "/i/" not in answer.headers.get("location", "")
    assert (await rows(provider))["session"] == 0


async def test_a_session_that_was_is_not_begun_again_under_its_id(provider: Provider) -> None:
    """What applications know as `sid` is one session of one person, for ever."""
    browser = provider.browser()
    await provider.sign_in(browser, "bob")
    old = browser.token
    await browser.get(provider.authorize_url(prompt="login"))
    form = form_of(browser, "alice")
    await provider.rows(FORGET_SESSIONS)
    page = await browser.post(*form)
    assert "Sign in" in page.text
    assert browser.token
    assert old
    assert browser.token.partition(".")[0] != old.partition(".")[0]
    assert (await rows(provider))["session"] == 0
    await browser.submit("/password", username="alice", password=PASSWORD)
    assert browser.page is not None
    assert "alice" in browser.page.text


@pytest.mark.parametrize("form", ["password", "with-passkey", "cancel"])
async def test_a_long_address_is_not_copied_into_a_redirect(provider: Provider, form: str) -> None:
    browser = provider.browser()
    short = await browser.http.get(f"/authorize/{form}?state=x")
    assert (short.status_code, short.headers["location"]) == (303, "/authorize?state=x")
    long = await browser.http.get(f"/authorize/{form}?state={'x' * 60_000}")
    assert long.status_code == 400
    assert "location" not in long.headers


@pytest.mark.parametrize("later", [timedelta(hours=2), timedelta(hours=26), timedelta(days=40)])
async def test_a_first_cookie_begins_no_session_under_an_id_that_was_swept(
    provider: Provider, later: timedelta
) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    form, first = form_of(browser), browser.token
    await send(provider, first, form)
    ((was,),) = await provider.rows(FORGET_SESSIONS)
    provider.clock.move(later)
    both = await at_once(2, lambda _: send(provider, first, form))
    assert {answer.status_code for answer in both} == {303}
    assert len({answer.headers["location"] for answer in both}) == 1
    assert "/i/" in both[0].headers["location"]
    ((now,),) = await provider.rows(SESSIONS)
    assert now != was


async def test_a_page_that_was_open_all_night_signs_in(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url(state="kept"))
    provider.clock.move(timedelta(hours=14))
    await browser.submit("/password", username="bob", password=PASSWORD)
    done = await browser.submit("/sms", code=await provider.texted(browser))
    assert parameters(done)["state"] == "kept"


async def test_an_answer_that_was_lost_long_ago_costs_one_more_password(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url(state="kept"))
    form, cookie = form_of(browser), browser.token
    await send(provider, cookie, form)
    provider.clock.move(timedelta(minutes=1))
    page = await browser.post(*form)
    assert "Sign in" in page.text
    page = await browser.submit("/password", username="bob", password=PASSWORD)
    assert parameters(await browser.submit("/sms", code=await provider.texted(browser)))["state"] == "kept"


async def test_requests_without_an_address_are_stored_and_counted(provider: Provider) -> None:
    given = dict(parse_qsl(urlsplit(provider.authorize_url(state="x" * 7000, response_mode="form_post")).query))
    here = {"Sec-Fetch-Site": "same-origin"}

    async def post() -> httpx.Response:
        async with provider.browser().http as http:
            return await http.post("/authorize?again", data=given, headers=here)

    answers = [await post() for _ in range(61)]
    assert {answer.status_code for answer in answers[:-1]} == {303}
    assert answers[-1].status_code == 429
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600
    assert (await rows(provider))["session"] == 60
    # somebody elsewhere, and whoever comes by an address, is not kept out
    assert (await provider.browser().get(provider.authorize_url())).status_code == 200
    async with provider.browser(address="198.51.100.9").http as http:
        assert (await http.post("/authorize?again", data=given, headers=here)).status_code == 303


async def test_a_request_posted_in_a_session_that_has_an_address_is_asked_about_there(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    given = dict(parse_qsl(urlsplit(provider.authorize_url(state="posted")).query))
    page = await browser.post("/authorize", given)
    assert urlsplit(str(page.url)).path == "/authorize"
    assert "state=posted" in browser.form("/password").action
    assert (await rows(provider))["session"] == 0


async def test_the_account_asks_at_its_own_door_and_stores_nothing(provider: Provider) -> None:
    for path in ("/account", "/account/password", "/account/authenticators/new", "/account/recovery-codes"):
        browser = provider.browser()
        page = await browser.get(path)
        assert page.status_code == 200
        assert browser.form("/password").action == f"/account/sign-in/password?{urlencode({'to': path})}"
        assert "form-action 'self';" in page.headers["content-security-policy"]
        cancelled = await browser.submit("/cancel")
        assert urlsplit(str(cancelled.url)).path == "/account/cancelled"
    assert (await rows(provider))["session"] == 0
    for to in (
        "",
        "/",
        "/elsewhere",
        "//evil.example",
        "https://evil.example/",
        "/account/x",
        "/account/authenticators/1",
    ):
        assert (await provider.browser().get(f"/account/sign-in?{urlencode({'to': to})}")).status_code == 404
    await forget_limits(provider)
    browser = provider.browser()
    await browser.get("/account")
    await browser.submit("/password", username="bob", password=PASSWORD)
    page = await browser.submit("/sms", code=await provider.texted(browser))
    assert page.url.path == "/account"
    assert (await browser.get("/account/sign-in?to=%2Faccount")).url.path == "/account"


async def test_another_language_leads_back_to_the_request(provider: Provider) -> None:
    browser, url = provider.browser(), provider.authorize_url(login_hint="zoë+1@example.com")
    page = await browser.get(url)
    page = await browser.submit("/language", language="es")
    assert 'lang="es"' in page.text
    assert dict(parse_qsl(page.url.query.decode())) == dict(parse_qsl(urlsplit(url).query))
    assert 'value="zoë+1@example.com"' in page.text


async def test_a_charge_that_does_not_wait_leaves_the_connection_as_it_was(
    provider: Provider, database_url: str
) -> None:
    one, now = Database(database_url, size=1), provider.clock.now()
    await one.open()
    try:
        charge = (provider.idp.limits.password_day, digest("somebody"))
        assert await rate_limits.spend(one, [charge], now=now, waits=False) is None
        assert await one.value(Sql("SELECT current_setting('synchronous_commit')")) == "on"
    finally:
        await one.close()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_glance_at_a_request_brings_no_cookie(provider: Provider, method: str) -> None:
    async with provider.browser().http as http:
        answer = await http.request(method, provider.authorize_url(), headers={"Sec-Purpose": "prefetch"})
        assert "set-cookie" not in answer.headers


async def test_the_longest_address_and_what_is_longer(provider: Provider) -> None:
    for length, path in ((1000, "/authorize"), (2700, None), (60_000, None)):
        browser = provider.browser()
        page = await browser.get(provider.authorize_url(response_mode="form_post", state="x" * length))
        assert page.status_code in {200, 303}, length
        if path:
            page = await browser.submit("/password", username="é" * 250, password="wrong")
            assert page.url.path == path
            assert page.status_code == 400
