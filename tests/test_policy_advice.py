"""What protects a person, and what they are told to do next: over all combinations, nothing that is not there."""

from datetime import UTC, datetime, timedelta
from itertools import chain, combinations, product
from uuid import UUID

import pytest

from idp.model import SECOND, AssuranceLevel, Authenticator, Factor
from idp.policy.advice import FEW_CODES, Guard, Step, guard, next_step

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
ID = UUID(int=1)
FACTORS = (Factor.SMS, Factor.TOTP, Factor.RECOVERY)


def having(factor: Factor, *, trusted: bool = True, left: int | None = None) -> Authenticator:
    since = NOW - timedelta(days=9)
    at = since if trusted else NOW + timedelta(hours=9)
    return Authenticator(ID, ID, factor, "", "", since, at, confirmed_at=since, remaining=left)


SETS = [
    [having(each, left=8 if each is Factor.RECOVERY else None) for each in some]
    for some in chain.from_iterable(combinations(FACTORS, size) for size in range(len(FACTORS) + 1))
]


def test_a_step_is_one_that_this_person_can_take_here() -> None:
    for held, offered, closed, add, renew, passkeys in product(
        SETS,
        (SECOND, (Factor.SMS,), (Factor.SMS, Factor.TOTP), (Factor.SMS, Factor.RECOVERY)),
        (frozenset(), frozenset({Factor.TOTP}), frozenset({Factor.SMS})),
        (True, False),
        (True, False),
        (True, False),
    ):
        step = next_step(
            held,
            offered=dict.fromkeys(offered, AssuranceLevel.STRONG),
            closed=closed,
            may_add=add,
            may_renew=renew,
            passkeys=passkeys,
        )
        if step is Step.ADD_PASSKEY:
            assert add
            assert passkeys
        if step is Step.ADD_APP:
            assert add
            assert Factor.TOTP in offered
            assert Factor.TOTP not in {each.factor for each in held}
        if step in {Step.GET_CODES, Step.MORE_CODES}:
            assert renew
            assert Factor.RECOVERY in offered


@pytest.mark.parametrize(
    ("held", "mailbox", "what"),
    [
        pytest.param([having(Factor.SMS), having(Factor.TOTP)], True, Guard.APP, id="an app"),
        pytest.param([having(Factor.SMS), having(Factor.TOTP, trusted=False)], True, Guard.WAITING, id="on hold"),
        pytest.param([having(Factor.SMS), having(Factor.RECOVERY, left=1)], True, Guard.PHONE, id="a phone"),
        pytest.param([having(Factor.RECOVERY, left=1)], True, Guard.MAIL, id="an address"),
        pytest.param([having(Factor.RECOVERY, left=1)], False, Guard.CODES, id="saved codes"),
    ],
)
def test_the_best_lock_is_named(held: list[Authenticator], mailbox: bool, what: Guard) -> None:
    assert guard(held, mailbox=mailbox, closed=frozenset(), now=NOW) is what


@pytest.mark.parametrize(
    ("held", "step"),
    [
        pytest.param([having(Factor.SMS)], Step.ADD_APP, id="a phone alone"),
        pytest.param([having(Factor.TOTP)], Step.GET_CODES, id="no codes"),
        pytest.param([having(Factor.TOTP), having(Factor.RECOVERY, left=FEW_CODES)], Step.MORE_CODES, id="few codes"),
        pytest.param([having(Factor.TOTP), having(Factor.RECOVERY, left=FEW_CODES + 1)], None, id="all is well"),
    ],
)
def test_the_most_worthwhile_step_is_told(held: list[Authenticator], step: Step | None) -> None:
    offered = dict.fromkeys(SECOND, AssuranceLevel.STRONG)
    assert next_step(held, offered=offered, closed=frozenset(), may_add=True, may_renew=True) is step
    closed = next_step(held, offered=offered, closed=frozenset({Factor.TOTP}), may_add=True, may_renew=True)
    assert closed is (step if step is Step.ADD_APP else Step.UNLOCK)


def test_a_passkey_is_better_than_an_app_and_comes_after_codes_for_who_has_one() -> None:
    def step(*held: Authenticator) -> Step | None:
        return next_step(held, offered=SECOND, closed=frozenset(), may_add=True, may_renew=True, passkeys=True)

    paper, key = having(Factor.RECOVERY, left=9), having(Factor.PASSKEY)
    assert step(having(Factor.SMS)) is Step.ADD_PASSKEY
    assert step(having(Factor.TOTP)) is Step.GET_CODES
    assert step(having(Factor.TOTP), paper) is Step.ADD_PASSKEY
    assert step(key, paper) is None
    assert guard([key, having(Factor.TOTP)], mailbox=False, closed=frozenset(), now=NOW) is Guard.PASSKEY
