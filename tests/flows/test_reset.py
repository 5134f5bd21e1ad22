"""A forgotten password, by link and strongest factor: what it takes, what it ends, and what it never opens."""

import json
import re
from datetime import timedelta

import httpx
import pytest

from idp.flows.people.forgotten import FORGOT_PATH
from idp.model import Notice
from idp.sms import Channel
from idp.store.people import accounts
from idp.store.sql import Sql
from tests.world.account_pages import come_in, is_signed_in, notices, refresh_token
from tests.world.authenticator import Key, keep, options_in
from tests.world.mailing import can_mail, mails, newest_link
from tests.world.parallel import at_once
from tests.world.provider import BOB_PHONE, ISSUER, PASSWORD, Browser, Provider

NEW = "seven green lanterns above the quay"
LINK = re.compile(rf"{ISSUER}(/link/reset/[A-Za-z0-9_-]{{43}})")
VERIFY = Sql("UPDATE account SET email_verified = true, email = username || '@example.com' WHERE username = :name")
LIKE_HERS = Sql("UPDATE account SET email_verified = true, email = :theirs WHERE username = 'bob'")
STRONG_FROM = Sql("SELECT strong_from FROM account WHERE username = :name")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
async def _mail(provider: Provider) -> None:
    can_mail(provider)
    provider.gateway.channels = frozenset(Channel)
    for name in ("alice", "bob"):
        await provider.idp.db.one(VERIFY, name=name)


async def ask(browser: Browser, typed: str) -> httpx.Response:
    await browser.get(FORGOT_PATH)
    return await browser.submit(FORGOT_PATH, username=typed)


async def link(provider: Provider, typed: str = "alice", *, browser: Browser | None = None) -> str:
    """The path of the newest link that was mailed."""
    await ask(browser or provider.browser(address="192.0.2.50"), typed)
    await provider.deliver()
    return newest_link(provider, LINK)


async def press(browser: Browser, path: str) -> httpx.Response:
    page = await browser.get(path)
    assert page.status_code == 200, page.text[:1500]
    return await browser.submit(path)


async def proved(provider: Provider, browser: Browser, typed: str = "alice") -> httpx.Response:
    """Up to the page for the new password."""
    await press(browser, await link(provider, typed))
    if typed == "alice":
        return await browser.submit("/totp", code=provider.totp())
    return await browser.submit("/sms", code=await provider.texted(browser))


async def choose(browser: Browser, password: str = NEW) -> httpx.Response:
    return await browser.submit("/reset", password=password, repeat=password)


async def works(provider: Provider, username: str, password: str) -> bool:
    browser = provider.browser(address="192.0.2.99")
    await browser.get("/account")
    page = await browser.submit("/password", username=username, password=password)
    return "/i/" in str(page.url)


async def test_rec_05_who_has_an_app_proves_it_and_is_not_signed_in(provider: Provider) -> None:
    other = provider.browser()
    refreshing = await refresh_token(provider, other)
    browser = provider.browser(address="192.0.2.7")
    page = await proved(provider, browser)
    assert page.url.path == "/reset"
    assert "nothing sensitive opens" not in page.text
    page = await choose(browser)
    assert "Your new password is set" in page.text
    assert not await is_signed_in(browser)
    assert not await is_signed_in(other)
    refused = await provider.token(grant_type="refresh_token", refresh_token=refreshing)
    assert refused.json()["error"] == "invalid_grant"
    assert await provider.idp.db.value(STRONG_FROM, name="alice") is None
    assert not await works(provider, "alice", PASSWORD)
    assert await works(provider, "alice", NEW)
    assert await notices(provider, Notice.PASSWORD_CHANGED)


async def test_the_new_password_alone_still_signs_in_nowhere(provider: Provider) -> None:
    browser = provider.browser()
    await proved(provider, browser)
    await choose(browser)
    await browser.get("/account")
    page = await browser.submit("/password", username="alice", password=NEW)
    assert page.url.path.startswith("/i/")
    assert not await is_signed_in(browser)


async def test_no_message_but_the_mail_leaves_before_the_button(provider: Provider) -> None:
    browser = provider.browser()
    path = await link(provider, "bob")
    await browser.get(path)
    assert [each for each in await provider.deliver() if each] == []
    page = await browser.submit(path)
    assert "/i/" in str(page.url)
    assert not await provider.deliver()
    await browser.submit("/sms/send")
    assert len(await provider.deliver()) == 1
    assert provider.gateway.sent[-1].to == BOB_PHONE


