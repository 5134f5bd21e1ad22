"""Threat 9, a stolen number: what is sent, what counts and what may be changed once somebody is asked about the SIM."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select, update

from idp.flows.delivery import deliver
from idp.model import Swap
from idp.settings import read_settings
from idp.sms import Message, Outcome, Reason, Sent
from idp.sms.intel import open_intel
from idp.sms.wire import new_client
from idp.store.delivery import leases
from idp.store.schema.people import authentication_event, authenticator, challenge
from idp.store.schema.records import audit_event, message, message_attempt
from idp.store.schema.spending import spending_money
from idp.store.signin import proofs
from idp.testing import FakeGateway
from idp.testing.camara import FakeIntel, Sim, number_of
from idp.testing.provider import Pace, fake_provider
from tests.world.account_pages import apps, code_for, codes_on, come_in, enrol, forged, having, key_on, prove_app
from tests.world.asking import ask_second_factor, forget_limits
from tests.world.composed import Statement
from tests.world.provider import ALICE_PHONE, BOB_PHONE, Provider, parameters
from tests.world.sending import asks_for_a_code, attempts, deliver_all, page_of, states
from tests.world.waiting import NEVER

NEW, CONFIRM, CODES = "/account/authenticators/new", "/account/authenticators/confirm", "/account/recovery-codes"
MINUTE = timedelta(minutes=1)
AUDIT = Statement(select(audit_event.c.name, audit_event.c.account_id, audit_event.c.fields).order_by(audit_event.c.id))
DENIED = Statement(select(message.c.state, message.c.denied_by, message.c.swap).order_by(message.c.created_at))
QUESTIONS = Statement(select(challenge.c.swap, challenge.c.attempts).where(challenge.c.factor == "sms"))
PROOFS = Statement(
    select(authentication_event.c.factor, authentication_event.c.swap).order_by(authentication_event.c.id)
)
SEEN = Statement(select(func.count()).select_from(authenticator).where(authenticator.c.swapped_at.is_not(None)))
SPENT = Statement(select(spending_money.c.hour_spent))
TRIES = Statement(select(func.count()).select_from(message_attempt))


@pytest.fixture
def intel(provider: Provider) -> FakeIntel:
    provider.idp.intel = FakeIntel()
    return provider.idp.intel


async def events(provider: Provider, name: str) -> list[dict[str, Any]]:
    return [fields for found, _, fields in await provider.rows(AUDIT) if found == name]


async def give_up_waiting(provider: Provider) -> None:
    """Another message may be asked for, as if the waits were over."""
    await forget_limits(provider)


# --- not swapped


async def test_a_number_is_asked_about_once_for_each_try_and_only_for_codes(
    provider: Provider, intel: FakeIntel
) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    assert intel.asked == [(BOB_PHONE, timedelta(hours=72))]
    await enrol(provider, browser)
    await provider.deliver()  # the notices
    assert len(intel.asked) == 1


async def test_no_request_of_a_browser_asks_anybody(provider: Provider, intel: FakeIntel) -> None:
    browser = await asks_for_a_code(provider)
    await page_of(browser)
    assert not intel.asked


async def test_the_verdict_is_there_before_the_provider_is_called(provider: Provider, intel: FakeIntel) -> None:
    seen: list[Any] = []

    class Looking(FakeGateway):
        async def send(self, message: Message) -> Sent:
            seen.extend([*await provider.rows(QUESTIONS), *await provider.rows(DENIED)])
            return await super().send(message)

    await asks_for_a_code(provider)
    await deliver_all(provider, Looking())
    assert [tuple(row) for row in seen] == [("not_swapped", 0), ("waiting", None, "not_swapped")]


async def test_what_was_known_is_kept_with_the_proof_and_in_the_trail(provider: Provider, intel: FakeIntel) -> None:
    await provider.sign_in(provider.browser(), "bob")
    assert [tuple(row) for row in await provider.rows(PROOFS)] == [("password", None), ("sms", "not_swapped")]
    assert [each.get("sim_swap") for each in await events(provider, "factor.verified")] == [None, "not_swapped"]


async def test_without_anybody_to_ask_nothing_is_kept(provider: Provider) -> None:
    await provider.sign_in(provider.browser(), "bob")
    assert [tuple(row) for row in await provider.rows(PROOFS)] == [("password", None), ("sms", None)]
    assert [tuple(row) for row in await provider.rows(DENIED)] == [("sent", None, None)]
    assert all("sim_swap" not in each for each in await events(provider, "factor.verified"))


# --- swapped


async def test_after_a_swap_no_code_is_sent_and_the_page_says_what_works(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.SWAPPED
    browser = await asks_for_a_code(provider)
    assert await provider.deliver() == []
    assert [tuple(row) for row in await provider.rows(DENIED)] == [("denied", "sim_swap", "swapped")]
    assert await attempts(provider) == []
    words = await page_of(browser)
    assert "Text messages cannot be used now" in words
    assert "was changed recently" in words
    assert "Use your authenticator app" in words
    assert "Use a recovery code" in words
    assert "Send" not in words


async def test_who_has_only_the_phone_is_told_to_ask_for_help(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.SWAPPED
    browser = await asks_for_a_code(provider, "bob")
    await provider.deliver()
    assert "You have no other way to confirm that it is you" in await page_of(browser)


async def test_the_trail_names_the_masked_phone_and_its_person(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.SWAPPED
    await asks_for_a_code(provider)
    await provider.deliver()
    alice = (await having(provider, "alice"))[0]["account_id"]
    (found,) = [(who, fields) for name, who, fields in await provider.rows(AUDIT) if name == "number.sim_swapped"]
    assert found[0] == alice
    assert found[1]["phone"] == "+372•••••045"
    assert ALICE_PHONE not in str(await provider.rows(AUDIT))


async def test_what_was_booked_for_a_message_that_is_not_sent_is_given_back(
    provider: Provider, intel: FakeIntel
) -> None:
    intel.verdict = Swap.SWAPPED
    await asks_for_a_code(provider)
    await provider.deliver()
    assert [row[0] for row in await provider.rows(SPENT)] == [0]


async def test_a_code_sent_before_the_swap_was_seen_is_refused_after_it(provider: Provider, intel: FakeIntel) -> None:
    first = await asks_for_a_code(provider)
    code = (await provider.deliver())[-1]
    intel.verdict = Swap.SWAPPED
    provider.clock.move(2 * MINUTE)
    await asks_for_a_code(provider)
    await provider.deliver()
    answer = await first.submit("/sms", follow=False, code=code)
    assert answer.status_code == 400
    assert [row[0] for row in await provider.rows(PROOFS)] == ["password", "password"]
    # a new one may be asked for, and goes nowhere either
    await give_up_waiting(provider)
    first.page = answer
    await first.submit("/sms/send")
    await provider.deliver()
    assert "Text messages cannot be used now" in await page_of(first)
    assert len(provider.gateway.sent) == 1


async def test_a_code_that_is_resent_dies_with_the_swap_that_is_seen_then(provider: Provider, intel: FakeIntel) -> None:
    browser = await asks_for_a_code(provider, "bob")
    code = (await provider.deliver())[-1]
    intel.verdict = Swap.SWAPPED
    provider.clock.move(2 * MINUTE)
    await page_of(browser)
    await browser.submit("/sms/send")
    form = browser.form("/sms")
    await provider.deliver()
    answer = await browser.post(form.action, {**{each.name: each.value for each in form.fields}, "code": code})
    assert answer.status_code == 400
    assert "Text messages cannot be used now" in answer.text
    assert not await events(provider, "authorization.granted")


async def test_a_swap_that_is_seen_while_a_right_code_is_judged_wins(
    provider: Provider, intel: FakeIntel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the comparison and the statement that consumes: the guard is in that statement."""
    first = await asks_for_a_code(provider)
    code = (await provider.deliver())[-1]
    provider.clock.move(2 * MINUTE)
    await asks_for_a_code(provider)
    intel.verdict = Swap.SWAPPED
    consume = proofs.answer

    async def late(*given: Any, **named: Any) -> object:
        await provider.deliver()
        return await consume(*given, **named)

    monkeypatch.setattr(proofs, "answer", late)
    page = await first.submit("/sms", code=code)
    assert page.status_code == 400
    assert [row[0] for row in await provider.rows(PROOFS)] == ["password", "password"]


