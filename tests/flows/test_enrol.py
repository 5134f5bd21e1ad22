"""Authenticator apps and recovery codes: who may add, rename, remove them, and how little a stolen number is worth."""

import asyncio
import base64
import html
import re
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pyotp
import pytest
from sqlalchemy import func, update

from idp import limits
from idp.model import Notice
from idp.store import rate_limits
from idp.store.schema.people import authenticator
from tests.world.account_pages import (
    apps,
    code_for,
    codes_on,
    come_in,
    enrol,
    forged,
    having,
    is_signed_in,
    key_on,
    notices,
    prove_app,
    refresh_token,
)
from tests.world.composed import Statement
from tests.world.provider import ALICE_PHONE, BOB_PHONE, PASSWORD, Browser, Provider, parameters

NEW = "/account/authenticators/new"
CONFIRM = "/account/authenticators/confirm"
CODES = "/account/recovery-codes"
SECOND_PHONE = "+37256789047"
DAY = timedelta(hours=24)
MINUTE = timedelta(minutes=1)
_FLIP = Statement(
    update(authenticator)
    .where(authenticator.c.confirmed_at.is_(None))
    .values(sealed=func.set_byte(authenticator.c.sealed, 30, 255 - func.get_byte(authenticator.c.sealed, 30)))
    .returning(authenticator.c.id)
)


async def transfer(provider: Provider, browser: Browser) -> dict[str, str]:
    """Ask for a transfer, answering with the enrolled app wherever a code is asked."""
    page = await browser.get(provider.authorize_url(scope="openid transfers:write"))
    if page.status_code == 200 and "/password" in page.text:
        page = await browser.submit("/password", username="bob", password=PASSWORD)
    if page.status_code == 200:
        page = await browser.submit("/totp", code=provider.totp("enrolled"))
    if page.status_code == 200:
        page = await browser.submit("/consent", decision="allow")
    return parameters(page)


