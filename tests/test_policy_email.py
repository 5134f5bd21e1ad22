"""Codes by e-mail in the policy: allowed by a row, worth two factors at most, and never a fresh proof."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from idp.errors import SettingsError
from idp.model import (
    Account,
    AssuranceLevel,
    AuthenticationEvent,
    Authenticator,
    AuthMethod,
    AuthorizationRequest,
    Change,
    Client,
    Factor,
    Prompt,
)
from idp.policy import (
    UNMET,
    Ask,
    Facts,
    Kind,
    May,
    NeedsProof,
    Proceed,
    Refuse,
    decide,
    default_policy,
    load_policy,
    permission,
)
from tests.world.histories import BY_ONESELF
from tests.world.mailing import ALLOWED, POLICY

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=90)
HERE, EARLIER = uuid4(), uuid4()
ANNA = Account(UUID(int=1), "anna", LONG_AGO, LONG_AGO, email="anna@example.com", email_verified=True)
BANK = Client("bank", "Bank", AuthMethod.BASIC, scopes=frozenset(POLICY.scopes), first_party=True)
STRONG = "urn:stile:2fa-strong"


def enrolled(factor: Factor, **changes: Any) -> Authenticator:
    made = Authenticator(uuid4(), ANNA.id, factor, factor, "", LONG_AGO, LONG_AGO, confirmed_at=LONG_AGO)
    return replace(made, **changes)


PHONE, APP, PAPER = enrolled(Factor.SMS), enrolled(Factor.TOTP), enrolled(Factor.RECOVERY, remaining=5)


def proved(factor: Factor, by: Authenticator | None = None, *, ago: float = 5, **changes: Any) -> AuthenticationEvent:
    at = NOW - timedelta(seconds=ago)
    event = AuthenticationEvent(factor, at, ANNA.id, "bank", HERE, by.id if by else None)
    return replace(event, **changes)


PASSWORD, MAIL, SMS = proved(Factor.PASSWORD, ago=9), proved(Factor.EMAIL), proved(Factor.SMS, PHONE, ago=4)


def facts(
    *scopes: str, having: tuple[Authenticator, ...] = (), request: dict[str, Any] | None = None, **changes: Any
) -> Facts:
    """Anna, with a verified address, gave her password at the bank."""
    asked = AuthorizationRequest("bank", "https://rp.example/cb", ("openid", *scopes), **(request or {}))
    usual = Facts(NOW, BANK, asked, NOW, HERE, ANNA, (PASSWORD,), having)
    return replace(usual, **changes)


def offered(given: Facts) -> tuple[Factor, ...]:
    found = decide(given, POLICY)
    assert isinstance(found, Ask), found
    assert found.kind is Kind.SECOND_FACTOR
    return found.factors


def test_no_row_means_not_allowed() -> None:
    assert Factor.EMAIL not in default_policy().factors
    found = decide(facts(having=(PHONE,)), default_policy())
    assert isinstance(found, Ask)
    assert found.factors == (Factor.SMS,)
    # Nor does one count that was made while the row was there.
    assert isinstance(decide(facts(having=(PHONE,), events=(PASSWORD, MAIL)), default_policy()), Ask)
    refused = decide(facts(), default_policy())
    assert isinstance(refused, Refuse)
    assert refused.error == UNMET


@pytest.mark.parametrize("level", ["strong", "phishing_resistant"])
def test_a_policy_that_makes_more_of_it_is_refused(level: str) -> None:
    text = ALLOWED.replace('email  = "two_factor"', f'email = "{level}"')
    with pytest.raises(SettingsError) as caught:
        load_policy(text)
    assert caught.value.problems == ["factors.email: email never gives more than two_factor"]


def test_it_is_offered_after_phone_and_app_and_before_saved_codes() -> None:
    assert offered(facts(having=(PAPER, APP, PHONE))) == (Factor.TOTP, Factor.SMS, Factor.EMAIL, Factor.RECOVERY)
    assert offered(facts()) == (Factor.EMAIL,)


@pytest.mark.parametrize("email", ["anna@example.com", None])
def test_only_a_verified_address_is_offered(email: str | None) -> None:
    unsure = replace(ANNA, email=email, email_verified=email is None)
    assert offered(facts(having=(PHONE,), account=unsure)) == (Factor.SMS,)
    found = decide(facts(account=unsure), POLICY)
    assert isinstance(found, Refuse)
    assert found.error == UNMET


def test_password_and_mail_are_two_factors_and_say_so() -> None:
    found = decide(facts(events=(PASSWORD, MAIL)), POLICY)
    assert isinstance(found, Proceed)
    assert found.context.level is AssuranceLevel.TWO_FACTOR
    assert found.context.acr == "urn:stile:2fa"
    assert found.context.amr == ("pwd", "email", "mfa")


def test_it_is_never_the_first_factor() -> None:
    found = decide(facts(events=(MAIL,)), POLICY)
    assert isinstance(found, Ask)
    assert found.kind is Kind.PASSWORD
    found = decide(facts(events=(proved(Factor.EMAIL, ago=20), PASSWORD)), POLICY)
    assert isinstance(found, Ask)
    assert found.kind is Kind.SECOND_FACTOR


@pytest.mark.parametrize(
    "request_", [{}, {"acr_values": ("urn:stile:2fa",)}, {"prompts": frozenset({Prompt.LOGIN})}, {"max_age": NOW - NOW}]
)
def test_a_transfer_asks_for_the_app_whatever_the_client_says(request_: dict[str, Any]) -> None:
    for events in ((PASSWORD,), (PASSWORD, MAIL), (PASSWORD, MAIL, SMS)):
        given = facts("transfers:write", having=(PHONE, APP, PAPER), events=events, request=request_)
        assert offered(given) == (Factor.TOTP,)


def test_without_an_app_a_transfer_is_refused() -> None:
    found = decide(facts("transfers:write", events=(PASSWORD, MAIL)), POLICY)
    assert isinstance(found, Refuse)
    assert found.error == UNMET


def test_it_is_neither_offered_nor_enough_for_a_fresh_scope_of_two_factors() -> None:
    usual = (Factor.TOTP, Factor.SMS, Factor.RECOVERY)
    assert offered(facts("letters:read", having=(PHONE, APP, PAPER))) == usual
    assert offered(facts("letters:read", having=(PHONE, APP, PAPER), events=(PASSWORD, MAIL))) == usual
    agreed = frozenset({"openid", "letters:read"})
    found = decide(facts("letters:read", having=(PHONE,), events=(PASSWORD, MAIL, SMS), consented_here=agreed), POLICY)
    assert isinstance(found, Proceed)
    assert "letters:read" in found.scopes
    for events in ((PASSWORD,), (PASSWORD, MAIL)):
        alone = decide(facts("letters:read", events=events), POLICY)
        assert isinstance(alone, Refuse)
        assert alone.error == UNMET


def test_a_group_with_a_higher_floor_is_not_offered_it() -> None:
    policy = load_policy(ALLOWED.replace("[groups]", '[groups]\ntreasury = { level = "strong" }'))
    found = decide(facts(having=(PHONE, APP), account=replace(ANNA, groups=frozenset({"treasury"}))), policy)
    assert isinstance(found, Ask)
    assert found.factors == (Factor.TOTP,)


def test_in_another_application_it_counts_as_a_sign_in() -> None:
    elsewhere = tuple(replace(event, client_id="notes", interaction_id=EARLIER) for event in (PASSWORD, MAIL))
    assert isinstance(decide(facts(events=elsewhere), POLICY), Proceed)


# --- changing how one signs in: a code by e-mail is worth nothing there -------------------------


@pytest.mark.parametrize("change", BY_ONESELF)
@pytest.mark.parametrize("having", [(), (PHONE,), (APP,), (PHONE, APP, PAPER)])
def test_it_permits_no_change_of_authenticators(change: Change, having: tuple[Authenticator, ...]) -> None:
    given = facts(having=having, events=(PASSWORD, MAIL), internal=True)
    found = permission(given, POLICY, change=change, target=having[0].id if having else None)
    match found:
        case NeedsProof(factors):
            assert having
            assert Factor.EMAIL not in factors
        case Refuse(error=error):
            assert not having
            assert error == UNMET
        case _:
            pytest.fail(f"permitted: {found}")


def test_beside_a_text_message_it_ends_no_hold() -> None:
    found = permission(facts(having=(PHONE,), events=(PASSWORD, MAIL, SMS)), POLICY, change=Change.ADD_APP)
    assert found == May(POLICY.enrolment.hold)
