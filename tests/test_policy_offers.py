"""What a person is asked for first, and when a message leaves without being asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from idp.model import (
    Account,
    AuthenticationEvent,
    Authenticator,
    AuthMethod,
    AuthorizationRequest,
    Client,
    Factor,
)
from idp.policy import Ask, Facts, decide, unasked
from tests.world.mailing import POLICY

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=90)
ANNA = Account(UUID(int=1), "anna", LONG_AGO, LONG_AGO)
BANK = Client("bank", "Bank", AuthMethod.BASIC, scopes=frozenset({"openid", "transfers:write"}), first_party=True)
AT_ONCE = replace(POLICY, challenge=replace(POLICY.challenge, message_at_once=True))


def device(number: int, factor: Factor) -> Authenticator:
    return Authenticator(UUID(int=number), ANNA.id, factor, factor, "", LONG_AGO, LONG_AGO, confirmed_at=LONG_AGO)


PHONE, APP = device(11, Factor.SMS), device(12, Factor.TOTP)
PAPER = replace(device(13, Factor.RECOVERY), remaining=5)
HELD = replace(APP, trusted_at=NOW + timedelta(hours=1))


def used(device: Authenticator, days_ago: float) -> Authenticator:
    return replace(device, last_used_at=NOW - timedelta(days=days_ago))


def facts(*having: Authenticator, mail: bool = False, scopes: tuple[str, ...] = ("openid",)) -> Facts:
    """Anna has just typed her password at the bank."""
    here = UUID(int=101)
    return Facts(
        now=NOW,
        client=BANK,
        request=AuthorizationRequest(BANK.id, "https://rp.example/cb", scopes),
        started_at=NOW,
        interaction_id=here,
        account=replace(ANNA, email="anna@example.com", email_verified=mail),
        events=(AuthenticationEvent(Factor.PASSWORD, NOW, ANNA.id, BANK.id, here),),
        authenticators=having,
    )


def offered(given: Facts) -> tuple[Factor, ...]:
    found = decide(given, POLICY)
    assert isinstance(found, Ask)
    return found.factors


@pytest.mark.parametrize(
    ("having", "first"),
    [
        pytest.param((PHONE, APP), Factor.TOTP, id="nothing used yet"),
        pytest.param((used(PHONE, 2), used(APP, 1)), Factor.TOTP, id="the app last"),
        pytest.param((used(PHONE, 1), used(APP, 2)), Factor.SMS, id="the phone last"),
        pytest.param((used(PHONE, 1), APP), Factor.SMS, id="the phone alone"),
        pytest.param((used(PHONE, 1), used(HELD, 2)), Factor.SMS, id="the phone, and an app on hold"),
        pytest.param((PHONE, used(HELD, 2)), Factor.TOTP, id="an app on hold"),
        pytest.param((replace(used(PHONE, 1), closed_at=NOW), used(APP, 2)), Factor.TOTP, id="a phone that is gone"),
        pytest.param(
            (PHONE, replace(used(PHONE, 1), closed_at=NOW), APP), Factor.TOTP, id="a number that was replaced"
        ),
        pytest.param((PAPER, used(PHONE, 3), used(APP, 4)), Factor.SMS, id="saved codes beside both"),
    ],
)
def test_who_has_an_app_is_asked_for_what_they_used_last(having: tuple[Authenticator, ...], first: Factor) -> None:
    found = offered(facts(*having))
    assert found[0] is first
    assert Factor.TOTP in found
    assert unasked(found, POLICY) is None


def test_who_has_no_app_gets_the_message_without_asking() -> None:
    for given, first in ((facts(PAPER, PHONE, mail=True), Factor.SMS), (facts(PAPER, mail=True), Factor.EMAIL)):
        found = offered(given)
        assert found[0] is first
        assert unasked(found, POLICY) is first
    assert unasked(offered(facts(PAPER)), POLICY) is None


def test_what_was_used_last_does_not_come_back_where_it_is_not_enough() -> None:
    assert offered(facts(used(PHONE, 1), used(APP, 2), scopes=("openid", "transfers:write"))) == (Factor.TOTP,)


def test_a_policy_may_send_the_message_at_once() -> None:
    found = decide(facts(used(PHONE, 2), used(APP, 1), PAPER), AT_ONCE)
    assert isinstance(found, Ask)
    assert found.factors == (Factor.SMS, Factor.TOTP, Factor.RECOVERY)
    assert unasked(found.factors, AT_ONCE) is Factor.SMS
    strong = decide(facts(PHONE, APP, scopes=("openid", "transfers:write")), AT_ONCE)
    assert isinstance(strong, Ask)
    assert unasked(strong.factors, AT_ONCE) is None


def test_the_order_hides_nothing_and_a_saved_code_comes_first_only_alone() -> None:
    phones, apps = (None, PHONE, used(PHONE, 1)), (None, APP, used(APP, 2), HELD)
    for phone, app, paper, mail in product(phones, apps, (None, PAPER, used(PAPER, 0.5)), (False, True)):
        having = [each for each in (paper, phone, app) if each is not None]
        expected = {each.factor for each in having} | ({Factor.EMAIL} if mail else set())
        if not expected:
            continue
        found = offered(facts(*having, mail=mail))
        assert set(found) == expected
        assert len(found) == len(expected)
        assert found[0] is not Factor.RECOVERY or expected == {Factor.RECOVERY}
        assert (unasked(found, POLICY) is None) == (app is not None or expected == {Factor.RECOVERY})
