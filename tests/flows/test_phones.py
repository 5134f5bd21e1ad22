"""One's own phones: added by a code that went there, replaced, named, put first, removed; and what strangers get."""

import asyncio
import re
from datetime import timedelta
from functools import partial

import httpx
import pytest
from sqlalchemy import select, update

from idp.flows.operate.authenticators import add_phone
from idp.flows.operate.passwords import set_password
from idp.model import Notice, Swap
from idp.store.schema.people import verification
from idp.store.schema.records import audit_event
from idp.testing.camara import FakeIntel
from tests.world.account_pages import (
    enrol,
    forged,
    having,
    is_signed_in,
    notices,
    prove_app,
    refresh_token,
)
from tests.world.asking import forget_limits
from tests.world.composed import Statement
from tests.world.own_phones import CONFIRM, MINUTE, NEW, NUMBER, add, confirm, in_room, name, phones, sent_to
from tests.world.parallel import at_once
from tests.world.provider import ALICE_PHONE, BOB_PHONE, Browser, Provider
from tests.world.spenders import use

CODES = "/account/recovery-codes"
OTHER = "+37256789048"
DAY = timedelta(hours=24)
TRIES = Statement(select(verification.c.attempts))
SEEN_CHANGED = Statement(update(verification).values(swap=Swap.SWAPPED).returning(verification.c.swap))
EVENTS = Statement(select(audit_event.c.name).where(audit_event.c.fields["factor"].astext == "sms"))


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


# --- adding one


async def test_a_phone_is_added_by_the_code_that_went_there(provider: Provider) -> None:
    browser = await in_room(provider)
    page = await name(provider, browser)
    assert "code to the number ending" in page.text
    page = await browser.submit("/confirm", code=(await sent_to(provider, NUMBER))[-1], label="Work phone")
    assert "The phone was added" in page.text
    assert "Work phone" in page.text
    assert [each["hint"] for each in await phones(provider)] == ["ending 46", "ending 47"]
    assert await notices(provider, Notice.PHONE_ADDED) == [BOB_PHONE], "the others are told, not the new one"


async def test_nothing_is_sent_before_what_the_change_takes_was_proved(provider: Provider) -> None:
    browser = await in_room(provider, "alice")
    refused = await forged(provider, browser, NEW, number=NUMBER)
    assert refused.headers["location"].startswith("/i/")
    assert await sent_to(provider, NUMBER) == []
    page = await prove_app(provider, browser, NEW)
    await browser.submit(NEW, number=NUMBER)
    assert len(await sent_to(provider, NUMBER)) == 1
    assert page.status_code == 200


async def test_a_code_that_verifies_a_phone_signs_nobody_in_and_the_other_way_round(provider: Provider) -> None:
    """OTP-09."""
    browser = await in_room(provider)
    await name(provider, browser)
    verifies = (await sent_to(provider, NUMBER))[-1]
    other = provider.browser()
    await provider.half_way(other, "bob")
    signs_in = await provider.texted(other)
    assert signs_in != verifies
    page = await browser.submit("/confirm", code=signs_in, label="")
    assert "not right" in page.text
    page = await other.submit("/sms", code=verifies)
    assert "not right" in page.text
    assert len(await phones(provider)) == 1


async def test_three_wrong_codes_and_the_right_one_is_refused(provider: Provider) -> None:
    browser = await in_room(provider)
    await name(provider, browser)
    code = (await sent_to(provider, NUMBER))[-1]
    for _ in range(3):
        page = await browser.submit("/confirm", code=wrong(code), label="Mine")
        assert page.status_code == 400
    page = await forged(provider, browser, CONFIRM, code=code)
    assert page.status_code == 400
    assert len(await phones(provider)) == 1
    assert await provider.rows(TRIES) == [(3,)]
    provider.clock.move(2 * MINUTE)
    await browser.get(CONFIRM)
    await browser.submit("/confirm/send")
    fresh = (await sent_to(provider, NUMBER))[-1]
    assert fresh != code
    await browser.submit("/confirm", code=fresh, label="")
    assert len(await phones(provider)) == 2