async def test_a_phone_alone_is_enough_and_closes_what_is_strong_for_the_hold(provider: Provider) -> None:
    browser = provider.browser()
    page = await proved(provider, browser, "bob")
    assert "nothing sensitive opens for 24 hours" in page.text
    await choose(browser)
    until = await provider.idp.db.value(STRONG_FROM, name="bob")
    assert until - provider.clock.now() > timedelta(hours=23)
    assert await works(provider, "bob", NEW)
    page = await come_in_with(provider, "bob", "/account/authenticators/new")
    assert page.status_code == 403
    provider.clock.move(timedelta(hours=24))
    page = await come_in_with(provider, "bob", "/account/authenticators/new")
    assert page.status_code == 200


async def come_in_with(provider: Provider, username: str, path: str) -> httpx.Response:
    provider.clock.move(timedelta(minutes=2))
    browser = provider.browser(address="192.0.2.88")
    await browser.get("/account")
    await browser.submit("/password", username=username, password=NEW)
    await browser.submit("/sms", code=await provider.texted(browser))
    return await browser.get(path)


async def test_a_phone_is_not_enough_for_who_has_an_app(provider: Provider) -> None:
    browser = provider.browser()
    page = await press(browser, await link(provider))
    assert page.url.path.startswith("/i/")
    assert "/sms" not in page.text
    assert "text message" not in page.text
    asked = page.url.path
    for way in ("sms", "email"):
        answer = await browser.post(f"{asked}/{way}/send", {"csrf": "x"}, follow=False)
        assert answer.status_code == 403
    assert (await browser.get("/reset")).url.path.startswith("/i/")


async def test_a_saved_code_does_for_who_lost_the_app_and_closes_what_is_strong(provider: Provider) -> None:
    browser = provider.browser()
    page = await press(browser, await link(provider))
    await browser.get(f"{page.url.path}/recovery")
    page = await browser.submit("/recovery", code=provider.saved["alice"][0])
    assert page.url.path == "/reset"
    assert "nothing sensitive opens for 24 hours" in page.text
    await choose(browser)
    assert await provider.idp.db.value(STRONG_FROM, name="alice") is not None


async def test_without_the_second_factor_there_is_no_page_for_a_password(provider: Provider) -> None:
    browser = provider.browser()
    await press(browser, await link(provider))
    page = await browser.get("/reset")
    assert page.url.path.startswith("/i/")
    assert await works(provider, "alice", PASSWORD)
    assert (await provider.browser().get("/reset")).status_code == 400


async def test_a_session_of_a_link_opens_nothing_else(provider: Provider) -> None:
    browser = provider.browser()
    await proved(provider, browser)
    for path in ("/account", "/account/authenticators/new", "/account/password", provider.authorize_url()):
        page = await browser.get(path)
        assert "Sign in" in page.text, path
        assert "alice" not in page.text
    page = await browser.get(provider.authorize_url(prompt="none"), follow=False)
    assert "login_required" in page.headers["location"]


async def test_who_signs_in_beside_a_reset_gets_a_session_of_their_own(provider: Provider) -> None:
    browser = provider.browser()
    await proved(provider, browser)
    await browser.get("/account")
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    assert page.url.path.startswith("/i/"), "the proof of the reset is none of signing in"
    assert not await is_signed_in(browser)
    await browser.get(str(page.url))
    provider.clock.move(timedelta(minutes=1))
    page = await browser.submit("/totp", code=provider.totp())
    assert page.url.path == "/account"


async def test_a_passkey_that_was_proved_for_a_reset_signs_in_nowhere(provider: Provider) -> None:
    key, browser = Key(), provider.browser()
    await keep(provider, key)
    page = await press(browser, await link(provider))
    if "Confirm with your passkey" not in page.text:
        page = await browser.get(f"{page.url.path}/passkey")
    page = await browser.submit("/passkey", code=json.dumps(key.answer(options_in(page.text))))
    assert page.url.path == "/reset"
    assert not await is_signed_in(browser)
    silent = await browser.get(provider.authorize_url(prompt="none"), follow=False)
    assert "login_required" in silent.headers["location"]
    await browser.get("/reset")
    await choose(browser)
    assert await provider.idp.db.value(STRONG_FROM, name="alice") is None


async def test_a_signed_in_person_is_asked_for_the_factor_too(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "bob")
    page = await press(browser, await link(provider, "bob"))
    assert page.url.path.startswith("/i/")
    assert not await is_signed_in(browser)


