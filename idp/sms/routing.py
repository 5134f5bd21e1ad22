"""Which gateway a message goes to next, and whether to go on after an answer. Pure: no clock, database or network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from idp.sms import Outcome, Reason, Sent

MOST_TRIES = 3
MOST_SPENT = 2  # tries that may have reached the phone
RETRY_AFTER = (timedelta(seconds=2), timedelta(seconds=10))  # by the same gateway, after its first and second try
FAILS_OVER = frozenset({Reason.UNROUTABLE, Reason.BLOCKED})  # another gateway may reach the number
SUPPRESSES = frozenset({Reason.INVALID_NUMBER, Reason.OPTED_OUT})
AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Tried:
    """One try of a message. No outcome: its sender did not live to tell, so it may have been sent."""

    gateway: str
    outcome: Outcome | None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """Send by this gateway; with `probe` only after becoming the one who tries it again."""

    gateway: str
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """Every gateway that could do it is left alone for so long."""

    wait: timedelta


@dataclass(frozen=True, slots=True)
class Over:
    """No further try."""


def over(order: Sequence[str], tries: Sequence[Tried]) -> bool:
    """Whether there is no further try: it was sent or refused, or three were made, or two that may have arrived."""
    return not _candidates(order, tries)


def choose(order: Sequence[str], tries: Sequence[Tried], closed: Mapping[str, timedelta]) -> Use | Later | Over:
    """The first gateway of the order that was not tried yet, else the one tried least.

    `closed` are those with an open breaker, and how long until they may be probed.
    """
    candidates = _candidates(order, tries)
    if not candidates:
        return Over()
    ready = [name for name in candidates if closed.get(name, AT_ONCE) <= AT_ONCE]
    if not ready:
        return Later(min(closed[name] for name in candidates))
    chosen = min(ready, key=lambda name: (_times(name, tries), candidates.index(name)))
    return Use(chosen, probe=chosen in closed)


def pause(sent: Sent, order: Sequence[str], tries: Sequence[Tried], closed: Mapping[str, timedelta]) -> timedelta:
    """How long to wait before the next try: not at all when it goes to another gateway."""
    match choose(order, tries, closed):
        case Use(gateway) if _times(gateway, tries) == 0:
            return AT_ONCE
        case Use(gateway):
            usual = RETRY_AFTER[min(_times(gateway, tries), len(RETRY_AFTER)) - 1]
            return max(usual, sent.retry_after or usual)
        case Later(wait):
            return wait
        case Over():
            return AT_ONCE
        case never:
            assert_never(never)


def _candidates(order: Sequence[str], tries: Sequence[Tried]) -> list[str]:
    spent = sum(each.outcome in {Outcome.AMBIGUOUS, None} for each in tries)
    done = any(
        each.outcome is Outcome.ACCEPTED or (each.outcome is Outcome.REJECTED and each.reason not in FAILS_OVER)
        for each in tries
    )
    if done or spent >= MOST_SPENT or len(tries) >= MOST_TRIES:
        return []
    out = {each.gateway for each in tries if each.outcome in {Outcome.REJECTED, Outcome.MISCONFIGURED}}
    return [name for name in order if name not in out]


def _times(gateway: str, tries: Sequence[Tried]) -> int:
    return sum(each.gateway == gateway for each in tries)