async def test_every_waiting_code_of_the_phone_is_stopped_even_in_the_hands_of_another_sender(
    provider: Provider, intel: FakeIntel
) -> None:
    await asks_for_a_code(provider)
    provider.clock.move(2 * MINUTE)
    await asks_for_a_code(provider)
    gateways = (provider.gateway,)
    one, two = [await deliver.claim(provider.idp, gateways) for _ in range(2)]
    assert one is not None
    assert two is not None
    intel.verdict = Swap.SWAPPED
    await deliver.send(provider.idp, gateways, one)
    # the other sender was told "not swapped" a moment before
    intel.verdict = Swap.NOT_SWAPPED
    assert (await deliver.send(provider.idp, gateways, two)).state == "gone"
    assert not provider.gateway.sent
    assert await states(provider) == ["denied", "denied"]
    assert [tuple(row) for row in await provider.rows(QUESTIONS)] == [("swapped", 3)] * 2


async def test_a_number_that_two_people_share_is_stolen_from_both(provider: Provider, intel: FakeIntel) -> None:
    await provider.add_person("carol", number=ALICE_PHONE)
    carol = await asks_for_a_code(provider, "carol")
    code = (await provider.deliver())[-1]
    intel.verdict = Swap.SWAPPED
    provider.clock.move(MINUTE)  # one number, one message a minute
    await asks_for_a_code(provider)
    await provider.deliver()
    assert (await provider.rows(SEEN))[0][0] == 2
    assert (await carol.submit("/sms", follow=False, code=code)).status_code == 400