@pytest.mark.parametrize("typed", ["alice", "ALICE", " alice ", "alice@example.com", "Alice@Example.COM"])
async def test_a_name_or_an_address_will_do(provider: Provider, typed: str) -> None:
    assert await link(provider, typed)
    assert mails(provider)[-1].to == "alice@example.com"


async def test_everybody_hears_the_same(provider: Provider) -> None:
    found = await accounts.by_username(provider.idp.db, username="bob")
    assert found is not None
    await accounts.set_disabled(
        provider.idp.db, account_id=found[0].id, disabled_at=provider.clock.now(), now=provider.clock.now()
    )
    await provider.add_person("mailless", number="+37256789051")
    await provider.add_person("unsure", number="+37256789052", email="unsure@example.com")
    faces = set()
    for n, typed in enumerate(("alice", "nobody", "bob", "mailless", "unsure", "x" * 254, "é\u200b'; --")):
        page = await ask(provider.browser(address=f"192.0.2.{n}"), typed)
        faces.add((page.status_code, page.url.path, re.sub(r'name="csrf" value="[0-9a-f]+"', "", page.text)))
    assert len(faces) == 1, [face[:2] for face in faces]
    await provider.deliver()
    assert [mail.to for mail in mails(provider)] == ["alice@example.com"]


async def test_two_people_of_one_address_get_a_link_each(provider: Provider) -> None:
    for name in ("ann", "ben"):
        await provider.add_person(name, number="+37256789051", email="family@example.com", email_verified=True)
    await ask(provider.browser(), "family@example.com")
    await provider.deliver()
    texts = [mail.text for mail in mails(provider)]
    assert len({LINK.search(text)[1] for text in texts}) == 2  # type: ignore[index]  # both have one
    assert sorted(name for text in texts for name in ("ann", "ben") if f"“{name}”" in text) == ["ann", "ben"]


@pytest.mark.parametrize("theirs", ["ALİCE@example.com", "al\u0131ce@example.com"], ids=["dotted", "dotless"])
async def test_an_address_that_some_databases_make_hers_is_another(provider: Provider, theirs: str) -> None:
    await provider.idp.db.one(LIKE_HERS, theirs=theirs)
    for typed in ("alice@example.com", "ALICE@EXAMPLE.COM"):
        provider.gateway.sent.clear()
        await ask(provider.browser(address="192.0.2.50"), typed)
        await provider.deliver()
        assert len(mails(provider)) == 1  # to her alone


async def test_asking_is_two_statements_whoever_it_is(provider: Provider) -> None:
    for typed in ("alice", "nobody"):
        browser = provider.browser()
        await browser.get(FORGOT_PATH)
        provider.count()
        await browser.submit(FORGOT_PATH, username=typed, follow=False)
        assert len(provider.statements) == 2, provider.statements


async def test_links_are_few_for_each_name_and_address(provider: Provider) -> None:
    for n in range(3):
        assert (await ask(provider.browser(address=f"192.0.2.{n}"), "nobody")).status_code == 200
    page = await ask(provider.browser(address="192.0.2.9"), "nobody")
    assert page.status_code == 429
    assert "You can ask for another link in" in page.text
    assert int(page.headers["retry-after"]) <= 3600
    for n in range(7):
        assert (await ask(provider.browser(address="192.0.2.0"), f"name{n}")).status_code == 200
    assert (await ask(provider.browser(address="192.0.2.7"), "another")).status_code == 200
    for n in range(9):
        assert (await ask(provider.browser(address="192.0.2.7"), f"other{n}")).status_code == 200
    assert (await ask(provider.browser(address="192.0.2.7"), "one more")).status_code == 429


async def test_looking_spends_nothing_and_a_link_works_once(provider: Provider) -> None:
    path = await link(provider)
    for _ in range(3):
        assert (await provider.browser().get(path)).status_code == 200
    async with provider.browser().http as scanner:
        assert (await scanner.head(path)).status_code == 200
    assert (await press(provider.browser(), path)).url.path.startswith("/i/")
    late = await provider.browser().get(path)
    assert late.status_code == 400
    assert "This link does not work any more" in late.text


async def test_a_link_is_too_old_after_twenty_minutes(provider: Provider) -> None:
    path = await link(provider)
    browser = provider.browser()
    await browser.get(path)
    provider.clock.move(timedelta(minutes=20))
    page = await browser.submit(path)
    assert page.status_code == 400
    assert "Start again" in page.text


