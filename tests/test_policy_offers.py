"""What a person is asked for first, and when a message leaves without being asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from idp.model import (
    SECOND,
    Account,
    AssuranceLevel,
    AuthenticationEvent,
    Authenticator,
    AuthMethod,
    AuthorizationRequest,
    Client,
    Factor,
    Grant,
    Holder,
)
from idp.policy import UNMET, Ask, Barrier, Facts, Proceed, Refuse, decide, recheck, unasked
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
    ("having", "here", "prefers", "first"),
    [
        pytest.param((PHONE, APP), None, None, Factor.TOTP, id="a browser nobody knows: the strongest"),
        pytest.param((used(PHONE, 1), used(APP, 2)), None, None, Factor.TOTP, id="whatever was used last elsewhere"),
        pytest.param((PHONE, APP), Factor.SMS, None, Factor.SMS, id="the phone last here"),
        pytest.param((PHONE, APP), Factor.TOTP, None, Factor.TOTP, id="the app last here"),
        pytest.param((PHONE, APP), Factor.SMS, Factor.TOTP, Factor.TOTP, id="what they prefer goes before"),
        pytest.param((PHONE, APP), Factor.TOTP, Factor.SMS, Factor.SMS, id="also where it is weaker"),
        pytest.param((PHONE, HELD), None, None, Factor.TOTP, id="an app on hold"),
        pytest.param(
            (replace(PHONE, closed_at=NOW), APP), Factor.SMS, Factor.SMS, Factor.TOTP, id="a phone that is gone"
        ),
        pytest.param((PAPER, PHONE, APP), Factor.RECOVERY, Factor.RECOVERY, Factor.TOTP, id="saved codes never"),
    ],
)
def test_the_right_one_is_asked_for_first_and_the_others_are_one_press_away(
    having: tuple[Authenticator, ...], here: Factor | None, prefers: Factor | None, first: Factor
) -> None:
    given = facts(*having)
    assert given.account is not None
    found = offered(replace(given, used_here=here, account=replace(given.account, prefers=prefers)))
    assert found[0] is first
    assert set(found) == {each.factor for each in having if each.closed_at is None}
    assert unasked(found, POLICY) is None


def test_who_has_no_app_gets_the_message_without_asking() -> None:
    for given, first in ((facts(PAPER, PHONE, mail=True), Factor.SMS), (facts(PAPER, mail=True), Factor.EMAIL)):
        found = offered(given)
        assert found[0] is first
        assert unasked(found, POLICY) is first
    assert unasked(offered(facts(PAPER)), POLICY) is None


def test_promise_3_neither_a_wish_nor_a_browser_brings_back_what_is_not_enough() -> None:
    given = facts(PHONE, APP, scopes=("openid", "transfers:write"))
    assert given.account is not None
    wished = replace(given, used_here=Factor.SMS, account=replace(given.account, prefers=Factor.SMS))
    assert offered(wished) == (Factor.TOTP,)


def test_promise_1_a_browser_and_a_wish_order_what_is_offered_and_change_nothing_else() -> None:
    sets = ((PHONE,), (APP,), (PHONE, APP), (PHONE, HELD), (PAPER,), (PAPER, PHONE, APP), ())
    for having, mail, here, prefers, scopes in product(
        sets, (False, True), (None, *SECOND), (None, *SECOND), (("openid",), ("openid", "transfers:write"))
    ):
        plain = facts(*having, mail=mail, scopes=scopes)
        assert plain.account is not None
        same = replace(plain, used_here=here, account=replace(plain.account, prefers=prefers))
        one, other = decide(plain, POLICY), decide(same, POLICY)
        if isinstance(one, Ask) and isinstance(other, Ask):
            assert replace(one, factors=()) == replace(other, factors=())
            assert set(one.factors) == set(other.factors)
        else:
            assert one == other


def test_who_has_no_app_is_written_to_where_they_were_last_reached_here() -> None:
    given = facts(PHONE, mail=True)
    assert given.account is not None
    assert unasked(offered(replace(given, used_here=Factor.EMAIL)), POLICY) is Factor.EMAIL
    wished = replace(given, account=replace(given.account, prefers=Factor.EMAIL))
    assert unasked(offered(wished), POLICY) is Factor.EMAIL


TREASURY = replace(POLICY, groups={"treasury": AssuranceLevel.TWO_FACTOR}, only={"treasury": frozenset({Factor.TOTP})})


def test_what_does_not_count_for_a_group_is_neither_offered_nor_counted() -> None:
    given = facts(PHONE, APP, PAPER, mail=True)
    assert given.account is not None
    member = replace(given, account=replace(given.account, groups=frozenset({"treasury"})))
    found = decide(member, TREASURY)
    assert isinstance(found, Ask)
    assert found.factors == (Factor.TOTP,)
    # Whoever joins with a text message proved is asked again.
    proved = AuthenticationEvent(Factor.SMS, NOW, ANNA.id, BANK.id, member.interaction_id, PHONE.id)
    assert isinstance(decide(replace(given, events=(*given.events, proved)), TREASURY), Proceed)
    found = decide(replace(member, events=(*member.events, proved)), TREASURY)
    assert isinstance(found, Ask)
    assert found.factors == (Factor.TOTP,)
    without = decide(replace(member, authenticators=(PHONE, PAPER)), TREASURY)
    assert isinstance(without, Refuse)
    assert (without.error, without.barrier) == (UNMET, Barrier.GROUP)


def test_a_grant_that_rests_on_what_does_not_count_any_more_gives_nothing() -> None:
    def kept(amr: tuple[str, ...], groups: frozenset[str] = frozenset({"treasury"})) -> tuple[str, ...]:
        level = AssuranceLevel.TWO_FACTOR
        grant = Grant(UUID(int=7), BANK.id, ("openid",), NOW, ANNA.id, None, level, "", amr, NOW)
        return recheck(grant, BANK, Holder(ANNA.id, groups), ("openid",), TREASURY, NOW, refreshing=True)

    assert kept(("pwd", "otp", "mfa")) == ("openid",)
    assert kept(("pwd", "sms", "mfa")) == kept(("pwd", "email", "mfa")) == ()
    assert kept(("pwd", "sms", "mfa"), frozenset()) == ("openid",)
    assert kept(("pwd", "mfa")) == ("openid",)  # an app on hold is not named
    phones = replace(TREASURY, only={"treasury": frozenset({Factor.SMS})})
    assert TREASURY.of(["treasury", "other"]).factors.keys() == {Factor.TOTP}
    assert phones.of(["other"]) is phones


def test_a_policy_may_send_the_message_at_once() -> None:
    found = decide(replace(facts(PHONE, APP, PAPER), used_here=Factor.TOTP), AT_ONCE)
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
