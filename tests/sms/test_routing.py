"""Which gateway comes next: three tries in all, two that may have arrived, and the order that the operator gave."""

from datetime import timedelta
from itertools import product

import pytest

from idp.sms import Outcome, Reason, Sent
from idp.sms.routing import FAILS_OVER, Later, Over, Tried, Use, choose, over, pause

BOTH = ("first", "second")
NOT_SENT, AMBIGUOUS = Tried("first", Outcome.NOT_SENT), Tried("first", Outcome.AMBIGUOUS)
KILLED = Tried("first", None)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("order", "tries", "chosen"),
    [
        pytest.param(BOTH, [], Use("first"), id="the first to begin with"),
        pytest.param(BOTH, [NOT_SENT], Use("second"), id="another after one that was not reached"),
        pytest.param(BOTH, [AMBIGUOUS], Use("second"), id="another after one that may have sent it"),
        pytest.param(BOTH, [KILLED], Use("second"), id="another after a sender that died"),
        pytest.param(("first",), [NOT_SENT], Use("first"), id="the same where there is no other"),
        pytest.param(("first",), [AMBIGUOUS], Use("first"), id="once more where it may have been sent"),
        pytest.param(("first",), [AMBIGUOUS, AMBIGUOUS], Over(), id="not a third that may have been sent"),
        pytest.param(BOTH, [KILLED, Tried("second", None)], Over(), id="not after two dead senders"),
        pytest.param(BOTH, [NOT_SENT, Tried("second", Outcome.NOT_SENT)], Use("first"), id="around again"),
        pytest.param(("first",), [NOT_SENT] * 3, Over(), id="three tries"),
        pytest.param(BOTH, [Tried("first", Outcome.MISCONFIGURED)], Use("second"), id="another where we are refused"),
        pytest.param(("first",), [Tried("first", Outcome.MISCONFIGURED)], Over(), id="nobody where we are refused"),
        pytest.param(BOTH, [Tried("first", Outcome.ACCEPTED)], Over(), id="nothing after it was sent"),
        pytest.param((), [], Over(), id="no gateway at all"),
    ],
)
def test_the_next_gateway(order: tuple[str, ...], tries: list[Tried], chosen: Use | Over) -> None:
    assert choose(order, tries, {}) == chosen
    assert over(order, tries) is isinstance(chosen, Over)


@pytest.mark.parametrize("reason", [*Reason, None])
def test_a_refusal_is_final_unless_another_gateway_may_reach_the_number(reason: Reason | None) -> None:
    refused = [Tried("first", Outcome.REJECTED, reason)]
    goes_on = reason in {Reason.UNROUTABLE, Reason.BLOCKED}
    assert choose(BOTH, refused, {}) == (Use("second") if goes_on else Over())
    assert over(("first",), refused)
    assert Reason.FRAUD_BLOCKED not in FAILS_OVER


def test_a_gateway_that_is_left_alone_is_passed_by_and_probed_when_its_time_has_come() -> None:
    assert choose(BOTH, [], {"first": HOUR}) == Use("second")
    assert choose(BOTH, [], {"first": timedelta(0)}) == Use("first", probe=True)
    assert choose(BOTH, [], {"first": HOUR, "second": timedelta(minutes=1)}) == Later(timedelta(minutes=1))
    assert choose(BOTH, [NOT_SENT], {"second": HOUR}) == Use("first")
    assert choose(BOTH, [AMBIGUOUS, AMBIGUOUS], {"first": HOUR}) == Over()


def test_the_next_try_comes_at_once_elsewhere_and_after_a_pause_here() -> None:
    failed = Sent(Outcome.NOT_SENT)
    assert pause(failed, BOTH, [NOT_SENT], {}) == timedelta(0)
    assert pause(failed, ("first",), [NOT_SENT], {}) == timedelta(seconds=2)
    assert pause(failed, ("first",), [NOT_SENT, NOT_SENT], {}) == timedelta(seconds=10)
    throttled = Sent(Outcome.NOT_SENT, retry_after=timedelta(seconds=7))
    assert pause(throttled, ("first",), [NOT_SENT], {}) == timedelta(seconds=7)
    assert pause(failed, BOTH, [NOT_SENT], {"second": HOUR}) == timedelta(seconds=2)
    assert pause(failed, ("first",), [NOT_SENT], {"first": HOUR}) == HOUR


def test_no_series_of_answers_leads_to_more_than_three_calls_or_two_that_may_have_arrived() -> None:
    answers = [None, *((outcome, None) for outcome in Outcome), *((Outcome.REJECTED, reason) for reason in FAILS_OVER)]
    for order in (("a",), ("a", "b"), ("a", "b", "c", "d")):
        for series in product(answers, repeat=4):
            tries: list[Tried] = []
            for answer in series:
                chosen = choose(order, tries, {})
                if isinstance(chosen, Over):
                    break
                assert isinstance(chosen, Use)
                tries.append(Tried(chosen.gateway, *(answer or (None, None))))
            assert len(tries) <= 3
            assert sum(each.outcome in {None, Outcome.AMBIGUOUS} for each in tries) <= 2
            refused = [each.gateway for each in tries if each.outcome in {Outcome.REJECTED, Outcome.MISCONFIGURED}]
            assert len(refused) == len(set(refused))
