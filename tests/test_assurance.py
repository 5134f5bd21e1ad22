"""What proofs amount to: the order, the level, the words of RFC 8176, and the enrolment hole."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from idp.assurance import amount_to, context_of, is_trusted, weigh, within_reach
from idp.model import AssuranceLevel, AuthenticationContext, AuthenticationEvent, Authenticator, Factor

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = T0 - timedelta(days=90)
ANNA, BERT = uuid4(), uuid4()
HERE, EARLIER = uuid4(), uuid4()
LIFTS = {
    Factor.SMS: AssuranceLevel.TWO_FACTOR,
    Factor.RECOVERY: AssuranceLevel.TWO_FACTOR,
    Factor.TOTP: AssuranceLevel.STRONG,
}
ACRS = {AssuranceLevel.TWO_FACTOR: "two", AssuranceLevel.STRONG: "strong"}


def an_authenticator(factor: Factor, **changes: object) -> Authenticator:
    made = Authenticator(
        id=uuid4(),
        account_id=ANNA,
        factor=factor,
        label=factor,
        hint="",
        created_at=LONG_AGO,
        trusted_at=LONG_AGO,
        confirmed_at=LONG_AGO,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # mypy cannot know the fields


PHONE = an_authenticator(Factor.SMS)
APP = an_authenticator(Factor.TOTP)
PAPER = an_authenticator(Factor.RECOVERY, remaining=3)


def proof(
    factor: Factor,
    seconds: float,
    by: Authenticator | None = None,
    *,
    who: UUID = ANNA,
    client: str = "bank",
    inside: UUID | None = EARLIER,
) -> AuthenticationEvent:
    return AuthenticationEvent(factor, T0 + timedelta(seconds=seconds), who, client, inside, by.id if by else None)


PASSWORD = proof(Factor.PASSWORD, 0)


def amount(*events: AuthenticationEvent, having: tuple[Authenticator, ...]) -> AuthenticationContext | None:
    return context_of(events, having, account_id=ANNA, client_id="bank", interaction_id=HERE, lifts=LIFTS, acrs=ACRS)


def test_no_proof_is_no_context() -> None:
    assert amount(having=(PHONE, APP)) is None


def test_a_password_alone_is_one_factor_and_has_no_acr() -> None:
    context = amount(PASSWORD, having=(PHONE,))
    assert context == AuthenticationContext(AssuranceLevel.ONE_FACTOR, "", ("pwd",), T0, proofs=(PASSWORD,))


@pytest.mark.parametrize(
    ("second", "level", "acr", "amr"),
    [
        pytest.param(PHONE, AssuranceLevel.TWO_FACTOR, "two", ("pwd", "sms", "mfa"), id="sms"),
        pytest.param(PAPER, AssuranceLevel.TWO_FACTOR, "two", ("pwd", "mfa"), id="recovery"),
        pytest.param(APP, AssuranceLevel.STRONG, "strong", ("pwd", "otp", "mfa"), id="totp"),
    ],
)
def test_a_second_factor_lifts_the_session(
    second: Authenticator, level: AssuranceLevel, acr: str, amr: tuple[str, ...]
) -> None:
    event = proof(second.factor, 7, second)
    context = amount(event, PASSWORD, having=(PHONE, APP, PAPER))
    strong_at = event.at if level is AssuranceLevel.STRONG else None
    assert context == AuthenticationContext(level, acr, amr, PASSWORD.at, strong_at, proofs=(PASSWORD, event))


def test_amr_names_the_two_proofs_that_count_and_no_third() -> None:
    context = amount(PASSWORD, proof(Factor.TOTP, 5, APP), proof(Factor.SMS, 9, PHONE), having=(PHONE, APP))
    assert context is not None
    assert context.amr == ("pwd", "otp", "mfa")


TWO, STRONG = AssuranceLevel.TWO_FACTOR, AssuranceLevel.STRONG


@pytest.mark.parametrize(
    ("events", "asserted", "seconds", "amr"),
    [
        pytest.param(
            (PASSWORD, proof(Factor.SMS, 9, PHONE), proof(Factor.TOTP, 3600, APP)),
            STRONG,
            0,
            ("pwd", "otp", "mfa"),
            id="a step-up keeps the password's time",
        ),
        pytest.param(
            (PASSWORD, proof(Factor.TOTP, 5, APP), proof(Factor.PASSWORD, 72_000)),
            STRONG,
            5,
            ("pwd", "otp", "mfa"),
            id="a password typed later makes the app no younger",
        ),
        pytest.param(
            (PASSWORD, proof(Factor.TOTP, 5, APP), proof(Factor.PASSWORD, 72_000, client="notes")),
            STRONG,
            5,
            ("pwd", "otp", "mfa"),
            id="nor one typed for another client",
        ),
        pytest.param(
            (PASSWORD, proof(Factor.TOTP, 5, APP), proof(Factor.PASSWORD, 1800), proof(Factor.SMS, 1830, PHONE)),
            STRONG,
            5,
            ("pwd", "otp", "mfa"),
            id="nor a text message after it",
        ),
        pytest.param(
            (PASSWORD, proof(Factor.TOTP, 5, APP), proof(Factor.PASSWORD, 1800), proof(Factor.SMS, 1830, PHONE)),
            TWO,
            1800,
            ("pwd", "sms", "mfa"),
            id="but less was proved later",
        ),
        pytest.param(
            (PASSWORD, proof(Factor.TOTP, 5, APP), proof(Factor.TOTP, 60, APP), proof(Factor.SMS, 90, PHONE)),
            STRONG,
            0,
            ("pwd", "otp", "mfa"),
            id="the last password, the last app",
        ),
    ],
)
def test_auth_time_is_the_older_of_the_two_proofs_that_give_what_is_asserted(
    events: tuple[AuthenticationEvent, ...], asserted: AssuranceLevel, seconds: float, amr: tuple[str, ...]
) -> None:
    proofs = weigh(events, (PHONE, APP), account_id=ANNA, client_id="bank", interaction_id=HERE, lifts=LIFTS)
    context = amount_to(proofs, ACRS, asserted=asserted)
    assert context is not None
    assert (context.level, context.acr) == (STRONG, ACRS[asserted])
    assert context.auth_time == T0 + timedelta(seconds=seconds)
    assert context.amr == amr
    assert context.strong_at == max(event.at for event in events if event.factor is Factor.TOTP)


def test_a_second_factor_before_the_password_does_not_count() -> None:
    context = amount(proof(Factor.TOTP, -1, APP), PASSWORD, having=(APP,))
    assert context is not None
    assert context.level is AssuranceLevel.ONE_FACTOR
    assert amount(proof(Factor.TOTP, -1, APP), having=(APP,)) is None


def test_another_persons_proof_does_not_count() -> None:
    context = amount(PASSWORD, proof(Factor.TOTP, 5, APP, who=BERT), having=(APP,))
    assert context is not None
    assert context.level is AssuranceLevel.ONE_FACTOR
    assert amount(proof(Factor.PASSWORD, 0, who=BERT), having=(APP,)) is None


def test_a_factor_the_policy_does_not_name_gives_nothing() -> None:
    proofs = weigh(
        [PASSWORD, proof(Factor.SMS, 5, PHONE)],
        [PHONE],
        account_id=ANNA,
        client_id="bank",
        interaction_id=HERE,
        lifts={Factor.TOTP: AssuranceLevel.STRONG},
    )
    assert [kept.event.factor for kept in proofs] == [Factor.PASSWORD]


WEAKENED = [
    pytest.param(replace(APP, trusted_at=T0 + timedelta(seconds=6)), id="trusted a second too late"),
    pytest.param(replace(APP, closed_at=T0 + timedelta(days=1)), id="closed since"),
    pytest.param(replace(APP, confirmed_at=None), id="never confirmed"),
    pytest.param(replace(APP, enrolled_in=EARLIER), id="enrolled in the interaction of the proof"),
    pytest.param(replace(APP, id=uuid4()), id="gone"),
]


@pytest.mark.parametrize("app", WEAKENED)
def test_an_app_that_is_not_trusted_counts_as_two_factor(app: Authenticator) -> None:
    context = amount(PASSWORD, proof(Factor.TOTP, 5, APP), having=(app,))
    assert context is not None
    assert (context.level, context.strong_at) == (AssuranceLevel.TWO_FACTOR, None)
    # Whoever looks for `otp` must not take it for the app that the level does not count.
    assert context.amr == ("pwd", "mfa")


def test_a_proof_that_names_no_authenticator_is_never_strong() -> None:
    context = amount(PASSWORD, proof(Factor.TOTP, 5, None), having=(APP,))
    assert context is not None
    assert context.level is AssuranceLevel.TWO_FACTOR


def test_an_app_is_strong_from_the_very_moment_it_is_trusted() -> None:
    context = amount(PASSWORD, proof(Factor.TOTP, 5, APP), having=(replace(APP, trusted_at=T0 + timedelta(seconds=5)),))
    assert context is not None
    assert context.level is AssuranceLevel.STRONG


@pytest.mark.parametrize("made_in", [HERE, EARLIER])
@pytest.mark.parametrize("device", [APP, PHONE])
def test_an_authenticator_enrolled_in_this_interaction_gives_it_nothing(device: Authenticator, made_in: UUID) -> None:
    event = proof(device.factor, 5, device, inside=made_in)
    context = amount(PASSWORD, event, having=(replace(device, enrolled_in=HERE),))
    assert context is not None
    assert context.level is AssuranceLevel.ONE_FACTOR


def test_an_authenticator_enrolled_in_some_other_interaction_is_strong_once_trusted() -> None:
    context = amount(PASSWORD, proof(Factor.TOTP, 5, APP), having=(replace(APP, enrolled_in=uuid4()),))
    assert context is not None
    assert context.level is AssuranceLevel.STRONG


def test_having_no_interaction_is_not_the_same_as_enrolled_in_none() -> None:
    context = context_of(
        [PASSWORD, proof(Factor.TOTP, 5, APP, inside=None)],
        [APP],
        account_id=ANNA,
        client_id="bank",
        interaction_id=None,
        lifts=LIFTS,
        acrs=ACRS,
    )
    assert context is not None
    assert context.level is AssuranceLevel.STRONG


def test_what_another_client_earned_is_shared_as_a_sign_in_but_not_as_a_step_up() -> None:
    context = amount(PASSWORD, proof(Factor.TOTP, 5, APP, client="notes"), having=(APP,))
    assert context is not None
    assert (context.level, context.acr, context.strong_at) == (AssuranceLevel.TWO_FACTOR, "two", None)
    assert context.amr == ("pwd", "mfa")


def reach(*having: Authenticator) -> list[tuple[Factor, AssuranceLevel]]:
    return list(within_reach(having, interaction_id=HERE, lifts=LIFTS, now=T0).items())


def test_what_is_within_reach_is_told_in_one_order() -> None:
    assert reach(PAPER, PHONE, APP) == [
        (Factor.SMS, AssuranceLevel.TWO_FACTOR),
        (Factor.TOTP, AssuranceLevel.STRONG),
        (Factor.RECOVERY, AssuranceLevel.TWO_FACTOR),
    ]


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(replace(PHONE, closed_at=LONG_AGO), id="closed"),
        pytest.param(replace(PHONE, confirmed_at=None), id="unconfirmed"),
        pytest.param(replace(PHONE, enrolled_in=HERE), id="enrolled here"),
        pytest.param(replace(PAPER, remaining=0), id="no codes left"),
    ],
)
def test_what_cannot_be_used_is_not_within_reach(gone: Authenticator) -> None:
    assert reach(gone) == []


def test_an_app_on_hold_is_within_reach_as_two_factor_and_a_trusted_one_beside_it_wins() -> None:
    held = replace(APP, id=uuid4(), trusted_at=T0 + timedelta(seconds=1))
    assert reach(held) == [(Factor.TOTP, AssuranceLevel.TWO_FACTOR)]
    assert reach(held, APP) == reach(APP, held) == [(Factor.TOTP, AssuranceLevel.STRONG)]


def test_trust_needs_confirmation_an_open_authenticator_and_the_end_of_the_hold() -> None:
    assert is_trusted(APP, at=T0)
    assert is_trusted(APP, at=LONG_AGO)
    assert not is_trusted(APP, at=LONG_AGO - timedelta(microseconds=1))
    assert not is_trusted(replace(APP, closed_at=T0), at=T0)
    assert not is_trusted(replace(APP, confirmed_at=None), at=T0)