async def test_a_wrong_code_is_told_with_the_tries_that_are_left_and_nothing_typed_is_lost(provider: Provider) -> None:
    browser = await in_room(provider)
    await name(provider, browser)
    page = await browser.submit("/confirm", code=wrong((await sent_to(provider, NUMBER))[-1]), label="Mine")
    assert "You have 2 tries left" in page.text
    assert 'value="Mine"' in page.text
    for typed in ("", "12345", "1234567", "①②③④⑤⑥", "+123456", "x" * 5000):
        page = await browser.submit("/confirm", code=typed, label="Mine")
        assert page.status_code == 400
    assert await provider.rows(TRIES) == [(1,)], "what cannot be a code costs no try"


async def test_twenty_right_codes_at_once_add_one_phone(provider: Provider) -> None:
    browser = await in_room(provider)
    for number in (NUMBER, OTHER):
        await name(provider, browser, number)
        code = (await sent_to(provider, number))[-1]
        answers = await at_once(20, partial(confirm, browser, code))
        assert {answer.status_code for answer in answers} <= {303, 200, 400, 429}
        await forget_limits(provider)
    assert [each["hint"] for each in await phones(provider)] == ["ending 46", "ending 47", "ending 48"]
    assert sorted(await notices(provider, Notice.PHONE_ADDED)) == [BOB_PHONE, BOB_PHONE, NUMBER]
    added = [each for (each,) in await provider.rows(EVENTS) if each == "authenticator.added"]
    assert len(added) == 2


async def test_who_presses_twice_gets_one_message_and_gets_on(provider: Provider) -> None:
    browser = await in_room(provider)
    await browser.get(NEW)
    first = await browser.submit(NEW, follow=False, number=NUMBER)
    again = await browser.submit(NEW, follow=False, number="+372 5678 9047")
    assert first.headers["location"] == again.headers["location"] == CONFIRM
    codes = await sent_to(provider, NUMBER)
    assert len(codes) == 1
    await browser.get(CONFIRM)
    page = await browser.submit("/confirm", code=codes[0], label="")
    await browser.get(CONFIRM)
    assert "The phone was added" in (await browser.get(CONFIRM)).text
    page = await forged(provider, browser, CONFIRM, code=codes[0])
    assert page.headers["location"].startswith("/account?done=")
    assert len(await phones(provider)) == 2


async def test_another_session_cannot_confirm_it_and_the_last_number_counts(provider: Provider) -> None:
    """ENR-07."""
    browser, other = await in_room(provider), await in_room(provider)
    await name(provider, browser)
    code = (await sent_to(provider, NUMBER))[-1]
    assert "so nothing was changed" in (await forged(provider, other, CONFIRM, code=code)).text
    await name(provider, browser, OTHER)
    page = await browser.submit("/confirm", code=code, label="")
    assert page.status_code == 400
    code = (await sent_to(provider, OTHER))[-1]
    provider.clock.move(timedelta(minutes=11))
    await forged(provider, browser, CONFIRM, code=code)
    assert len(await phones(provider)) == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param("", "Enter a mobile number", id="nothing"),
        pytest.param("12345", "with + and the country code", id="no number"),
        pytest.param("+1 (900) 555 0199", "number", id="premium"),
        pytest.param("+3726123456", "Text messages do not reach", id="landline"),
        pytest.param("+870773123456", "number", id="satellite"),
        pytest.param("+44 7400 123456", "We send no text messages to this country", id="closed country"),
        pytest.param(BOB_PHONE, "on your account already", id="theirs"),
        pytest.param("+372 5678 9046 ;ext=1", "country code", id="extension"),
        pytest.param("9" * 4000, "country code", id="long"),
        pytest.param("<script>", "country code", id="hostile"),
    ],
)
async def test_a_number_that_cannot_be_used_is_told_and_costs_nothing(
    provider: Provider, typed: str, said: str
) -> None:
    use(provider, countries=("EE",))
    browser = await in_room(provider)
    before = len(provider.gateway.sent)
    page = await name(provider, browser, typed)
    assert page.status_code == 400
    assert said in page.text
    await provider.deliver()
    assert len(provider.gateway.sent) == before


