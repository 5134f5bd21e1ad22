"""Whether a person may change what they can prove, on what terms, or what they must prove first. Pure.

The rules themselves are the rows of `transitions`; every flow that changes something executes its row by `permission`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import combinations
from uuid import UUID

from idp.assurance import Proof, is_trusted, lift, weigh, within_reach
from idp.model import Account, AssuranceLevel, AuthenticationEvent, Authenticator, Change, Factor, Swap
from idp.policy.facts import UNMET, UNSURE, Facts, Refuse
from idp.policy.offers import in_order
from idp.policy.table import Policy
from idp.policy.view import is_fresh

FRESH = timedelta(minutes=5)  # for a policy without a row for it
AT_ONCE = timedelta(0)


class Ends(StrEnum):
    """Whose sessions a change ends, with every code and refresh token that was granted there."""

    NOTHING = "nothing"
    OTHERS = "others"  # every other session, and the grants of this one too
    EVERYTHING = "everything"


class Vouched(StrEnum):
    """Who stands for the person beside what they prove."""

    NOBODY = "nobody"
    MAILBOX = "mailbox"  # a link that was sent to their verified address was opened
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class May:
    """Go on, on these terms.

    What is new counts `hold` after its owner was told of it, or at once where that is nothing; what was removed holds
    up what follows it for as long. Strong scopes and changes are `closed` for so long from now. `recovers`: the account
    is frozen no more. `by` says in words what permitted it.
    """

    hold: timedelta = AT_ONCE
    ends: Ends = Ends.NOTHING
    closed: timedelta = AT_ONCE
    recovers: bool = False
    freezes: bool = False
    by: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class NeedsProof:
    """Not before a fresh proof by one of these factors, best first."""

    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule looks at: one person who wants one change. `proofs` are those that count, as their row says.

    `shown` are all proofs there are, whether they count or not. `target` is what the change is about.
    """

    facts: Facts
    policy: Policy
    account: Account
    scope: str
    vouched: Vouched
    target: UUID | None
    shown: tuple[Proof, ...]
    proofs: tuple[Proof, ...] = ()

    @property
    def now(self) -> datetime:
        """The moment of the decision."""
        return self.facts.now

    @property
    def age(self) -> timedelta:
        """How old a proof may be, as the row of the scope says."""
        rule = self.policy.scope_rule(self.scope)
        return FRESH if rule is None or rule.fresh is None else rule.fresh

    @property
    def strong(self) -> frozenset[UUID]:
        """The open authenticators of a strong kind, on hold or not: from then on SMS alone changes nothing."""
        return frozenset(
            each.id
            for each in self.facts.authenticators
            if each.confirmed_at is not None and each.closed_at is None and self.is_strong(each)
        )

    def is_strong(self, authenticator: Authenticator) -> bool:
        """Whether it is of a kind that this policy lets open strong scopes."""
        return self.policy.factors.get(authenticator.factor, AssuranceLevel.NONE) >= AssuranceLevel.STRONG

    def by(self, proof: Proof) -> Authenticator | None:
        """The authenticator that made a proof, if it is still there."""
        made_by = proof.event.authenticator_id
        return next((each for each in self.facts.authenticators if each.id == made_by and each.closed_at is None), None)

    def trusted(self, authenticator: Authenticator, at: datetime) -> bool:
        """Whether it was past its hold at that time; in a frozen account, before it was frozen."""
        frozen = self.account.frozen_at
        return is_trusted(authenticator, at=at if frozen is None else min(at, frozen))

    def is_doubted(self, proof: Proof) -> bool:
        """Whether the code went to a SIM that nobody could say was not changed lately, or that was seen changed since.

        Operators learn of a new SIM some time after it works (threat 9).
        """
        if not self.facts.numbers_checked or proof.event.factor is not Factor.SMS:
            return False
        swapped = {each.id for each in self.facts.authenticators if each.swapped_at is not None}
        return proof.event.swap is not Swap.NOT_SWAPPED or proof.event.authenticator_id in swapped


@dataclass(frozen=True, slots=True)
class Guard:
    """What must be so whatever is proved, in words, and the answer where it is not."""

    said: str
    judge: Callable[[Case], Refuse | None]