async def test_a_stolen_number_is_stolen_from_whoever_is_given_it_later(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.SWAPPED
    await asks_for_a_code(provider)
    await provider.deliver()
    provider.clock.move(2 * MINUTE)
    # nobody answers any more, and the number is written down once more
    intel.verdict = Swap.UNKNOWN
    await provider.add_person("carol", number=ALICE_PHONE)
    await asks_for_a_code(provider, "carol")
    assert await provider.deliver() == []
    assert await states(provider) == ["denied", "denied"]


async def test_another_phone_is_none_of_its_business(provider: Provider, intel: FakeIntel) -> None:
    intel.verdicts = {ALICE_PHONE: Swap.SWAPPED}
    bob = await asks_for_a_code(provider, "bob")
    code = (await provider.deliver())[-1]
    await asks_for_a_code(provider)
    await provider.deliver()
    assert "code" in parameters(await bob.submit("/sms", code=code))


async def test_many_senders_that_see_one_swap_do_not_block_each_other(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.SWAPPED
    for _ in range(4):
        await asks_for_a_code(provider)
        await forget_limits(provider)
    claimed = [await deliver.claim(provider.idp, (provider.gateway,)) for _ in range(4)]
    sends = [deliver.send(provider.idp, (provider.gateway,), each) for each in claimed if each is not None]
    async with asyncio.timeout(NEVER):
        done = await asyncio.gather(*sends)
    assert {each.state for each in done} <= {"denied", "gone"}
    assert await states(provider) == ["denied"] * 4
    assert len(await events(provider, "number.sim_swapped")) >= 1


async def test_while_nobody_answers_a_swap_that_was_seen_stays(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.SWAPPED
    await asks_for_a_code(provider)
    await provider.deliver()
    intel.verdict = Swap.UNKNOWN
    provider.clock.move(timedelta(hours=72) - MINUTE)
    await asks_for_a_code(provider)
    assert await provider.deliver() == []
    # seen again then, so it stays for as long again
    provider.clock.move(timedelta(hours=72) + MINUTE)
    await asks_for_a_code(provider)
    assert len(await provider.deliver()) == 1


async def test_a_clear_no_ends_what_was_seen(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.SWAPPED
    await asks_for_a_code(provider)
    await provider.deliver()
    intel.verdict = Swap.NOT_SWAPPED
    provider.clock.move(timedelta(hours=1))
    await asks_for_a_code(provider)
    assert len(await provider.deliver()) == 1
    assert (await provider.rows(SEEN))[0][0] == 0
    intel.verdict = Swap.UNKNOWN
    provider.clock.move(timedelta(hours=1))
    await asks_for_a_code(provider)
    assert len(await provider.deliver()) == 2


async def test_a_clear_no_in_the_same_sign_in_opens_it_again(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.SWAPPED
    browser = await asks_for_a_code(provider, "bob")
    await provider.deliver()
    intel.verdict = Swap.NOT_SWAPPED
    provider.clock.move(MINUTE)
    await forget_limits(provider)
    assert browser.page is not None
    here = urlsplit(str(browser.page.url)).path
    assert (await forged(provider, browser, f"{here}/sms/send")).status_code == 303
    await browser.get(here)
    assert "code" in parameters(await browser.submit("/sms", code=await provider.texted(browser)))
    assert [tuple(row) for row in await provider.rows(PROOFS)] == [("password", None), ("sms", "not_swapped")]


async def test_a_proof_made_shortly_before_a_swap_was_seen_changes_nothing_after_it(
    provider: Provider, intel: FakeIntel
) -> None:
    """Operators learn of a new SIM some time after it works."""
    browser = provider.browser()
    await come_in(provider, browser)
    assert (await browser.get(NEW)).status_code == 200
    intel.verdict = Swap.SWAPPED
    provider.clock.move(2 * MINUTE)
    await asks_for_a_code(provider, "bob")
    await provider.deliver()
    assert (await browser.get(NEW)).status_code == 403
    assert (await forged(provider, browser, NEW)).status_code == 403


async def test_an_app_works_whatever_happened_to_the_sim(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.SWAPPED
    asked = await ask_second_factor(provider, scope="openid transfers:write")
    await provider.deliver()
    await asked.browser.get(f"/i/{asked.interaction_id}/totp")
    assert "code" in parameters(await asked.browser.submit("/totp", code=provider.totp()))


async def test_a_swapped_number_has_the_status_of_any_other_that_nothing_is_sent_to(
    provider: Provider, intel: FakeIntel
) -> None:
    statements: list[int] = []
    for verdicts, answers in (
        ({ALICE_PHONE: Swap.SWAPPED}, []),
        ({}, [Sent(Outcome.REJECTED, reason=Reason.FRAUD_BLOCKED)]),
    ):
        intel.verdicts = verdicts
        provider.gateway.answers = answers
        provider.clock.move(timedelta(hours=2))
        browser = await asks_for_a_code(provider)
        await provider.deliver()
        assert browser.page is not None
        provider.count()
        assert (await browser.get(str(browser.page.url))).status_code == 200
        statements.append(len(provider.statements))
    assert statements[0] == statements[1]


# --- unknown


async def test_doubt_lets_a_sign_in_pass_with_a_flag(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.UNKNOWN
    assert "code" in parameters(await provider.sign_in(provider.browser(), "bob"))
    assert [tuple(row) for row in await provider.rows(PROOFS)] == [("password", None), ("sms", "unknown")]
    assert [each.get("sim_swap") for each in await events(provider, "factor.verified")] == [None, "unknown"]


async def test_a_code_sent_before_anybody_was_asked_passes_with_a_flag_too(provider: Provider) -> None:
    browser = await asks_for_a_code(provider, "bob")
    code = (await provider.deliver())[-1]
    provider.idp.intel = FakeIntel()
    assert "code" in parameters(await browser.submit("/sms", code=code))
    assert [each.get("sim_swap") for each in await events(provider, "factor.verified")] == [None, "unknown"]


@pytest.mark.parametrize("path", [NEW, CODES])
async def test_doubt_closes_enrolment_and_says_why(provider: Provider, intel: FakeIntel, path: str) -> None:
    intel.verdict = Swap.UNKNOWN
    browser = provider.browser()
    home = await come_in(provider, browser)
    assert home.status_code == 200
    page = await browser.get(path)
    assert page.status_code == 403
    assert "the SIM of your phone was changed lately, or we could not find out whether it was" in page.text
    # the form itself is as closed as the page before it
    posted = await forged(provider, browser, path)
    assert posted.status_code == 403
    assert key_on(posted) is None
    assert not codes_on(posted)
    assert not await apps(provider, "bob")
    assert {each["factor"] for each in await having(provider, "bob")} == {"sms"}


async def test_an_enrolment_that_began_before_the_doubt_is_not_confirmed_in_it(
    provider: Provider, intel: FakeIntel
) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    key = key_on(await browser.submit(NEW))
    assert key is not None
    await provider.rows(Statement(update(authentication_event).values(swap=None).returning(authentication_event.c.id)))
    answer = await browser.submit("/confirm", code=code_for(provider, key), label="Phone")
    assert answer.status_code == 403
    assert not await apps(provider, "bob")


async def test_with_a_clear_answer_enrolment_is_open(provider: Provider, intel: FakeIntel) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    assert len(codes_on(await enrol(provider, browser))) == 10


async def test_after_the_doubt_a_new_text_message_may_bring_a_clear_answer(
    provider: Provider, intel: FakeIntel
) -> None:
    intel.verdict = Swap.UNKNOWN
    browser = provider.browser()
    await come_in(provider, browser)
    assert (await browser.get(NEW)).status_code == 403
    intel.verdict = Swap.NOT_SWAPPED
    provider.clock.move(6 * MINUTE)
    await browser.get(NEW)
    await browser.submit("/sms/send")
    await browser.submit("/sms", code=await provider.texted(browser))
    assert len(codes_on(await enrol(provider, browser))) == 10


async def test_inside_a_room_doubt_asks_for_a_saved_code_instead(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.UNKNOWN
    await provider.add_person("dora", number="+37256789047", codes=True)
    browser = provider.browser()
    await come_in(provider, browser, "dora")
    page = await browser.get(NEW)
    assert "/recovery" in page.text
    assert "/sms" not in page.text
    await browser.submit("/recovery", code=provider.saved["dora"][0])
    page = await enrol(provider, browser)
    assert page.status_code == 200
    # and what was doubted does not help to end the hold
    assert [each["hold"] for each in await apps(provider, "dora")] == [timedelta(hours=24)]


async def test_doubt_is_nothing_to_whoever_has_a_trusted_app(provider: Provider, intel: FakeIntel) -> None:
    intel.verdict = Swap.UNKNOWN
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await prove_app(provider, browser, NEW)
    assert (await enrol(provider, browser)).status_code == 200
    assert len(await apps(provider, "alice")) == 2


# --- crashes, and the real thing


async def test_a_sender_that_dies_after_the_verdict_has_cost_no_try(provider: Provider, intel: FakeIntel) -> None:
    """Kill -9 between asking and sending: the lease runs out, and the next sender asks again and sends."""

    class Dying(FakeIntel):
        async def check(self, number: str, max_age: timedelta) -> Swap:
            await super().check(number, max_age)
            raise asyncio.CancelledError

    provider.idp.intel = Dying()
    await asks_for_a_code(provider)
    with pytest.raises(asyncio.CancelledError):
        await provider.deliver()
    assert (await provider.rows(TRIES))[0][0] == 0
    assert await provider.deliver() == []
    provider.idp.intel = intel
    provider.clock.move(leases.LEASE)
    assert len(await provider.deliver()) == 1
    assert len(intel.asked) == 1


@pytest.mark.parametrize("sim", [Sim.SAME, Sim.SWAPPED, Sim.BROKEN], ids=["same", "swapped", "broken"])
async def test_an_operator_is_asked_over_http_with_the_number_of_the_person(provider: Provider, sim: Sim) -> None:
    number = number_of(sim)
    await provider.add_person("erik", number=number)
    async with fake_provider(pace=Pace(slow=timedelta(seconds=30))) as fake, new_client() as client:
        settings = read_settings(fake.intel_settings())
        provider.idp.intel = open_intel(settings, client=client, clock=provider.clock)
        await asks_for_a_code(provider, "erik")
        sent = await provider.deliver()
        assert fake.operator.asked == [(number, 72)]
    assert len(sent) == (0 if sim is Sim.SWAPPED else 1)


async def test_no_line_of_the_log_tells_the_number(
    provider: Provider, intel: FakeIntel, capsys: pytest.CaptureFixture[str]
) -> None:
    intel.verdict = Swap.SWAPPED
    await asks_for_a_code(provider)
    await provider.deliver()
    said = capsys.readouterr()
    assert "sim swapped" in said.out
    assert ALICE_PHONE[1:] not in said.out + said.err