async def test_whose_number_it_is_besides_is_not_told(provider: Provider) -> None:
    browser = await in_room(provider)
    page = await add(provider, browser, ALICE_PHONE)
    assert "The phone was added" in page.text
    assert [each["hint"] for each in await phones(provider)] == ["ending 46", "ending 45"]


async def test_numbers_and_people_have_their_budgets(provider: Provider) -> None:
    browser = await in_room(provider)
    await name(provider, browser)
    assert "another code in 1 minute" in (await browser.get(CONFIRM)).text
    page = await forged(provider, browser, f"{CONFIRM}/send")
    assert page.status_code == 429
    assert page.headers["retry-after"]
    assert len(await sent_to(provider, NUMBER)) == 1
    statuses = []
    for last in range(50, 60):
        answer = await forged(provider, browser, NEW, number=f"+372567890{last}")
        statuses.append(answer.status_code)
    assert statuses == [303] * 4 + [429] * 6, "five an hour"


async def test_a_new_phone_signs_in_at_once(provider: Provider) -> None:
    browser = await in_room(provider)
    await add(provider, browser)
    again = provider.browser()
    await provider.half_way(again, "bob")
    assert "ending" in again.page.text if again.page else False
    await provider.texted(again)
    await again.submit("/sms/send", phone=str((await phones(provider))[1]["id"]))
    assert len(await sent_to(provider, NUMBER)) == 2, "its pace was given back"


async def test_a_phone_enrolled_with_a_text_message_is_on_hold_from_when_the_others_were_told(
    provider: Provider,
) -> None:
    browser = await in_room(provider)
    await add(provider, browser)
    new = (await phones(provider))[1]
    assert (new["trusted_at"], new["hold"]) == (None, 2 * DAY)
    provider.clock.move(MINUTE)
    assert await notices(provider, Notice.PHONE_ADDED) == [BOB_PHONE]
    assert (await phones(provider))[1]["trusted_at"] == provider.clock.now() + 2 * DAY


async def test_the_new_phone_alone_never_begins_its_own_hold(provider: Provider) -> None:
    """Whoever adds a phone of his own must not be the one who is told of it."""
    browser = await in_room(provider)
    await name(provider, browser)
    code = (await sent_to(provider, NUMBER))[-1]
    await browser.submit("/confirm", code=code, label="")
    old, new = await phones(provider)
    provider.gateway.sent.clear()
    assert await notices(provider, Notice.PHONE_ADDED) == [BOB_PHONE]
    assert old["hint"] == "ending 46"
    assert new["trusted_at"] is None


async def test_with_the_app_a_phone_counts_at_once(provider: Provider) -> None:
    browser = await in_room(provider, "alice")
    await prove_app(provider, browser, NEW)
    await add(provider, browser)
    assert (await phones(provider, "alice"))[1]["trusted_at"] is not None


async def test_no_code_is_sent_for_a_session_that_ended(provider: Provider) -> None:
    browser = await in_room(provider)
    await name(provider, browser)
    await browser.get("/account")
    await browser.submit("/sign-out")
    assert await sent_to(provider, NUMBER) == []


async def test_a_number_whose_sim_was_changed_lately_gets_no_code_and_cannot_be_added(provider: Provider) -> None:
    verdicts: dict[str, Swap] = {}
    provider.idp.intel = FakeIntel(verdicts=verdicts)
    browser = await in_room(provider)
    await name(provider, browser)
    code = (await sent_to(provider, NUMBER))[-1]
    verdicts[NUMBER] = Swap.SWAPPED
    provider.clock.move(2 * MINUTE)
    await browser.get(CONFIRM)
    await browser.submit("/confirm/send")
    await provider.deliver()
    assert "was changed recently" in (await browser.get(CONFIRM)).text
    await forged(provider, browser, CONFIRM, code=code)
    assert len(await phones(provider)) == 1
    assert len(await sent_to(provider, NUMBER)) == 1