async def test_the_key_for_people_who_cannot_scan_is_eight_groups_of_four(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    page = await browser.submit(NEW)
    shown = re.search(r'<p class="secret"><code>(.*?)</code>', page.text)
    assert shown is not None
    assert re.fullmatch(r"(<span>[A-Z2-7]{4}</span>){8}", shown[1]), "no blanks among them: it is copied as one"


async def test_on_the_very_phone_one_press_opens_the_app(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    page = await browser.submit(NEW)
    found = re.search(r'href="(otpauth://totp/[^"]+)"', page.text)
    assert found is not None
    uri = pyotp.parse_uri(html.unescape(found[1]))
    assert isinstance(uri, pyotp.TOTP)
    assert uri.secret == key_on(page)


async def test_enr_01_an_app_enrolled_with_a_text_message_moves_no_money_for_a_day(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    enrolled_at = provider.clock.now()
    page = await enrol(provider, browser)
    assert len(codes_on(page)) == 10
    # two notices at once: the app, and the codes that came with it
    assert await notices(provider, Notice.TOTP_ADDED) == [BOB_PHONE]
    assert await notices(provider, Notice.RECOVERY_ADDED) == [BOB_PHONE]
    assert (await transfer(provider, browser))["error"] == "unmet_authentication_requirements"
    assert (await transfer(provider, provider.browser()))["error"] == "unmet_authentication_requirements"
    provider.clock.time = enrolled_at + DAY - MINUTE
    assert (await transfer(provider, provider.browser()))["error"] == "unmet_authentication_requirements"
    provider.clock.time = enrolled_at + DAY + MINUTE
    assert "code" in await transfer(provider, provider.browser())


async def test_the_hold_begins_when_the_person_is_told_and_not_when_the_key_was_shown(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    page = await browser.submit(NEW)
    provider.clock.move(timedelta(minutes=9))
    await browser.submit("/confirm", code=code_for(provider, key_on(page) or ""), label="")
    assert [each["trusted_at"] for each in await apps(provider, "bob")] == [None]
    provider.clock.move(MINUTE)
    await provider.deliver()
    assert [each["trusted_at"] for each in await apps(provider, "bob")] == [provider.clock.now() + DAY]


async def test_a_notice_goes_to_every_phone(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    bob = (await having(provider, "bob"))[0]["account_id"]
    await provider.add_phone(bob, SECOND_PHONE)
    await enrol(provider, browser)
    assert sorted(await notices(provider, Notice.TOTP_ADDED)) == [BOB_PHONE, SECOND_PHONE]


async def test_enr_03_a_transfer_without_an_app_ends_and_an_app_enrolled_meanwhile_does_not_change_it(
    provider: Provider,
) -> None:
    browser = provider.browser()
    await provider.sign_in(browser, "bob")
    asked = provider.authorize_url(scope="openid transfers:write")
    assert parameters(await browser.get(asked))["error"] == "unmet_authentication_requirements"
    provider.clock.move(MINUTE)
    await browser.get(NEW)
    await browser.submit("/sms/send")
    await browser.submit("/sms", code=await provider.texted(browser))
    await enrol(provider, browser)
    answer = parameters(await browser.get(asked))
    assert answer["error"] == "unmet_authentication_requirements"
    assert "code" not in answer


async def test_enr_04_a_second_app_takes_the_first_one_or_a_saved_code(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await browser.get(NEW)
    here = urlsplit(str(page.url)).path
    browser.form("/totp")
    assert f"{here}/recovery" in page.text
    assert f"{here}/sms" not in page.text
    # and it is refused where it is posted all the same
    for path in (f"{here}/sms", f"{here}/sms/send"):
        assert (await forged(provider, browser, path, code="123456")).status_code == 400
    refused = await forged(provider, browser, NEW)
    assert refused.headers["location"].startswith("/i/")
    assert len(await having(provider, "alice")) == 3


async def test_with_a_trusted_app_the_second_one_is_trusted_at_once(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await prove_app(provider, browser, NEW)
    assert str(page.url).endswith(NEW)
    await enrol(provider, browser)
    assert {each["trusted_at"] <= provider.clock.now() for each in await apps(provider, "alice")} == {True}
    assert len(await apps(provider, "alice")) == 2


async def test_with_a_saved_code_the_second_one_is_on_hold(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    page = await browser.get(NEW)
    await browser.get(f"{page.url.path}/recovery")
    page = await browser.submit("/recovery", code=provider.saved["alice"][0])
    assert str(page.url).endswith(NEW)
    provider.clock.move(MINUTE)
    await enrol(provider, browser)
    await provider.deliver()
    newest = (await apps(provider, "alice"))[-1]
    assert newest["trusted_at"] == provider.clock.now() + DAY


async def test_an_app_on_hold_adds_another_that_is_on_hold(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "bob")
    await enrol(provider, browser)
    provider.clock.move(MINUTE)
    page = await browser.get("/account")
    assert "On hold" in page.text
    await prove_app(provider, browser, NEW, "enrolled")
    await enrol(provider, browser)
    await provider.deliver()
    assert [each["trusted_at"] > provider.clock.now() for each in await apps(provider, "bob")] == [True, True]


@pytest.mark.parametrize("method", ["rename", "remove"])
async def test_enr_05_a_text_message_changes_no_app(provider: Provider, method: str) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    before = await having(provider, "alice")
    app = (await apps(provider, "alice"))[0]["id"]
    room = f"/account/authenticators/{app}"
    refused = await forged(provider, browser, f"{room}/{method}", label="Mine", _method="DELETE")
    assert refused.status_code == 303
    assert refused.headers["location"].startswith("/i/")
    page = await browser.get(room)
    assert "/i/" in str(page.url)
    for verb in ("PUT", "DELETE", "PATCH"):
        assert (await browser.http.request(verb, room)).status_code == 405
    assert await having(provider, "alice") == before
    assert await notices(provider, Notice.AUTHENTICATOR_REMOVED) == []


async def test_enr_05_a_text_message_makes_no_recovery_codes(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    before = await having(provider, "alice")
    assert (await forged(provider, browser, CODES)).headers["location"].startswith("/i/")
    assert await having(provider, "alice") == before


async def test_a_stranger_s_app_is_not_found(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "bob")
    alices = (await apps(provider, "alice"))[0]["id"]
    for path in (alices, uuid4(), "no-uuid"):
        assert (await browser.get(f"/account/authenticators/{path}")).status_code == 404
        assert (await forged(provider, browser, f"/account/authenticators/{path}/remove")).status_code == 404
        renamed = await forged(provider, browser, f"/account/authenticators/{path}/rename", label="x")
        assert renamed.status_code == 404
    assert len(await apps(provider, "alice")) == 1


async def test_enr_07_a_key_of_one_session_is_not_confirmed_in_another(provider: Provider) -> None:
    here, there = provider.browser(), provider.browser(address="192.0.2.9")
    await come_in(provider, here)
    await here.get(NEW)
    key = key_on(await here.submit(NEW)) or ""
    provider.clock.move(timedelta(minutes=2))
    await come_in(provider, there)
    refused = await forged(provider, there, CONFIRM, code=code_for(provider, key))
    assert refused.status_code == 400
    assert await apps(provider, "bob") == []


async def test_enr_07_of_two_begun_only_the_last_counts(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    first = key_on(await browser.submit(NEW)) or ""
    provider.clock.move(timedelta(seconds=30))
    await browser.get(NEW)
    second = key_on(await browser.submit(NEW)) or ""
    assert first != second
    page = await browser.submit("/confirm", code=code_for(provider, first))
    assert page.status_code == 400
    assert await apps(provider, "bob") == []
    assert len(codes_on(await browser.submit("/confirm", code=code_for(provider, second)))) == 10


async def test_enr_07_two_begun_at_once_leave_one(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await asyncio.gather(*(forged(provider, browser, NEW) for _ in range(4)))
    assert len([each for each in await having(provider, "bob") if each["factor"] == "totp"]) == 1


async def test_enr_07_after_eleven_minutes_a_key_is_dead(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    key = key_on(await browser.submit(NEW)) or ""
    provider.clock.move(timedelta(minutes=11))
    page = await browser.submit("/confirm", code=code_for(provider, key))
    assert codes_on(page) == []
    assert await apps(provider, "bob") == []


async def test_who_clicks_twice_is_told_that_the_app_was_added(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    code = code_for(provider, key_on(await browser.submit(NEW)) or "")
    answers = [await forged(provider, browser, CONFIRM, code=code) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 303]
    page = await browser.get(answers[1].headers["location"])
    assert "Your authenticator app is set up." in page.text
    # the codes that the first answer showed can be made anew from here
    assert "/account/recovery-codes" in page.text
    provider.clock.move(timedelta(minutes=1))
    again = await forged(provider, browser, CONFIRM, code=code)
    assert again.headers["location"].startswith("/i/")  # from the beginning, with a proof for it


async def test_enr_07_twenty_at_once_make_one_app(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    key = key_on(await browser.submit(NEW)) or ""
    code = code_for(provider, key)
    answers = await asyncio.gather(*(forged(provider, browser, CONFIRM, code=code) for _ in range(20)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} <= {200, 303, 400, 429}
    told = {answer.headers["location"].partition("?")[0] for answer in answers if answer.status_code == 303}
    assert told <= {"/account"}
    assert len(await apps(provider, "bob")) == 1
    assert len([each for each in await having(provider, "bob") if each["factor"] == "recovery"]) == 1
    assert await notices(provider, Notice.TOTP_ADDED) == [BOB_PHONE]


async def test_totp_05_the_code_that_confirmed_does_not_sign_in(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await enrol(provider, browser)
    code = provider.totp("enrolled")
    other = provider.browser(address="192.0.2.7")
    page = await other.get("/account")
    page = await other.submit("/password", username="bob", password=PASSWORD)
    await other.get(f"{page.url.path}/totp")
    page = await other.submit("/totp", code=code)
    assert page.status_code == 400
    assert "used already" in page.text
    provider.clock.move(timedelta(seconds=30))
    page = await other.submit("/totp", code=provider.totp("enrolled"))
    assert str(page.url).endswith("/account")


async def test_the_code_that_confirmed_is_no_proof(provider: Provider) -> None:
    """The session is as weak as before: the next app has to be allowed by something else."""
    browser = provider.browser()
    await come_in(provider, browser)
    await enrol(provider, browser)
    answer = parameters(await browser.get(provider.authorize_url(acr_values="urn:stile:2fa-strong")))
    tokens = (await provider.redeem(answer["code"])).json()
    assert tokens["id_token"]
    page = await browser.get("/account")
    assert "Confirmed with the authenticator app" not in page.text


async def test_totp_10_the_key_is_ours_and_shown_once(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    page = await browser.get(NEW)
    assert key_on(page) is None
    theirs = "JBSWY3DPEHPK3PXP"
    page = await browser.submit(NEW, secret=theirs, period="3600", digits="1", algorithm="MD5", time="0")
    key = key_on(page)
    assert key is not None
    assert key != theirs
    assert len(base64.b32decode(key)) >= 20
    assert page.headers["cache-control"] == "no-store"
    for path in (NEW, CONFIRM, "/account"):
        later = await browser.get(path)
        assert key not in later.text.replace(" ", "")
        assert key_on(later) is None


async def test_totp_10_what_a_confirmation_sends_along_is_ignored(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    await browser.submit(NEW)
    mine = base64.b32encode(b"0123456789abcdefghij").decode()
    page = await browser.submit("/confirm", code=code_for(provider, mine), secret=mine, time="0", step="1")
    assert page.status_code == 400
    assert await apps(provider, "bob") == []


async def test_a_wrong_code_shows_the_same_key_again_in_answer_to_the_post(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    key = key_on(await browser.submit(NEW)) or ""
    wrong = f"{(int(code_for(provider, key)) + 1) % 1_000_000:06d}"
    for typed, said in (
        (wrong, "not right"),
        ("12345", "6 numbers"),
        ("", "Enter the 6 numbers"),
        ("\u2460\u2461\u2462\u2463\u2464\u2465", "6 num"),
    ):
        page = await browser.submit("/confirm", code=typed, label="Mine")
        assert page.status_code == 400
        assert said in page.text
        assert key_on(page) == key
        assert 'value="Mine"' in page.text
    assert await apps(provider, "bob") == []


async def test_guessing_codes_of_an_enrolment_is_slowed_down(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    key = key_on(await browser.submit(NEW)) or ""
    wrong = f"{(int(code_for(provider, key)) + 1) % 1_000_000:06d}"
    for _ in range(10):
        assert (await browser.submit("/confirm", code=wrong)).status_code == 400
    page = await browser.submit("/confirm", code=code_for(provider, key))
    assert page.status_code == 429
    assert 0 < int(page.headers["retry-after"]) <= 30
    assert await apps(provider, "bob") == []
    provider.clock.move(timedelta(seconds=30))
    assert len(codes_on(await browser.submit("/confirm", code=code_for(provider, key)))) == 10


async def test_the_sixth_enrolment_of_an_hour_is_refused(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    for _ in range(5):
        await browser.get(NEW)
        assert (await browser.submit(NEW)).status_code == 200
        provider.clock.move(timedelta(seconds=30))
    await browser.get(NEW)
    page = await browser.submit(NEW)
    assert page.status_code == 429
    assert 0 < int(page.headers["retry-after"]) <= 3600


HOSTILE = "<script>alert(1)</script>\u202e{{ 7*7 }}\n%(x)s"


async def test_a_hostile_label_is_only_text(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await enrol(provider, browser, label=HOSTILE)
    page = await browser.get("/account")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }} %(x)s" in page.text
    assert "\u202e" not in page.text


async def test_a_label_has_an_end(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    key = key_on(await browser.submit(NEW)) or ""
    page = await browser.submit("/confirm", code=code_for(provider, key), label="x" * 61)
    assert page.status_code == 400
    assert "at most 60 characters" in page.text
    assert key_on(page) == key
    page = await browser.submit("/confirm", code=code_for(provider, key), label="x" * 60)
    assert len(codes_on(page)) == 10


async def test_an_app_gets_another_name(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    app = (await apps(provider, "alice"))[0]["id"]
    page = await prove_app(provider, browser, f"/account/authenticators/{app}")
    assert 'value="Pixel"' in page.text
    for label, said in (("", "Enter a name"), (" \u200b ", "Enter a name"), ("x" * 61, "at most 60")):
        page = await browser.submit("/rename", label=label)
        assert page.status_code == 400
        assert said in page.text
    page = await browser.submit("/rename", label=" Work   phone ")
    assert "has a new name" in page.text
    assert [each["label"] for each in await apps(provider, "alice")] == ["Work phone"]


async def test_ses_06_removing_an_app_ends_every_other_session_and_refresh_token(provider: Provider) -> None:
    other = provider.browser(address="192.0.2.8")
    refresh = await refresh_token(provider, other)
    provider.clock.move(timedelta(minutes=2))
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    assert await is_signed_in(other)
    app = (await apps(provider, "alice"))[0]["id"]
    await prove_app(provider, browser, f"/account/authenticators/{app}")
    page = await browser.submit("/remove")
    assert "was removed" in page.text
    assert await apps(provider, "alice") == []
    assert await is_signed_in(browser)
    assert not await is_signed_in(other)
    answer = await provider.token(grant_type="refresh_token", refresh_token=refresh)
    assert answer.json()["error"] == "invalid_grant"
    assert await notices(provider, Notice.AUTHENTICATOR_REMOVED) == [ALICE_PHONE]


async def test_an_app_is_removed_once(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    app = (await apps(provider, "alice"))[0]["id"]
    room = f"/account/authenticators/{app}"
    await prove_app(provider, browser, room)
    answers = await asyncio.gather(*(forged(provider, browser, f"{room}/remove") for _ in range(8)))
    # who presses twice sees the last answer: all say that it is done, and it was done once
    assert all(answer.headers.get("location", "").startswith("/account?done=") for answer in answers)
    assert await notices(provider, Notice.AUTHENTICATOR_REMOVED) == [ALICE_PHONE]


async def test_rec_01_a_code_works_once_at_most_for_twenty_browsers_at_once(provider: Provider) -> None:
    code = provider.saved["alice"][0]
    browsers = [provider.browser(address=f"198.51.100.{n}") for n in range(20)]
    for browser in browsers:
        await browser.get("/account")
        page = await browser.submit("/password", username="alice", password=PASSWORD)
        await browser.get(f"{page.url.path}/recovery")
    await asyncio.gather(*(browser.submit("/recovery", code=code) for browser in browsers))
    assert sum([await is_signed_in(browser) for browser in browsers]) == 1
    late = provider.browser(address="198.51.100.99")
    provider.clock.move(timedelta(hours=2))
    await late.get("/account")
    page = await late.submit("/password", username="alice", password=PASSWORD)
    await late.get(f"{page.url.path}/recovery")
    assert (await late.submit("/recovery", code=code)).status_code == 400


async def test_rec_02_new_codes_replace_the_old_ones_and_are_told(provider: Provider) -> None:
    browser, other = provider.browser(), provider.browser(address="192.0.2.8")
    await come_in(provider, other, "alice")
    provider.clock.move(timedelta(minutes=2))
    await come_in(provider, browser, "alice")
    page = await prove_app(provider, browser, CODES)
    assert "The 10 codes that you have left stop working at once." in page.text
    page = await browser.submit(CODES)
    codes = codes_on(page)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes)
    assert not set(codes) & set(provider.saved["alice"])
    assert page.headers["cache-control"] == "no-store"
    assert await notices(provider, Notice.RECOVERY_ADDED) == [ALICE_PHONE]
    assert not await is_signed_in(other)
    page = await browser.submit("/saved", saved="1")
    assert "recovery codes are ready" in page.text
    assert not any(code in page.text for code in codes)
    # only the new ones work
    provider.clock.move(timedelta(hours=2))
    late = provider.browser(address="192.0.2.30")
    await late.get("/account")
    page = await late.submit("/password", username="alice", password=PASSWORD)
    await late.get(f"{page.url.path}/recovery")
    assert (await late.submit("/recovery", code=provider.saved["alice"][1])).status_code == 400
    page = await late.submit("/recovery", code=codes[1].lower())
    assert "9 left" in page.text


async def test_codes_are_not_left_before_they_are_said_to_be_saved(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    codes = codes_on(await enrol(provider, browser))
    page = await browser.submit("/saved")
    assert page.status_code == 400
    assert "Tick the box" in page.text
    assert codes_on(page) == codes
    page = await browser.submit("/download")
    assert page.headers["content-disposition"].startswith("attachment")
    assert page.text.split() == codes
    assert page.headers["cache-control"] == "no-store"


async def test_only_the_person_s_own_codes_come_back_as_a_file(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    codes = codes_on(await enrol(provider, browser))
    theirs = " ".join(provider.saved["alice"])
    for typed in (theirs, "hello", "", " ".join(codes[:9]), " ".join([*codes[:9], codes[0]]), " ".join(codes) + " x"):
        for path in (f"{CODES}/download", f"{CODES}/saved"):
            answer = await forged(provider, browser, path, codes=typed)
            assert (answer.status_code, answer.headers["location"]) == (303, "/account"), typed
            assert "attachment" not in answer.headers.get("content-disposition", "")


async def test_codes_made_with_a_text_message_are_on_hold_too(provider: Provider) -> None:
    """Else they would open tomorrow what the text message does not open today."""
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(CODES)
    await browser.submit(CODES)
    await provider.deliver()
    made = [each for each in await having(provider, "bob") if each["factor"] == "recovery"]
    assert [each["trusted_at"] for each in made] == [provider.clock.now() + DAY]


async def test_an_app_leaves_the_codes_there_are(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await prove_app(provider, browser, NEW)
    page = await enrol(provider, browser)
    assert codes_on(page) == []
    assert "authenticator app is set up" in page.text
    assert [each["closed_at"] for each in await having(provider, "alice") if each["factor"] == "recovery"] == [None]


async def test_a_new_app_starts_without_the_wrong_codes_that_closed_the_one_before(provider: Provider) -> None:
    """Else somebody who recovered would find the way closed for ever."""
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    old = (await apps(provider, "alice"))[0]
    key = limits.subject(provider.idp.limits.code_failures, old["account_id"], "totp")
    for hours in range(100, 0, -1):
        then = provider.clock.now() - timedelta(hours=hours)
        assert await rate_limits.spend(provider.idp.db, [(provider.idp.limits.code_failures, key)], now=then) is None
    page = await browser.get(f"/account/authenticators/{old['id']}")
    await browser.get(f"{page.url.path}/recovery")
    await browser.submit("/recovery", code=provider.saved["alice"][0])
    page = await browser.submit("/remove")
    assert "was removed" in page.text
    page = await browser.get(NEW)
    assert "/i/" not in str(page.url)
    await enrol(provider, browser)
    provider.clock.move(timedelta(seconds=30))
    other = provider.browser(address="192.0.2.7")
    await other.get("/account")
    page = await other.submit("/password", username="alice", password=PASSWORD)
    await other.get(f"{page.url.path}/totp")
    page = await other.submit("/totp", code=provider.totp("enrolled"))
    assert str(page.url).endswith("/account")


async def test_a_key_that_was_tampered_with_opens_nothing(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    key = key_on(await browser.submit(NEW)) or ""
    await provider.rows(_FLIP)
    page = await browser.submit("/confirm", code=code_for(provider, key))
    assert page.status_code == 503
    assert await apps(provider, "bob") == []
