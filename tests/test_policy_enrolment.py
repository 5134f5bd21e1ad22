"""Who may change authenticators and when a new one counts: design 5, threats 1, 2 and 8, ENR-01 to ENR-05."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from idp.model import (
    AuthenticationEvent,
    Authenticator,
    AuthorizationRequest,
    Factor,
)
from idp.policy import (
    UNMET,
    Ask,
    Change,
    Ends,
    Facts,
    May,
    NeedsProof,
    Refuse,
    Vouched,
    decide,
    default_policy,
    load_policy,
)
from tests.world.histories import (
    ANNA,
    APP,
    AT_ONCE,
    BY_ONESELF,
    HELD,
    HERE,
    HOLD,
    LATER,
    LONG_AGO,
    NOTHING,
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


def test_nobody_enrols_without_signing_in() -> None:
    assert ask(having=(PHONE,), account=None) == NeedsProof((Factor.PASSWORD,))
    assert ask(SMS, having=(PHONE,)) == NeedsProof((Factor.PASSWORD,))


@pytest.mark.parametrize("change", BY_ONESELF)
def test_a_disabled_account_gets_into_no_room_and_changes_nothing(change: Change) -> None:
    request = AuthorizationRequest(PAGES.id, "/account", ("openid",), change=change)
    client, account = replace(PAGES, scopes=frozenset({"openid"})), replace(ANNA, disabled=True)
    proofs, having = (PASSWORD, SMS, TOTP), (PHONE, APP)
    facts = Facts(NOW, client, request, LONG_AGO, uuid4(), account, proofs, having, internal=True)
    assert isinstance(decide(facts, default_policy()), Ask), "it is signed in to again, and that is refused"
    found = decide(replace(facts, interaction_id=HERE), default_policy())
    assert isinstance(found, Refuse)
    assert found.error == "access_denied"


def test_a_disabled_account_is_not_recovered_by_a_link() -> None:
    disabled = replace(ANNA, disabled=True)
    found = ask(SMS, having=(PHONE,), account=disabled, vouched=Vouched.MAILBOX, change=Change.RESET_PASSWORD)
    assert isinstance(found, Refuse)
    assert found.error == "access_denied"


def test_a_password_alone_enrols_nothing() -> None:
    assert ask(PASSWORD, having=(PAPER, PHONE)) == NeedsProof((Factor.SMS, Factor.RECOVERY))
    found = ask(PASSWORD, having=())
    assert isinstance(found, Refuse)
    assert found.error == UNMET


def test_password_and_sms_enrol_an_app_that_is_trusted_after_the_hold() -> None:
    assert ask(PASSWORD, SMS, having=(PHONE,)) == LATER
    assert ask(PASSWORD, SMS, having=(PHONE, PAPER)) == LATER
    assert ask(PASSWORD, RECOVERY, having=(PHONE, PAPER)) == LATER


def test_the_proof_must_be_fresh_and_made_on_the_account_pages() -> None:
    assert ask(PASSWORD, proved(Factor.SMS, 300), having=(PHONE,), events=()) == NeedsProof((Factor.PASSWORD,))
    old = proved(Factor.PASSWORD, 900)
    assert ask(old, proved(Factor.SMS, 300), having=(PHONE,)) == LATER
    assert ask(old, proved(Factor.SMS, 300.001), having=(PHONE,)) == NeedsProof((Factor.SMS,))
    assert ask(old, proved(Factor.SMS, client_id="bank"), having=(PHONE,)) == NeedsProof((Factor.SMS,))


def test_a_proof_by_a_phone_that_is_gone_does_not_count() -> None:
    assert ask(PASSWORD, SMS, having=(PAPER,)) == NeedsProof((Factor.RECOVERY,))
    assert ask(PASSWORD, SMS, having=(replace(PHONE, closed_at=NOW), PAPER)) == NeedsProof((Factor.RECOVERY,))


def test_a_trusted_app_vouches_at_once() -> None:
    assert ask(PASSWORD, TOTP, having=(PHONE, APP)) == AT_ONCE


def test_password_sms_and_a_saved_recovery_code_vouch_at_once() -> None:
    assert ask(PASSWORD, SMS, RECOVERY, having=(PHONE, PAPER)) == AT_ONCE


@pytest.mark.parametrize(
    ("events", "having"),
    [
        pytest.param((proved(Factor.PASSWORD, 301), SMS, RECOVERY), (PHONE, PAPER), id="password not fresh"),
        pytest.param((PASSWORD, SMS), (PHONE, PAPER), id="no code"),
        pytest.param((PASSWORD, RECOVERY), (PHONE, PAPER), id="no sms"),
        pytest.param((PASSWORD, SMS, RECOVERY), (PHONE, replace(PAPER, trusted_at=NOW)), id="codes made just now"),
        pytest.param((PASSWORD, SMS, RECOVERY), (replace(PHONE, trusted_at=NOW), PAPER), id="phone changed just now"),
        pytest.param((PASSWORD, SMS, RECOVERY), (PHONE,), id="codes gone"),
        pytest.param(
            (PASSWORD, SMS, replace(RECOVERY, authenticator_id=None)), (PHONE, PAPER), id="a code of nobody's"
        ),
    ],
)
def test_less_than_all_three_is_on_hold(
    events: tuple[AuthenticationEvent, ...], having: tuple[Authenticator, ...]
) -> None:
    assert ask(*events, having=having) == LATER


def test_an_operator_vouches_at_once() -> None:
    assert ask(having=(), vouched=Vouched.OPERATOR, change=Change.OPERATOR_ADDS) == AT_ONCE
    replaced = ask(having=(APP,), vouched=Vouched.OPERATOR, change=Change.OPERATOR_REPLACES)
    assert replaced == May(NOTHING, Ends.EVERYTHING)
    assert isinstance(ask(PASSWORD, TOTP, having=(APP,), change=Change.OPERATOR_ADDS), Refuse)


@pytest.mark.parametrize("change", [Change.ADD_APP, Change.RENEW_CODES, Change.REMOVE_APP])
@pytest.mark.parametrize("app", [APP, HELD])
def test_once_there_is_an_app_sms_changes_nothing(change: Change, app: Authenticator) -> None:
    by_sms = ask(PASSWORD, SMS, having=(PHONE, PAPER, app), change=change, target=app)
    assert by_sms == NeedsProof((Factor.TOTP, Factor.RECOVERY))
    assert ask(PASSWORD, SMS, having=(PHONE, app), change=change, target=app) == NeedsProof((Factor.TOTP,))


def test_replacing_and_removing_an_app_end_the_other_sessions() -> None:
    assert ask(PASSWORD, TOTP, having=(APP,), change=Change.RENEW_CODES) == May(NOTHING, Ends.OTHERS)
    assert ask(PASSWORD, TOTP, having=(APP,), change=Change.REMOVE_APP, target=APP) == May(HOLD, Ends.OTHERS)


def test_a_saved_recovery_code_replaces_a_lost_app_but_the_hold_applies() -> None:
    held = May(HOLD, Ends.OTHERS)
    assert ask(PASSWORD, RECOVERY, having=(PAPER, APP), change=Change.RENEW_CODES, target=APP) == held
    assert ask(PASSWORD, SMS, RECOVERY, having=(PHONE, PAPER, APP), change=Change.RENEW_CODES, target=APP) == held
    assert ask(PASSWORD, SMS, RECOVERY, having=(PHONE, PAPER, APP)) == LATER
    assert ask(PASSWORD, RECOVERY, having=(PAPER, APP), change=Change.REMOVE_APP, target=APP) == May(HOLD, Ends.OTHERS)


def test_removing_the_app_first_does_not_get_round_the_hold() -> None:
    gone = replace(APP, closed_at=NOW - HOLD + timedelta(seconds=1))
    assert ask(PASSWORD, SMS, RECOVERY, having=(PHONE, PAPER, gone)) == LATER
    long_gone = replace(APP, closed_at=NOW - HOLD)
    assert ask(PASSWORD, SMS, RECOVERY, having=(PHONE, PAPER, long_gone)) == AT_ONCE


@pytest.mark.parametrize(
    ("counts_from", "outcome"),
    [
        pytest.param(None, LATER, id="nobody was told of the removal"),
        pytest.param(NOW + timedelta(seconds=1), LATER, id="told, but not for as long as the hold"),
        pytest.param(NOW, AT_ONCE, id="told, and the hold is over"),
    ],
)
def test_after_a_removal_the_hold_runs_from_when_it_was_told(counts_from: datetime | None, outcome: May) -> None:
    gone = replace(APP, closed_at=NOW - 3 * HOLD, trusted_at=counts_from, hold=None if counts_from else HOLD)
    assert ask(PASSWORD, SMS, RECOVERY, having=(PHONE, PAPER, gone)) == outcome


def test_recovery_codes_made_with_sms_alone_are_no_way_round_an_app() -> None:
    new = replace(PAPER, trusted_at=NOW + HOLD)
    assert ask(PASSWORD, RECOVERY, having=(new, APP), change=Change.REMOVE_APP, target=APP) == NeedsProof(
        (Factor.TOTP,)
    )


def test_an_app_on_hold_may_change_itself_but_not_a_trusted_one() -> None:
    by_held = proved(Factor.TOTP, by=HELD)
    assert ask(PASSWORD, by_held, having=(HELD, APP), change=Change.REMOVE_APP, target=HELD) == May(HOLD, Ends.OTHERS)
    assert ask(PASSWORD, by_held, having=(HELD, APP), change=Change.REMOVE_APP, target=APP) == NeedsProof(
        (Factor.TOTP,)
    )
    assert ask(PASSWORD, by_held, having=(HELD,)) == LATER
    by_app = ask(PASSWORD, TOTP, having=(HELD, APP), change=Change.REMOVE_APP, target=HELD)
    assert by_app == May(HOLD, Ends.OTHERS)


def test_a_phone_is_changed_by_whoever_may_change_the_app() -> None:
    assert isinstance(ask(PASSWORD, SMS, having=(PHONE, APP), change=Change.REPLACE_PHONE, target=PHONE), NeedsProof)
    by_app = ask(PASSWORD, TOTP, having=(PHONE, APP), change=Change.REPLACE_PHONE, target=PHONE)
    assert by_app == May(NOTHING, Ends.OTHERS)
    without_app = ask(PASSWORD, SMS, having=(PHONE,), change=Change.REPLACE_PHONE, target=PHONE)
    assert without_app == May(2 * HOLD, Ends.OTHERS)


def test_an_app_enrolled_in_this_very_session_vouches_for_nothing() -> None:
    new = replace(APP, enrolled_in=HERE)
    found = ask(PASSWORD, TOTP, having=(PHONE, new))
    assert isinstance(found, Refuse)
    assert found.error == UNMET


SMALL = '[levels]\ntwo_factor = "a"\n[factors]\nsms = "two_factor"\ntotp = "two_factor"\n[scopes]\n'


@pytest.mark.parametrize("row", ["", 'authenticators:write" = { level = "two_factor" }\n"x'])
def test_without_a_row_of_its_own_the_proof_must_be_five_minutes_young(row: str) -> None:
    policy = load_policy(f'{SMALL}openid = {{ level = "two_factor" }}\n"{row}x" = {{ level = "two_factor" }}\n')
    old = proved(Factor.PASSWORD, 900)
    assert ask(old, proved(Factor.SMS, 300), having=(PHONE,), policy=policy) == LATER
    assert ask(old, proved(Factor.SMS, 301), having=(PHONE,), policy=policy) == NeedsProof((Factor.SMS,))


def test_the_age_comes_from_the_row() -> None:
    policy = load_policy(
        f'{SMALL}openid = {{ level = "two_factor" }}\n'
        '"authenticators:write" = { level = "two_factor", fresh = "1m" }\n'
    )
    assert ask(PASSWORD, proved(Factor.SMS, 60), having=(PHONE,), policy=policy) == LATER
    assert ask(PASSWORD, proved(Factor.SMS, 61), having=(PHONE,), policy=policy) == NeedsProof((Factor.SMS,))


def test_where_an_app_is_worth_no_more_than_sms_it_protects_nothing_more() -> None:
    policy = load_policy(f'{SMALL}openid = {{ level = "two_factor" }}\n')
    assert ask(PASSWORD, SMS, having=(PHONE, APP), policy=policy) == LATER
