"""What doubt about a SIM closes and what it leaves open: threats 8 and 9. Sentences, then every walk there is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from idp.model import AuthenticationEvent, Authenticator, AuthorizationRequest, Factor, Swap
from idp.policy import (
    UNMET,
    UNSURE,
    Ask,
    Change,
    Facts,
    May,
    NeedsProof,
    Proceed,
    Refuse,
    decide,
    default_policy,
)
from tests.world.histories import (
    ANNA,
    APP,
    AT_ONCE,
    HELD,
    HERE,
    LATER,
    LONG_AGO,
    NOW,
    PAGES,
    PAPER,
    PASSWORD,
    PHONE,
    RECOVERY,
    SMS,
    TOTP,
    ask,
    proved,
)

SURE, UNSURE_SMS = proved(Factor.SMS, swap=Swap.NOT_SWAPPED), proved(Factor.SMS, swap=Swap.UNKNOWN)
CHANGES = (Change.ADD_APP, Change.RENEW_CODES, Change.REMOVE_APP)
DOUBTED = [pytest.param(UNSURE_SMS, id="unknown"), pytest.param(SMS, id="never asked")]


def refused(*events: AuthenticationEvent, having: tuple[Authenticator, ...], change: Change = Change.ADD_APP) -> str:
    found = ask(*events, having=having, change=change, numbers_checked=True)
    assert isinstance(found, Refuse), found
    return found.error


@pytest.mark.parametrize("event", DOUBTED)
@pytest.mark.parametrize("change", CHANGES)
def test_a_text_message_to_a_doubted_sim_changes_nothing(event: AuthenticationEvent, change: Change) -> None:
    assert refused(PASSWORD, event, having=(PHONE,), change=change) == UNSURE


@pytest.mark.parametrize("event", [*DOUBTED, pytest.param(SURE, id="not swapped")])
def test_without_anybody_to_ask_everything_is_as_it_was(event: AuthenticationEvent) -> None:
    assert ask(PASSWORD, event, having=(PHONE,)) == LATER
    assert ask(PASSWORD, event, RECOVERY, having=(PHONE, PAPER)) == AT_ONCE


def test_a_sim_that_was_not_changed_is_as_good_as_ever() -> None:
    assert ask(PASSWORD, SURE, having=(PHONE,), numbers_checked=True) == LATER
    assert ask(PASSWORD, SURE, RECOVERY, having=(PHONE, PAPER), numbers_checked=True) == AT_ONCE


def test_a_sim_that_was_seen_changed_since_is_doubted_too() -> None:
    stolen = replace(PHONE, swapped_at=NOW)
    assert refused(PASSWORD, SURE, having=(stolen,)) == UNSURE
    assert ask(PASSWORD, SURE, RECOVERY, having=(stolen, PAPER), numbers_checked=True) == LATER
    assert ask(PASSWORD, SURE, having=(stolen,)) == LATER


@pytest.mark.parametrize("event", DOUBTED)
def test_in_doubt_a_saved_code_is_asked_for_and_not_another_text_message(event: AuthenticationEvent) -> None:
    assert ask(PASSWORD, event, having=(PHONE, PAPER), numbers_checked=True) == NeedsProof((Factor.RECOVERY,))


@pytest.mark.parametrize("event", DOUBTED)
def test_a_doubted_text_message_beside_a_saved_code_does_not_end_the_hold(event: AuthenticationEvent) -> None:
    assert ask(PASSWORD, event, RECOVERY, having=(PHONE, PAPER), numbers_checked=True) == LATER


def test_whoever_proves_the_app_is_not_asked_about_a_sim() -> None:
    assert ask(PASSWORD, TOTP, having=(PHONE, APP), numbers_checked=True) == AT_ONCE
    assert ask(PASSWORD, UNSURE_SMS, TOTP, having=(PHONE, APP), numbers_checked=True) == AT_ONCE


def test_before_any_text_message_one_may_be_asked_for() -> None:
    assert ask(PASSWORD, having=(PHONE,), numbers_checked=True) == NeedsProof((Factor.SMS,))


def test_a_doubted_text_message_that_is_no_longer_fresh_may_be_repeated() -> None:
    old = proved(Factor.SMS, 301, swap=Swap.UNKNOWN)
    assert ask(proved(Factor.PASSWORD, 400), old, having=(PHONE,), numbers_checked=True) == NeedsProof((Factor.SMS,))


def test_who_has_nothing_at_all_hears_of_that_and_not_of_a_sim() -> None:
    assert refused(PASSWORD, UNSURE_SMS, having=()) == UNMET


# --- every walk: what is changed, what the person has, what each text message is worth

ROOMS = tuple(product(CHANGES, (False, True), (None, Swap.UNKNOWN, Swap.NOT_SWAPPED)))
HAVING = ((PHONE,), (PHONE, PAPER), (PHONE, APP), (PHONE, HELD), (PHONE, PAPER, APP), (PAPER,), ())
DEVICES = {Factor.SMS: PHONE, Factor.RECOVERY: PAPER}


def answers(facts: Facts, asked: Ask, sim: Swap | None) -> Iterator[Facts]:
    now = facts.now + timedelta(seconds=1)
    for factor in asked.factors:
        apps = [each for each in facts.authenticators if each.factor is Factor.TOTP]
        device = apps[0] if factor is Factor.TOTP else DEVICES.get(factor)
        swap = sim if factor is Factor.SMS else None
        event = AuthenticationEvent(factor, now, ANNA.id, PAGES.id, HERE, device.id if device else None, swap)
        yield replace(facts, now=now, events=(*facts.events, event))


@pytest.mark.parametrize(("change", "checked", "sim"), ROOMS)
@pytest.mark.parametrize("having", HAVING)
def test_no_walk_changes_anything_by_a_doubted_text_message_alone_or_goes_in_circles(
    change: Change, checked: bool, sim: Swap | None, having: tuple[Authenticator, ...]
) -> None:
    request = AuthorizationRequest(PAGES.id, "/account", ("openid",), change=change)
    client = replace(PAGES, scopes=frozenset({"openid"}), first_party=True)
    start = Facts(NOW, client, request, LONG_AGO, HERE, ANNA, (), having, internal=True, numbers_checked=checked)
    paths: list[tuple[Facts, tuple[Ask, ...]]] = [(start, ())]
    ends = 0
    while paths:
        facts, asked = paths.pop()
        worth = {
            event.factor
            for event in facts.events
            if not (checked and event.factor is Factor.SMS and event.swap is not Swap.NOT_SWAPPED)
        }
        match decide(facts, default_policy()):
            case Proceed():
                ends += 1
                assert worth - {Factor.PASSWORD}
                terms = ask(*facts.events, having=having, change=change, now=facts.now, numbers_checked=checked)
                assert isinstance(terms, May)
            case Refuse(error=error):
                ends += 1
                doubted = {event.factor for event in facts.events} - worth
                assert (error == UNSURE) == bool(doubted)
            case Ask() as found:
                assert found not in asked, "asked the same again although it was answered"
                assert len(asked) < 5
                paths.extend((after, (*asked, found)) for after in answers(facts, found, sim))
    assert ends