async def test_a_sim_that_was_seen_changed_while_the_code_was_typed_is_not_added(provider: Provider) -> None:
    browser = await in_room(provider)
    await name(provider, browser)
    code = (await sent_to(provider, NUMBER))[-1]
    await provider.rows(SEEN_CHANGED)
    await forged(provider, browser, CONFIRM, code=code)
    assert len(await phones(provider)) == 1


# --- several


async def two_phones(provider: Provider) -> tuple[Browser, list[str]]:
    """Bob, in his account pages, with a second phone that was added with a code by text message."""
    browser = await in_room(provider)
    await add(provider, browser, label="Work phone")
    return browser, [str(each["id"]) for each in await phones(provider)]


async def test_codes_go_to_the_phone_that_was_first_and_the_other_is_one_press_away(provider: Provider) -> None:
    await two_phones(provider)
    before = len(await sent_to(provider, BOB_PHONE))
    browser = provider.browser()
    page = await provider.half_way(browser, "bob")
    assert len(await sent_to(provider, BOB_PHONE)) == before + 1
    assert "Get a code on your phone" in page.text
    old = (await sent_to(provider, BOB_PHONE))[-1]
    page = await press_other(browser)
    new = (await sent_to(provider, NUMBER))[-1]
    assert page.status_code == 200
    assert "not right" in (await browser.submit("/sms", code=old)).text, "one code at a time"
    assert (await browser.submit("/sms", code=new, follow=False)).status_code == 303


async def press_other(browser: Browser) -> httpx.Response:
    """Press the button of the first other phone."""
    assert browser.page is not None
    found = re.search(
        r'action="([^"]+/sms/send)"><input[^>]*name="csrf" value="([^"]+)">'
        r'<input type="hidden" name="phone" value="([^"]+)">',
        browser.page.text,
    )
    assert found is not None, browser.page.text[:4000]
    return await browser.post(found[1], {"csrf": found[2], "phone": found[3]})


async def test_what_is_resent_goes_where_it_went(provider: Provider) -> None:
    await two_phones(provider)
    browser = provider.browser()
    await provider.half_way(browser, "bob")
    await press_other(browser)
    provider.clock.move(2 * MINUTE)
    await browser.get(str(browser.page.url) if browser.page else "")
    await browser.submit("/sms/send", without="phone")
    assert len(set(await sent_to(provider, NUMBER))) == 2, "that which verified it, and the same one twice"
    assert len(await sent_to(provider, NUMBER)) == 3


@pytest.mark.parametrize("posted", ["", "1", "00000000-0000-0000-0000-000000000000", "theirs"])
async def test_somebody_elses_phone_cannot_be_chosen(provider: Provider, posted: str) -> None:
    if posted == "theirs":
        posted = str((await phones(provider, "alice"))[0]["id"])
    browser = provider.browser()
    page = await provider.half_way(browser, "bob")
    await provider.deliver()
    provider.clock.move(2 * MINUTE)
    await browser.get(str(page.url))
    await browser.submit("/sms/send", phone=posted)
    await provider.deliver()
    assert {message.to for message in provider.gateway.sent} == {BOB_PHONE}


async def test_a_phone_is_put_first_and_named(provider: Provider) -> None:
    browser, (old, new) = await two_phones(provider)
    page = await browser.get(f"/account/phones/{new}")
    assert "go to another phone of yours first" in page.text
    page = await browser.submit("/first")
    assert "go to this phone first from now on" in page.text
    page = await browser.get(f"/account/phones/{new}")
    page = await browser.submit("/rename", label="  My\tnew   phone ")
    assert "My new phone" in page.text
    for label in ("", "x" * 61, "x" * 9000):
        await browser.get(f"/account/phones/{new}")
        assert (await browser.submit("/rename", label=label)).status_code == 400
    await provider.half_way(provider.browser(), "bob")
    assert len(await sent_to(provider, NUMBER)) == 2
    assert "go to another phone" in (await browser.get(f"/account/phones/{old}")).text


