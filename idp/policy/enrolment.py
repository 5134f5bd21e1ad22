"""Who may add, replace or remove an authenticator, and when a new one begins to count (threats 1, 2, 8 and 9)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from idp.assurance import Proof, is_trusted, weigh, within_reach
from idp.model import AssuranceLevel, Authenticator, Change, Factor, Swap
from idp.policy.facts import UNMET, UNSURE, Facts, Refuse, shut
from idp.policy.offers import in_order
from idp.policy.table import Policy
from idp.policy.view import is_fresh

SCOPE = "authenticators:write"
FRESH = timedelta(minutes=5)  # for a policy without a row for it
AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class MayEnrol:
    """Go on; the new one counts `hold` after its owner was told of it, or at once where that is nothing.

    With `ends_others` all other sessions and refresh tokens end.
    """

    hold: timedelta
    ends_others: bool


@dataclass(frozen=True, slots=True)
class MayRemove:
    """Go on; all other sessions and refresh tokens end."""


@dataclass(frozen=True, slots=True)
class NeedsProof:
    """Not before a fresh proof by one of these factors, best first."""

    factors: tuple[Factor, ...]


def enrolment(
    facts: Facts,
    policy: Policy,
    *,
    change: Change = Change.ADD,
    target: UUID | None = None,
    ticket: bool = False,
) -> MayEnrol | MayRemove | NeedsProof | Refuse:
    """Whether the person of `facts` (a session on the account pages) may do this now.

    One rule for an app, a phone and a set of recovery codes: what could later help to enrol an app must not be had for
    less. `target` is the authenticator to replace or remove; `ticket`: an operator vouches. `facts.authenticators` must
    hold those closed within the hold too. Proofs count that were made on the account pages and are as fresh as the
    scope `authenticators:write` says; a text message only while nobody doubts the SIM it went to (threat 9). In doubt
    it is not asked for again: something else will do, or the change is refused with `UNSURE`.
    """
    account = facts.account
    if account is None:
        return NeedsProof((Factor.PASSWORD,))
    if account.disabled:
        return Refuse("access_denied", "This account cannot sign in", f"account {account.id} is disabled")
    if ticket:
        return _may(change, AT_ONCE)
    if (refuse := shut(account, facts.now)) is not None:
        return refuse
    proofs = weigh(
        facts.events,
        facts.authenticators,
        account_id=account.id,
        client_id=facts.client.id,
        interaction_id=facts.interaction_id,
        lifts=policy.factors,
    )
    if not proofs:
        return NeedsProof((Factor.PASSWORD,))
    recent = [proof for proof in proofs if is_fresh(proof.event, _age(policy), facts)]
    fresh = [proof for proof in recent if not _is_doubted(proof, facts)]
    strong = frozenset(authenticator.id for authenticator in facts.authenticators if _is_strong(authenticator, policy))
    shown = [proof for proof in fresh if _by(proof, facts, strong=strong, target=target)]
    if shown:
        trusted = any(proof.level >= AssuranceLevel.STRONG for proof in shown) or _all_three(fresh, facts, policy)
        return _may(change, AT_ONCE if trusted else policy.enrolment.hold)
    return _what_would_do(facts, policy, strong=strong, target=target, in_doubt=len(fresh) < len(recent))


def _is_doubted(proof: Proof, facts: Facts) -> bool:
    """Whether the code went to a SIM that nobody could say was not changed lately, or that was seen changed since.

    Operators learn of a new SIM some time after it works.
    """
    if not facts.numbers_checked or proof.event.factor is not Factor.SMS:
        return False
    swapped = {each.id for each in facts.authenticators if each.swapped_at is not None}
    return proof.event.swap is not Swap.NOT_SWAPPED or proof.event.authenticator_id in swapped


def _may(change: Change, hold: timedelta) -> MayEnrol | MayRemove:
    if change is Change.REMOVE:
        return MayRemove()
    return MayEnrol(hold, ends_others=change is Change.REPLACE)


def _age(policy: Policy) -> timedelta:
    rule = policy.scope_rule(SCOPE)
    return FRESH if rule is None or rule.fresh is None else rule.fresh


def _is_strong(authenticator: Authenticator, policy: Policy) -> bool:
    """Whether this is an open app, on hold or not: from then on SMS alone changes nothing (threats 1 and 2)."""
    gives = policy.factors.get(authenticator.factor, AssuranceLevel.NONE)
    return authenticator.confirmed_at is not None and authenticator.closed_at is None and gives >= AssuranceLevel.STRONG


def _is_enough(authenticator: Authenticator, *, at: datetime, strong: frozenset[UUID], target: UUID | None) -> bool:
    """Whether a proof by this authenticator, made at `at`, permits the change.

    Any second factor while there is no app. Then a saved recovery code, a trusted app, or an app on hold for anything
    but another app.
    """
    if not strong:
        return True
    if authenticator.factor is Factor.RECOVERY:
        return is_trusted(authenticator, at=at)
    if authenticator.id not in strong:
        return False
    return is_trusted(authenticator, at=at) or target not in strong or authenticator.id == target


def _by(proof: Proof, facts: Facts, *, strong: frozenset[UUID], target: UUID | None) -> bool:
    """Whether the proof was made by an authenticator that is still there, and is enough.

    An e-mail address is no authenticator: a code sent there permits no change, however few other ways there are.
    """
    return any(
        authenticator.closed_at is None and _is_enough(authenticator, at=proof.event.at, strong=strong, target=target)
        for authenticator in facts.authenticators
        if authenticator.id == proof.event.authenticator_id
    )


def _all_three(fresh: list[Proof], facts: Facts, policy: Policy) -> bool:
    """Whether password, a trusted phone and a saved recovery code were all proved, with no app to be got round.

    One that was there lately counts as there: removing it with a recovery code must not end the hold that follows.
    """
    lately = any(
        policy.factors.get(authenticator.factor, AssuranceLevel.NONE) >= AssuranceLevel.STRONG
        and (authenticator.closed_at is None or _follows(authenticator, authenticator.closed_at, facts, policy))
        for authenticator in facts.authenticators
    )
    if lately:
        return False
    there = {authenticator.id: authenticator for authenticator in facts.authenticators}
    proved = set()
    for event in (proof.event for proof in fresh):
        by = None if event.authenticator_id is None else there.get(event.authenticator_id)
        if event.factor is Factor.PASSWORD or (by is not None and is_trusted(by, at=event.at)):
            proved.add(event.factor)
    return {Factor.PASSWORD, Factor.SMS, Factor.RECOVERY} <= proved


def _follows(removed: Authenticator, closed_at: datetime, facts: Facts, policy: Policy) -> bool:
    """Whether a removed one still holds up what follows it: for the hold, and that from when its owner was told."""
    told = removed.trusted_at is not None and removed.trusted_at <= facts.now
    return closed_at > facts.now - policy.enrolment.hold or not told


def _what_would_do(
    facts: Facts, policy: Policy, *, strong: frozenset[UUID], target: UUID | None, in_doubt: bool
) -> NeedsProof | Refuse:
    reach = within_reach(
        [each for each in facts.authenticators if _is_enough(each, at=facts.now, strong=strong, target=target)],
        interaction_id=facts.interaction_id,
        lifts=policy.factors,
        now=facts.now,
    )
    reach = in_order(reach, facts.authenticators, policy)
    factors = tuple(factor for factor in reach if not (in_doubt and factor is Factor.SMS))
    if reach and not factors:
        return Refuse(
            UNSURE, "Nobody can tell now whether this phone's SIM was changed", "the SIM check did not answer"
        )
    if not factors:
        return Refuse(UNMET, "This change needs a proof that this person cannot give now", f"{len(strong)} apps")
    return NeedsProof(factors)
