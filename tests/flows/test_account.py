"""The account page: who gets in, what it shows, and what its buttons end."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from idp import limits
from idp.crypto import KeyChain, random_token
from idp.flows.idp import session_token
from idp.model import Notice
from idp.settings import Settings
from idp.store import rate_limits
from idp.store.schema.people import session
from idp.web import account, authenticators, logout, recovery_codes
from idp.web.account import is_internal
from idp.web.door import csrf
from tests.world.account_pages import apps, come_in, forged, is_signed_in, notices, prove_app, refresh_token, session_id
from tests.world.composed import Statement
from tests.world.databases import empty
from tests.world.mailing import allow_mail, mails
from tests.world.provider import ALICE_PHONE, ISSUER, NOTES_URI, PASSWORD, Browser, Provider, parameters
from tests.world.running import running

NEW_PASSWORD = "seven green lanterns above the quay"
ROOM = "/account/password"
MINUTE = timedelta(minutes=1)
PAGES = ["/account", "/account/password", "/account/authenticators/new", "/account/recovery-codes"]
POSTS = {
    "/account/apps/withdraw": {"client": "forum"},
    "/account/sessions/end": {"session": "{session}"},
    "/account/sessions/end-others": {},
    "/account/first": {"factor": "sms"},
    "/account/password": {"password": NEW_PASSWORD, "repeat": NEW_PASSWORD},
    "/account/authenticators/new": {},
    "/account/authenticators/confirm": {"code": "123456", "label": ""},
    "/account/authenticators/{app}/rename": {"label": "Mine"},
    "/account/authenticators/{app}/remove": {},
    "/account/recovery-codes": {},
    "/account/recovery-codes/at-hand": {},
    "/account/recovery-codes/saved": {"saved": "1"},
    "/account/recovery-codes/download": {"codes": "x"},
    "/account/sign-out": {},
    "/logout/confirm": {"decision": "sign_out", "request": ""},
    "/language": {"language": "en", "here": "/account"},
}
every_post = pytest.mark.parametrize("path", POSTS)


def test_every_form_of_these_rooms_is_tried() -> None:
    routes = [*account.ROUTES, *authenticators.ROUTES, *recovery_codes.ROUTES, *logout.ROUTES]
    posts = {route.path for route in routes if "POST" in (route.methods or ())} - {"/logout"}
    assert posts == {path.replace("{app}", "{id:uuid}") for path in POSTS}


async def post_of(provider: Provider, browser: Browser, path: str) -> tuple[str, dict[str, str]]:
    app = str((await apps(provider, "alice"))[0]["id"])
    data = {name: value.replace("{session}", str(session_id(browser))) for name, value in POSTS[path].items()}
    return path.replace("{app}", app), data


async def password_only(provider: Provider, username: str = "alice") -> Browser:
    browser = provider.browser(address="192.0.2.77")
    await browser.get("/account")
    await browser.submit("/password", username=username, password=PASSWORD)
    return browser


@pytest.mark.parametrize("path", PAGES)
async def test_a_stranger_is_asked_to_sign_in_and_comes_back(provider: Provider, path: str) -> None:
    browser = provider.browser()
    page = await browser.get(path)
    assert page.url.path == "/account/sign-in"
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    if path == "/account":
        page = await browser.submit("/sms", code=await provider.texted(browser))
    else:
        page = await browser.submit("/totp", code=provider.totp())
        assert provider.gateway.sent == []
    assert str(page.url) == ISSUER + path


@pytest.mark.parametrize("path", PAGES)
async def test_stp_14_a_password_alone_opens_no_page(provider: Provider, path: str) -> None:
    browser = await password_only(provider)
    answer = await browser.get(path, follow=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/i/")
    assert answer.text == ""


@every_post
async def test_stp_14_a_password_alone_changes_nothing(provider: Provider, path: str) -> None:
    other = provider.browser()
    await come_in(provider, other, "alice")
    browser = await password_only(provider)
    posted, data = await post_of(provider, other, path)
    answer = await forged(provider, browser, posted, data)
    if path.startswith("/account/") and path not in {"/account/sign-out", "/account/recovery-codes/saved"}:
        assert answer.headers["location"].startswith("/i/")
    assert await is_signed_in(other)
    assert [each["label"] for each in await apps(provider, "alice")] == ["Pixel"]
    assert not await notices(provider, Notice.PASSWORD_CHANGED)


@every_post
async def test_ses_03_a_form_that_is_not_ours_changes_nothing(provider: Provider, path: str) -> None:
    browser, other = provider.browser(), provider.browser(address="192.0.2.9")
    await come_in(provider, browser, "alice")
    await prove_app(provider, browser, ROOM)
    await browser.get("/account")
    assert (await other.get("/account")).status_code == 200
    posted, data = await post_of(provider, browser, path)
    right = csrf(provider.idp, session_id(browser), posted)
    for wrong in (
        {},
        {"csrf": ""},
        {"csrf": "é"},
        {"csrf": random_token()},
        {"csrf": csrf(provider.idp, session_id(other), posted)},
        {"csrf": csrf(provider.idp, session_id(browser), "/account/elsewhere")},
        {"csrf": csrf(provider.idp, None, posted)},
    ):
        assert (await browser.post(posted, {"x": "", **data, **wrong})).status_code == 403, wrong
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = await browser.http.post(posted, data={**data, "csrf": right}, headers=headers)
        assert answer.status_code == 403, headers
    assert (await browser.get(posted, follow=False)).status_code in {200, 303, 404, 405}
    assert await is_signed_in(browser)
    assert [each["label"] for each in await apps(provider, "alice")] == ["Pixel"]
    assert not await notices(provider, Notice.PASSWORD_CHANGED)
    assert not await notices(provider, Notice.RECOVERY_ADDED)


@every_post
async def test_an_invented_session_with_a_right_token_is_nobody(provider: Provider, path: str) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    posted, data = await post_of(provider, browser, path)
    invented = provider.browser()
    invented.http.cookies.set("stile", session_token(provider.idp.secrets, session_id(browser)))
    await forged(provider, invented, posted, data)
    assert await is_signed_in(browser)
    assert not await is_signed_in(invented)
    assert [each["label"] for each in await apps(provider, "alice")] == ["Pixel"]


async def test_the_page_shows_who_how_what_and_where(provider: Provider) -> None:
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    browser = provider.browser(headers={"User-Agent": firefox})
    page = await come_in(provider, browser, "alice")
    for shown in ("Alice Ader", "alice", "Pixel", "10 left", "ending", "45", "Firefox, Linux", "This device"):
        assert shown in page.text, shown
    assert "Signed in" in page.text
    assert ALICE_PHONE not in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_an_application_that_was_agreed_to_is_disconnected_with_its_tokens(provider: Provider) -> None:
    await provider.add_client("forum", NOTES_URI, first_party=False)
    browser = provider.browser()
    await provider.sign_in(browser, client_id="forum", scope="openid profile offline_access", prompt="consent")
    answer = parameters(await browser.submit("/consent", decision="allow"))
    tokens = (await provider.redeem(answer["code"], "forum")).json()
    page = await browser.get("/account")
    assert "Acme Forum" in page.text
    assert "See your name and profile" in page.text
    page = await browser.submit("/withdraw")
    assert "The application is disconnected." in page.text
    assert "You use no application with this account so far." in page.text
    assert (await provider.introspect(tokens["access_token"], "forum"))["active"] is False
    refused = await provider.token("forum", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    # and it has to ask again
    page = await browser.get(provider.authorize_url("forum", scope="openid profile"))
    browser.form("/consent")


async def test_disconnecting_ends_nothing_of_anybody_else(provider: Provider) -> None:
    await provider.add_client("forum", NOTES_URI, first_party=False)
    alice, bob = provider.browser(), provider.browser(address="192.0.2.6")
    await provider.sign_in(bob, "bob", client_id="forum", scope="openid")
    answer = parameters(await bob.submit("/consent", decision="allow"))
    tokens = (await provider.redeem(answer["code"], "forum")).json()
    await come_in(provider, alice, "alice")
    await forged(provider, alice, "/account/apps/withdraw", client="forum")
    await forged(provider, alice, "/account/apps/withdraw", client="no-such\u00e9")
    assert (await provider.introspect(tokens["access_token"], "forum"))["active"] is True


async def test_one_browser_is_signed_out_from_another(provider: Provider) -> None:
    here, there = provider.browser(), provider.browser(address="192.0.2.9")
    await come_in(provider, there, "alice")
    provider.clock.move(2 * MINUTE)
    await come_in(provider, here, "alice")
    assert await is_signed_in(there)
    await here.get("/account")
    page = await here.submit("/end")
    assert "That device is signed out." in page.text
    assert not await is_signed_in(there)
    assert await is_signed_in(here)


async def test_who_only_knows_the_password_is_not_shown_as_signed_in(provider: Provider) -> None:
    here, stranger = provider.browser(), provider.browser(address="192.0.2.9")
    await come_in(provider, here, "alice")
    await stranger.get(provider.authorize_url("bank"))
    await stranger.submit("/password", username="alice", password=PASSWORD)
    page = await here.get("/account")
    assert page.text.count('name="session"') == 0
    assert "/account/sessions/end-others" not in page.text


async def test_nobody_ends_somebody_else_s_session(provider: Provider) -> None:
    alice, bob = provider.browser(), provider.browser(address="192.0.2.9")
    await come_in(provider, alice, "alice")
    await come_in(provider, bob, "bob")
    for target in (str(session_id(alice)), str(uuid4()), "nonsense", ""):
        answer = await forged(provider, bob, "/account/sessions/end", session=target)
        assert answer.status_code in {303, 400}
    assert await is_signed_in(alice)


async def test_everything_else_is_signed_out_at_once(provider: Provider) -> None:
    refreshing = await refresh_token(provider, there := provider.browser(address="192.0.2.9"))
    provider.clock.move(2 * MINUTE)
    here = provider.browser()
    await come_in(provider, here, "alice")
    page = await here.submit("/end-others")
    assert "Every other browser has to sign in again." in page.text
    assert not await is_signed_in(there)
    assert await is_signed_in(here)
    refused = await provider.token(grant_type="refresh_token", refresh_token=refreshing)
    assert refused.json()["error"] == "invalid_grant"


async def test_ses_06_a_new_password_ends_what_the_old_one_opened(provider: Provider) -> None:
    refreshing = await refresh_token(provider, there := provider.browser(address="192.0.2.9"))
    provider.clock.move(2 * MINUTE)
    here = provider.browser()
    await come_in(provider, here, "alice")
    await prove_app(provider, here, ROOM)
    page = await here.submit(ROOM, password=NEW_PASSWORD, repeat=NEW_PASSWORD)
    assert "Your password was changed." in page.text
    assert await notices(provider, Notice.PASSWORD_CHANGED) == [ALICE_PHONE]
    assert await is_signed_in(here)
    assert not await is_signed_in(there)
    refused = await provider.token(grant_type="refresh_token", refresh_token=refreshing)
    assert refused.json()["error"] == "invalid_grant"
    late = provider.browser(address="192.0.2.10")
    await late.get("/account")
    assert (await late.submit("/password", username="alice", password=PASSWORD)).status_code == 400
    page = await late.submit("/password", username="alice", password=NEW_PASSWORD)
    assert page.status_code == 200
    assert "/i/" in str(page.url)


async def test_the_password_takes_the_app_and_a_fresh_proof(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await browser.get(ROOM)
    browser.form("/totp")
    assert "/sms" not in page.text
    page = await browser.submit("/totp", code=provider.totp())
    assert page.status_code == 200
    provider.clock.move(timedelta(minutes=5, seconds=1))
    refused = await forged(provider, browser, ROOM, password=NEW_PASSWORD, repeat=NEW_PASSWORD)
    assert refused.headers["location"].startswith("/i/")
    assert await notices(provider, Notice.PASSWORD_CHANGED) == []


async def test_what_was_proved_for_an_application_does_not_open_a_room(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    await browser.get(provider.authorize_url(scope="openid transfers:write"))
    await browser.submit("/totp", code=provider.totp())
    for path in PAGES[1:]:
        assert (await browser.get(path, follow=False)).headers["location"].startswith("/i/"), path
    assert await is_signed_in(browser)


async def test_with_a_phone_alone_the_password_changes_and_what_is_strong_is_closed_for_the_hold(
    provider: Provider,
) -> None:
    browser, other = provider.browser(), provider.browser(address="192.0.2.9")
    await come_in(provider, other, "bob")
    provider.clock.move(6 * MINUTE)
    page = await come_in(provider, browser, "bob")
    assert "Change password" in page.text
    page = await browser.get(ROOM)
    assert "nothing sensitive opens for 24 hours" in page.text
    form = {each.name: each.value for each in browser.form(ROOM).fields}
    typed = {**form, "password": NEW_PASSWORD, "repeat": NEW_PASSWORD}
    for _ in range(2):  # a press that comes twice is one press
        page = await browser.post(ROOM, typed)
        assert "Your password was changed." in page.text
    assert not await is_signed_in(other)
    assert len(await notices(provider, Notice.PASSWORD_CHANGED)) == 1
    for room in ("/account/authenticators/new", ROOM):
        page = await browser.get(room)
        assert page.status_code == 403
        assert "You cannot do this yet" in page.text
    provider.clock.move(timedelta(hours=24))
    browser = provider.browser()
    await browser.get(ROOM)
    await browser.submit("/password", username="bob", password=NEW_PASSWORD)
    page = await browser.submit("/sms", code=await provider.texted(browser))
    assert page.status_code == 200


async def test_a_phone_that_was_proved_long_ago_is_asked_for_again(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "bob")
    provider.clock.move(6 * MINUTE)
    page = await browser.get(ROOM)
    assert page.url.path.startswith("/i/")
    page = await browser.submit("/sms", code=await provider.texted(browser))
    assert page.url.path == ROOM


async def test_who_has_an_app_never_pays_with_a_phone(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await browser.get(ROOM)
    assert page.url.path.startswith("/i/")
    assert "text message" not in page.text.partition("What")[0] or "/sms" not in page.text
    assert f'action="{page.url.path}/sms' not in page.text


@pytest.mark.parametrize(
    ("password", "repeat", "said"),
    [
        pytest.param("", "", "Enter a new password", id="nothing"),
        pytest.param(NEW_PASSWORD, NEW_PASSWORD + "x", "not the same", id="typo"),
        pytest.param("short", "short", "at least 8", id="short"),
        pytest.param("password123", "password123", "easy to guess", id="common"),
        pytest.param("alice ader", "alice ader", "easy to guess", id="own name"),
        pytest.param("x" * 1001, "x" * 1001, "at most 1,000", id="long"),
        pytest.param("tab\tin the middle", "tab\tin the middle", "letters, numbers", id="control character"),
    ],
)
async def test_a_password_that_will_not_do_is_refused(
    provider: Provider, password: str, repeat: str, said: str
) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await prove_app(provider, browser, ROOM)
    page = await browser.submit(ROOM, password=password, repeat=repeat)
    assert page.status_code == 400
    assert said in page.text
    if password:
        assert f'value="{password}"' not in page.text
    assert await notices(provider, Notice.PASSWORD_CHANGED) == []


async def test_the_password_there_is_cannot_be_set_again(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await prove_app(provider, browser, ROOM)
    await browser.submit(ROOM, password=NEW_PASSWORD, repeat=NEW_PASSWORD)
    provider.clock.move(timedelta(minutes=2))
    await browser.get(ROOM)
    page = await browser.submit(ROOM, password=NEW_PASSWORD, repeat=NEW_PASSWORD)
    assert page.status_code == 400
    assert "differs from the one you have" in page.text
    assert len(await notices(provider, Notice.PASSWORD_CHANGED)) == 1


async def test_two_new_passwords_at_once_leave_one_and_it_works(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await prove_app(provider, browser, ROOM)
    chosen = [f"{NEW_PASSWORD} {n}" for n in ("one", "two")]
    await asyncio.gather(*(forged(provider, browser, ROOM, password=each, repeat=each) for each in chosen))
    works = []
    for number, each in enumerate(chosen):
        late = provider.browser(address=f"192.0.2.{20 + number}")
        await late.get("/account")
        answer = await late.submit("/password", follow=False, username="alice", password=each)
        works.append(answer.status_code == 303)
    assert sorted(works) == [False, True]


async def test_passwords_are_not_changed_all_day(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await prove_app(provider, browser, ROOM)
    for number in range(5):
        new = f"{NEW_PASSWORD} {number}"
        answer = await forged(provider, browser, ROOM, password=new, repeat=new)
        assert answer.headers["location"].startswith("/account?done=")
    answer = await forged(provider, browser, ROOM, password=NEW_PASSWORD, repeat=NEW_PASSWORD)
    assert answer.status_code == 429
    assert len(await notices(provider, Notice.PASSWORD_CHANGED)) == 5


async def test_cancelling_a_question_of_ours_asks_nothing_again(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await browser.get(ROOM)
    page = await browser.submit("/cancel")
    assert str(page.url) == f"{ISSUER}/account/cancelled"
    assert "You cancelled" in page.text
    assert await is_signed_in(browser)


async def test_what_was_done_is_said_only_where_it_was_done(provider: Provider) -> None:
    browser, other = provider.browser(), provider.browser(address="192.0.2.9")
    await come_in(provider, browser, "alice")
    await come_in(provider, other, "bob")
    answer = await forged(provider, browser, "/account/sessions/end-others")
    there = answer.headers["location"]
    assert "Every other browser has to sign in again" in (await browser.get(there)).text
    assert "Every other browser has to sign in again" not in (await other.get(there)).text
    for word in ("OTHERS_SIGNED_OUT", "", "é"):
        assert "Every other browser has to sign in again" not in (await other.get(f"/account?done={word}")).text


async def test_the_idle_time_starts_again_with_each_visit(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    for _ in range(3):
        provider.clock.move(timedelta(minutes=50))
        assert await is_signed_in(browser)
    provider.clock.move(timedelta(minutes=61))
    assert not await is_signed_in(browser)


async def test_the_idle_time_starts_again_with_each_application_and_is_written_once_a_minute(
    provider: Provider,
) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    seen = Statement(select(session.c.seen_at).order_by(session.c.created_at.desc()).limit(1))

    async def again(later: timedelta) -> int:
        """How many whole seconds later it was seen."""
        before = (await provider.rows(seen))[0][0]
        provider.clock.move(later)
        code = parameters(await browser.http.get(provider.authorize_url(prompt="none")))["code"]
        assert (await provider.redeem(code)).status_code == 200
        moved: timedelta = (await provider.rows(seen))[0][0] - before
        return moved // timedelta(seconds=1)

    for _ in range(3):
        assert await again(timedelta(minutes=50)) == 3000
    assert await again(timedelta(seconds=59)) == 0
    assert await again(timedelta(seconds=2)) == 61


async def test_a_factor_that_wrong_codes_closed_is_shown_as_closed(provider: Provider) -> None:
    browser = provider.browser()
    page = await come_in(provider, browser, "alice")
    assert "Closed after too many wrong codes" not in page.text
    app = (await apps(provider, "alice"))[0]
    key = limits.subject(provider.idp.limits.code_failures, app["account_id"], "totp")
    for hours in range(100, 0, -1):
        then = provider.clock.now() - timedelta(hours=hours)
        assert await rate_limits.spend(provider.idp.db, [(provider.idp.limits.code_failures, key)], now=then) is None
    page = await browser.get("/account")
    assert page.text.count("Closed after too many wrong codes") == 1


INTERNAL = ["/account", "/account/authenticators/new", "/i/6f1c1c0e-6b0e-4a57-9d0c-4d9f6f2a7b31/sms", "/logout/done"]
FOREIGN = [
    "",
    "/",
    "account",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "%2f%2fevil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "https:evil.example",
    "https://evil.example/account",
    "javascript:alert(1)",
    "/account\r\nLocation: https://evil.example",
    "/account\t",
    "/..//evil.example",
    "/account/../..//evil.example",
    "/account?next=//evil.example",
    "/account#x",
    "/@evil.example",
    "/.evil.example",
    "/account\n",
]


async def test_oau_20_the_language_chooser_leads_back_to_our_own_pages_only(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    for here in INTERNAL:
        answer = await forged(provider, browser, "/language", language="en", here=here)
        assert (answer.status_code, answer.headers["location"]) == (303, here)
        assert re.search(
            r"stile-language=en; HttpOnly; Max-Age=\d+; Path=/; SameSite=lax", answer.headers["set-cookie"]
        )
    for here in FOREIGN:
        answer = await forged(provider, browser, "/language", language="en", here=here)
        assert answer.status_code == 400, here
        assert "location" not in answer.headers
    for language in ("", "xx", "../../etc", "en\r\nSet-Cookie: a=b"):
        answer = await forged(provider, browser, "/language", language=language, here="/account")
        assert answer.status_code == 400, language
        assert "set-cookie" not in answer.headers


def test_oau_20_under_a_path_only_what_is_below_it_is_internal() -> None:
    assert is_internal("/login/account", "/login")
    assert is_internal("/login", "/login")
    assert not is_internal("/account", "/login")
    assert not is_internal("/loginx/account", "/login")


async def test_under_a_path_everything_is_below_it(database_url: str, key_chain: KeyChain, tmp_path: Path) -> None:
    await empty(database_url)
    settings = Settings.model_validate({"issuer": f"{ISSUER}/login", "data_dir": tmp_path, "dev": True})
    async with running(database_url, key_chain, settings) as provider:
        await provider.add_person("alice", number=ALICE_PHONE, app=True)
        browser = provider.browser()
        page = await come_in(provider, browser, "alice", path="/login/account")
        assert str(page.url) == f"{ISSUER}/login/account"
        page = await prove_app(provider, browser, f"/login{ROOM}")
        page = await browser.submit(ROOM, password=NEW_PASSWORD, repeat=NEW_PASSWORD)
        assert "Your password was changed." in page.text
        page = await browser.submit("/sign-out")
        assert str(page.url) == f"{ISSUER}/login/logout/done"
        assert (await browser.get("/account")).status_code == 404


async def test_ses_06_what_was_granted_in_this_very_session_ends_with_the_password_too(provider: Provider) -> None:
    here = provider.browser()
    refreshing = await refresh_token(provider, here)
    code = parameters(await here.get(provider.authorize_url()))["code"]
    provider.clock.move(2 * MINUTE)
    await here.get("/account")
    await prove_app(provider, here, ROOM)
    page = await here.submit(ROOM, password=NEW_PASSWORD, repeat=NEW_PASSWORD)
    assert "Your password was changed." in page.text
    assert await is_signed_in(here)
    refused = await provider.token(grant_type="refresh_token", refresh_token=refreshing)
    assert refused.json()["error"] == "invalid_grant"
    assert (await provider.redeem(code)).status_code == 400
    # Whoever is still signed in gives the application a new one without being asked.
    answer = parameters(await here.get(provider.authorize_url(scope="openid offline_access")))
    assert "refresh_token" in (await provider.redeem(answer["code"])).json()


async def test_a_token_that_outlived_its_session_dies_with_the_password(provider: Provider) -> None:
    refreshing = await refresh_token(provider, there := provider.browser(address="192.0.2.9"))
    await there.get("/account")
    await there.submit("/sign-out")
    provider.clock.move(2 * MINUTE)
    here = provider.browser()
    await come_in(provider, here, "alice")
    await prove_app(provider, here, ROOM)
    page = await here.submit(ROOM, password=NEW_PASSWORD, repeat=NEW_PASSWORD)
    assert "Your password was changed." in page.text
    refused = await provider.token(grant_type="refresh_token", refresh_token=refreshing)
    assert refused.json()["error"] == "invalid_grant"


async def test_who_has_an_email_address_alone_is_shown_it_and_told_whom_to_ask(provider: Provider) -> None:
    allow_mail(provider)
    await provider.add_person("mia", email="mia@example.com", email_verified=True)
    browser = provider.browser()
    await browser.get("/account")
    await browser.submit("/password", username="mia", password=PASSWORD)
    await provider.deliver()
    page = await browser.submit("/email", code=mails(provider)[-1].code or "")
    assert "Code by email" in page.text
    assert "m•••@example.com" in page.text
    assert "Not used yet" not in page.text
    assert "Ask the people who run this service to set up an authenticator app for you." in page.text
    for path in ("/account/authenticators/new", "/account/recovery-codes", "/account/password"):
        assert f'href="{path}"' not in page.text
        assert (await browser.get(path)).status_code == 403, "and these would have led nowhere"


async def test_an_address_is_no_way_to_sign_in_where_the_policy_sends_no_codes_there(provider: Provider) -> None:
    await provider.add_person("una", number="+37256789052", email="una@example.com", email_verified=True)
    page = await come_in(provider, provider.browser(), "una")
    assert "Code by email" not in page.text
    assert 'href="/account/authenticators/new"' in page.text
    assert 'href="/account/recovery-codes"' in page.text
    assert "Ask the people who run this service" not in page.text