# --- replacing


async def test_a_phone_takes_the_place_of_another_which_is_told(provider: Provider) -> None:
    token = await refresh_token(provider, provider.browser(), "bob")
    elsewhere = await in_room(provider)
    browser = await in_room(provider)
    old = str((await phones(provider))[0]["id"])
    page = await add(provider, browser, path=f"/account/phones/{old}/number")
    assert "Your phone was changed" in page.text
    assert [each["hint"] for each in await phones(provider)] == ["ending 47"]
    assert await notices(provider, Notice.PHONE_CHANGED) == [BOB_PHONE], "the old one, and never the new one alone"
    assert not await is_signed_in(elsewhere)
    assert await is_signed_in(browser)
    refused = await provider.token(grant_type="refresh_token", refresh_token=token)
    assert refused.json()["error"] == "invalid_grant"
    before = len(await sent_to(provider, BOB_PHONE))
    await provider.half_way(provider.browser(), "bob")
    assert len(await sent_to(provider, BOB_PHONE)) == before
    assert len(await sent_to(provider, NUMBER)) == 2


async def test_hole_8_a_stolen_number_is_not_made_a_trusted_phone(provider: Provider) -> None:
    """Password and number: another phone in its place counts in full only after the longer hold, told to the old."""
    browser = await in_room(provider)
    old = str((await phones(provider))[0]["id"])
    await add(provider, browser, path=f"/account/phones/{old}/number")
    provider.clock.move(MINUTE)
    await provider.deliver()
    assert [each["trusted_at"] for each in await phones(provider)] == [provider.clock.now() + 2 * DAY]


async def test_hole_8_with_an_app_a_text_message_changes_no_phone(provider: Provider) -> None:
    browser = await in_room(provider, "alice")
    mine = str((await phones(provider, "alice"))[0]["id"])
    before = await having(provider, "alice")
    room = f"/account/phones/{mine}"
    for path, form in (
        (f"{room}/number", {"number": NUMBER}),
        (f"{room}/remove", {}),
        (f"{room}/rename", {"label": "Mine"}),
        (f"{room}/first", {}),
        (NEW, {"number": NUMBER}),
    ):
        refused = await forged(provider, browser, path, form)
        assert refused.headers["location"].startswith("/i/"), path
    for verb in ("PUT", "DELETE", "PATCH"):
        assert (await browser.http.request(verb, room)).status_code == 405
    assert await having(provider, "alice") == before
    assert await sent_to(provider, NUMBER) == []


async def test_phones_of_others_are_not_there(provider: Provider) -> None:
    browser = await in_room(provider)
    theirs = str((await phones(provider, "alice"))[0]["id"])
    for path in (f"/account/phones/{theirs}", f"/account/phones/{theirs}/number"):
        assert (await browser.get(path)).status_code == 404
    for step in ("rename", "first", "remove", "number"):
        answer = await forged(provider, browser, f"/account/phones/{theirs}/{step}", number=NUMBER, label="x")
        assert answer.status_code == 404
    assert len(await phones(provider, "alice")) == 1


# --- removing


async def test_the_last_way_to_sign_in_stays_and_the_page_says_so(provider: Provider) -> None:
    browser = await in_room(provider)
    mine = str((await phones(provider))[0]["id"])
    page = await browser.get(f"/account/phones/{mine}")
    assert "your only way to sign in" in page.text
    assert "/remove" not in page.text
    await forged(provider, browser, f"/account/phones/{mine}/remove")
    assert len(await phones(provider)) == 1


async def test_a_removed_phone_is_told_gets_no_codes_and_ends_other_sessions(provider: Provider) -> None:
    browser, (old, _) = await two_phones(provider)
    elsewhere = await in_room(provider)
    await browser.get(f"/account/phones/{old}")
    page = await browser.submit("/remove")
    assert "The phone was removed" in page.text
    again = await forged(provider, browser, f"/account/phones/{old}/remove")
    assert again.headers["location"].startswith("/account?done="), "who presses twice sees the second answer alone"
    assert sorted(await notices(provider, Notice.AUTHENTICATOR_REMOVED)) == [BOB_PHONE, NUMBER]
    assert not await is_signed_in(elsewhere)
    assert [each["hint"] for each in await phones(provider)] == ["ending 47"]