async def test_pressing_twice_going_back_and_reloading_lead_on(provider: Provider) -> None:
    path = await link(provider)
    browser = provider.browser()
    await browser.get(path)
    form = browser.form(path)
    data = {each.name: each.value for each in form.fields}
    cookie = {"Cookie": f"stile={browser.token}"}
    first = await browser.http.post(path, data=data, headers=cookie)
    second = await browser.http.post(path, data=data, headers=cookie)
    assert first.headers["location"] == second.headers["location"]
    assert first.headers["location"].startswith("/i/")
    assert (await browser.get(path)).url.path == first.headers["location"]
    page = await browser.submit("/totp", code=provider.totp())
    assert page.url.path == "/reset"
    assert (await browser.get(first.headers["location"])).url.path == "/reset"


async def test_choosing_twice_says_the_same_twice(provider: Provider) -> None:
    browser = provider.browser()
    await proved(provider, browser)
    form = browser.form("/reset")
    data = {each.name: each.value for each in form.fields} | {"password": NEW, "repeat": NEW}
    first, second = [await browser.post("/reset", data) for _ in range(2)]
    assert first.url.path == second.url.path == "/reset/done"
    provider.clock.move(HOUR)
    assert (await browser.post("/reset", data)).status_code == 400


@pytest.mark.parametrize(
    ("password", "repeat", "said"),
    [
        ("", "", "Enter a new password"),
        (NEW, "other", "The two passwords are not the same"),
        ("short", "short", "Use at least"),
        ("password", "password", "easy to guess"),
        ("x" * 1001, "x" * 1001, "Use at most 1,000 characters"),
    ],
)
async def test_a_password_that_will_not_do_is_said_to_be_so(
    provider: Provider, password: str, repeat: str, said: str
) -> None:
    browser = provider.browser()
    await proved(provider, browser)
    page = await browser.submit("/reset", password=password, repeat=repeat)
    assert page.status_code == 400
    assert said in page.text
    assert (await choose(browser)).url.path == "/reset/done"


async def test_who_has_nothing_but_the_mailbox_is_told_whom_to_ask(provider: Provider) -> None:
    await provider.add_person("mo", email="mo@example.com", email_verified=True)
    page = await press(provider.browser(), await link(provider, "mo"))
    assert page.status_code == 403
    assert "Ask the people who run this service" in page.text


async def test_without_mail_the_page_says_whom_to_ask(provider: Provider) -> None:
    provider.idp.settings = provider.idp.settings.model_copy(update={"smtp_url": None})
    page = await provider.browser().get(FORGOT_PATH)
    assert "Ask the people who run this service" in page.text
    assert "<input" not in page.text.partition("<main>")[2].partition("</main>")[0]


async def test_the_sign_in_page_leads_there(provider: Provider) -> None:
    for path in ("/account", provider.authorize_url()):
        assert f'href="{FORGOT_PATH}"' in (await provider.browser().get(path)).text


async def test_of_twenty_who_press_at_once_one_gets_in(provider: Provider) -> None:
    for _ in range(3):
        path = await link(provider)
        browsers = [provider.browser(address=f"192.0.2.{n}") for n in range(20)]
        for browser in browsers:
            await browser.get(path)

        async def pressed(n: int, browsers: list[Browser] = browsers, path: str = path) -> bool:
            return (await browsers[n].submit(path, follow=False)).status_code == 303

        assert sum(await at_once(20, pressed)) == 1
        provider.clock.move(HOUR)


async def test_the_token_is_in_no_log(
    provider: Provider, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    browser = provider.browser()
    path = await link(provider)
    token = path.rpartition("/")[2]
    await press(browser, path)
    await browser.get(path)
    await provider.browser().get(path)
    await browser.post(path, {"csrf": "nonsense"}, follow=False)
    out = capsys.readouterr()
    assert token not in out.out + out.err + caplog.text
    answer = await provider.browser().get(await link(provider))
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def test_who_lost_phone_and_app_is_led_through_it(provider: Provider) -> None:
    page = await provider.browser().get("/lost")
    assert "You have a recovery code" in page.text
    assert f'href="{FORGOT_PATH}"' in page.text
    provider.idp.settings = provider.idp.settings.model_copy(update={"smtp_url": None})
    assert FORGOT_PATH not in (await provider.browser().get("/lost")).text
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    page = await browser.submit("/password", username="bob", password=PASSWORD)
    assert 'href="/lost"' in page.text, "nothing else is there to lead to"