@dataclass(frozen=True, slots=True)
class Counts:
    """Which proofs count, in words."""

    said: str
    holds: Callable[[Case, Proof], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to be so for one way, in words."""

    said: str
    holds: Callable[[Case], bool]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to be permitted: all of `when`. What is new or removed is on hold for so many of the policy's `holds`."""

    when: tuple[Condition, ...]
    holds: int = 0
    closes: bool = False

    @property
    def said(self) -> str:
        """The conditions in words."""
        return ", ".join(condition.said for condition in self.when)


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: a change in words, what must be so, which proofs count, the ways best first, and what follows.

    `scope` is the one whose row says how old a proof may be.
    """

    said: str
    ways: tuple[Way, ...]
    guards: tuple[Guard, ...] = ()
    counts: tuple[Counts, ...] = ()
    ends: Ends = Ends.NOTHING
    recovers: bool = False
    freezes: bool = False
    scope: str = "authenticators:write"


def permitted(
    table: Mapping[Change, Transition],
    facts: Facts,
    policy: Policy,
    *,
    change: Change,
    target: UUID | None = None,
    vouched: Vouched = Vouched.NOBODY,
) -> May | NeedsProof | Refuse:
    """Whether the person of `facts` may do this now, by the row of this table.

    `target` is the authenticator to replace or remove. `facts.authenticators` must hold those closed within the hold
    too. Without anybody who vouches a password comes first. In doubt about a SIM (threat 9) a text message is not asked
    for again: something else will do, or the change is refused with `UNSURE`.
    """
    account = facts.account
    if account is None:
        return NeedsProof((Factor.PASSWORD,))
    policy = policy.of(account.groups)
    row = table[change]
    case = Case(facts, policy, account, row.scope, vouched, target, _shown(facts, policy, account, vouched))
    for guard in row.guards:
        if (refuse := guard.judge(case)) is not None:
            return refuse
    if vouched is Vouched.NOBODY and not case.shown:
        return NeedsProof((Factor.PASSWORD,))
    counted = replace(case, proofs=_counting(row, case))
    way = _first(row, counted)
    return _what_would_do(row, counted) if way is None else _terms(row, way, counted)


def _terms(row: Transition, way: Way, case: Case) -> May:
    hold = case.policy.enrolment.hold
    closes = way.closes or (row.recovers and case.account.frozen_at is not None)
    return May(
        hold=way.holds * hold,
        ends=row.ends,
        closed=hold if closes else AT_ONCE,
        recovers=row.recovers,
        freezes=row.freezes,
        by=way.said,
    )


def _shown(facts: Facts, policy: Policy, account: Account, vouched: Vouched) -> tuple[Proof, ...]:
    """What was proved. A second factor counts after a password, or where somebody vouches instead of it."""
    events = facts.events
    first = AuthenticationEvent(Factor.PASSWORD, datetime.min.replace(tzinfo=facts.now.tzinfo), account.id, "")
    proofs = weigh(
        events if vouched is Vouched.NOBODY else (first, *events),
        facts.authenticators,
        account_id=account.id,
        client_id=facts.client.id,
        interaction_id=facts.interaction_id,
        lifts=policy.factors,
    )
    return tuple(proof for proof in proofs if proof.event is not first)


def _counting(row: Transition, case: Case) -> tuple[Proof, ...]:
    return tuple(proof for proof in case.shown if all(each.holds(case, proof) for each in row.counts))


def _first(row: Transition, case: Case) -> Way | None:
    return next((way for way in row.ways if all(each.holds(case) for each in way.when)), None)


def _what_would_do(row: Transition, case: Case) -> NeedsProof | Refuse:
    """The factors that this very row would take: each is tried, as if it were proved now; then any two together."""
    facts = case.facts
    reach = within_reach(
        facts.authenticators, interaction_id=facts.interaction_id, lifts=case.policy.factors, now=case.now
    )
    factors = in_order(reach, facts, case.policy)
    for size in (1, 2):
        found = {each for some in combinations(factors, size) if _would(row, case, some) for each in some}
        if not found:
            continue
        recent = (proof for proof in case.shown if is_fresh(proof.event, case.age, facts))
        in_doubt = any(case.is_doubted(proof) for proof in recent)
        left = tuple(each for each in factors if each in found and not (in_doubt and each is Factor.SMS))
        if left:
            return NeedsProof(left)
        return Refuse(
            UNSURE, "Nobody can tell now whether this phone's SIM was changed", "the SIM check did not answer"
        )
    return Refuse(UNMET, "This change needs a proof that this person cannot give now", f"{len(case.strong)} apps")


def _would(row: Transition, case: Case, factors: Iterable[Factor]) -> bool:
    wanted = set(factors)
    usable = [each for each in case.facts.authenticators if each.factor in wanted and each.remaining != 0]
    made = (_as_if(case, each) for each in usable if each.confirmed_at is not None and each.closed_at is None)
    unchecked = replace(case, facts=replace(case.facts, numbers_checked=False))
    more = tuple(
        proof
        for proof in made
        if proof.level > AssuranceLevel.NONE and all(each.holds(unchecked, proof) for each in row.counts)
    )
    return _first(row, replace(case, proofs=(*case.proofs, *more))) is not None


def _as_if(case: Case, by: Authenticator) -> Proof:
    """The proof that this one would give now."""
    facts, inside = case.facts, case.facts.interaction_id
    event = AuthenticationEvent(by.factor, case.now, case.account.id, facts.client.id, inside, by.id)
    return Proof(event, lift(by.factor, by, at=case.now, lifts=case.policy.factors, proved_in=inside, deciding=inside))