async def test_whoever_removes_a_phone_with_a_stolen_other_does_not_silence_the_person(provider: Provider) -> None:
    browser, (old, _) = await two_phones(provider)
    await forged(provider, browser, f"/account/phones/{old}/remove")
    assert len(await phones(provider)) == 1
    provider.clock.move(MINUTE)
    await forget_limits(provider)
    thief = await in_room(provider)
    await enrol(provider, thief)
    assert sorted(await notices(provider, Notice.TOTP_ADDED)) == [BOB_PHONE, NUMBER]
    provider.gateway.sent.clear()
    provider.clock.move(2 * DAY)
    await forget_limits(provider)
    later = await in_room(provider)
    await prove_app(provider, later, CODES, "enrolled")
    await later.submit(CODES)
    assert await notices(provider, Notice.RECOVERY_ADDED) == [NUMBER], "after the longer hold it is left alone"


async def test_with_the_app_a_removed_phone_is_told_once_and_left_alone(provider: Provider) -> None:
    browser = await in_room(provider, "alice")
    mine = str((await phones(provider, "alice"))[0]["id"])
    await prove_app(provider, browser, f"/account/phones/{mine}")
    await browser.submit("/remove")
    assert await notices(provider, Notice.AUTHENTICATOR_REMOVED) == [ALICE_PHONE]
    provider.gateway.sent.clear()
    await browser.get(CODES)
    await browser.submit(CODES)
    assert await notices(provider, Notice.RECOVERY_ADDED) == []


async def test_a_number_that_is_added_again_is_told_once(provider: Provider) -> None:
    browser, (_, new) = await two_phones(provider)
    await forged(provider, browser, f"/account/phones/{new}/remove")
    provider.clock.move(2 * MINUTE)
    await forget_limits(provider)
    again = await in_room(provider)
    await add(provider, again)
    provider.gateway.sent.clear()
    await enrol(provider, again)
    assert sorted(await notices(provider, Notice.TOTP_ADDED)) == [BOB_PHONE, NUMBER]


async def test_a_phone_that_an_operator_gives_again_is_told_once(provider: Provider) -> None:
    browser, (old, new) = await two_phones(provider)
    await forged(provider, browser, f"/account/phones/{old}/first")
    await forged(provider, browser, f"/account/phones/{new}/remove")
    provider.clock.move(MINUTE)
    await add_phone(provider.idp, "bob", NUMBER)
    provider.gateway.sent.clear()
    await set_password(provider.idp, "bob", "tulip gravel 77 ocean")
    assert sorted(await notices(provider, Notice.PASSWORD_CHANGED)) == [BOB_PHONE, NUMBER]
    assert [each["hint"] for each in await phones(provider)] == ["ending 46", "ending 47"]


async def test_of_two_phones_removed_at_once_one_stays(provider: Provider) -> None:
    both = [BOB_PHONE, NUMBER]
    for _ in range(5):
        browser = await in_room(provider)
        [there] = await phones(provider)
        await add(provider, browser, next(each for each in both if not each.endswith(there["hint"][-2:])))
        rooms = [f"/account/phones/{each['id']}/remove" for each in await phones(provider)]
        await asyncio.gather(*(forged(provider, browser, room) for room in rooms))
        assert len(await phones(provider)) == 1
        await forget_limits(provider)


# --- budgets


async def test_no_page_takes_more_than_three_statements(provider: Provider) -> None:
    browser = await in_room(provider)
    await name(provider, browser)
    mine = str((await phones(provider))[0]["id"])
    for path in (NEW, CONFIRM, f"/account/phones/{mine}", f"/account/phones/{mine}/number"):
        provider.count()
        assert (await browser.get(path, follow=False)).status_code == 200
        assert len(provider.statements) <= 3, path
