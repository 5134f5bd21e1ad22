"""The facts, weighed once for all checks: which proofs count, which scopes are at stake, what is due. No decisions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from idp.assurance import Proof, amount_to, is_both, weigh, within_reach
from idp.model import (
    TRAITS,
    Account,
    AssuranceLevel,
    AuthenticationContext,
    AuthenticationEvent,
    Client,
    Factor,
    Prompt,
)
from idp.policy.approvals import dues_of
from idp.policy.details import Due
from idp.policy.facts import Barrier, Facts, Reason, Why
from idp.policy.offers import in_order
from idp.policy.table import ALWAYS, OURS, Policy

OFFLINE = "offline_access"  # OIDC Core 11


@dataclass(frozen=True, slots=True)
class Demand:
    """A level that must be reached and how old its proof may be (None: any age)."""

    level: AssuranceLevel
    reason: Reason
    fresh: timedelta | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What the checks look at.

    `level` is what the counted proofs reach, `best` what this person has reached or could reach right now; `floors` are
    what the server demands whatever the client says. `account` is the person whose proofs may count, `signed_in_here`
    whether that person signed in in this interaction. `scopes` can be granted at all; `ticks` are those of them
    the person must be asked about; `granted` are left after the answer. `told` are the scopes that give what the
    `claims` parameter asks for one by one: the person is asked about those too. `dues` are what the details take.
    """

    facts: Facts
    policy: Policy
    account: Account | None
    signed_in_here: bool
    proofs: tuple[Proof, ...]
    context: AuthenticationContext | None
    reach: Mapping[Factor, AssuranceLevel]
    scopes: tuple[str, ...]
    ticks: tuple[str, ...]
    granted: tuple[str, ...]
    told: tuple[str, ...]
    level: AssuranceLevel
    best: AssuranceLevel
    floors: tuple[Demand, ...]
    dues: tuple[Due, ...] = ()

    @property
    def barrier(self) -> Barrier | None:
        """What lets less count than this person could prove: a group of theirs says which factors do."""
        groups = frozenset[str]() if self.account is None else self.account.groups
        return None if groups.isdisjoint(self.policy.only) else Barrier.GROUP

    def is_met(self, demand: Demand) -> bool:
        """Whether the counted proofs give what is demanded, freshly enough and for this client (promise 4)."""
        if demand.reason.why is Why.APPROVAL and demand.fresh == ALWAYS:
            # RTS on SCA 5: proved on the page that shows what is approved, and so as the last thing there is.
            last = self.facts.events[-1:] if self.facts.approved_here else ()
            return any(
                proof.level >= demand.level and proof.event in last and is_fresh(proof.event, ALWAYS, self.facts)
                for proof in self.proofs
            )
        if demand.fresh is None:
            return self.level >= demand.level
        return any(
            proof.level >= demand.level and is_fresh(proof.event, demand.fresh, self.facts) for proof in self.proofs
        )


def may_be_fresh(event: AuthenticationEvent, facts: Facts) -> bool:
    """Whether this proof counts as fresh while it is young: made for this client, and not by mail."""
    return event.client_id == facts.client.id and TRAITS[event.factor].fresh


def is_fresh(event: AuthenticationEvent, fresh: timedelta, facts: Facts) -> bool:
    """Whether the proof may be fresh and is young enough; with `ALWAYS`, made in this interaction."""
    if not may_be_fresh(event, facts):
        return False
    return _made_here(event, facts) if fresh == ALWAYS else event.at >= facts.now - fresh


def view(facts: Facts, policy: Policy) -> View:
    """Weigh the facts, by the policy as it is for this person."""
    account = facts.account
    policy = policy if account is None else policy.of(account.groups)
    here = account is not None and any(
        (event.factor is Factor.PASSWORD or is_both(event))
        and event.account_id == account.id
        and _made_here(event, facts)
        for event in facts.events
    )
    proofs: tuple[Proof, ...] = ()
    reach: dict[Factor, AssuranceLevel] = {}
    if account is not None:
        proofs = weigh(
            _counted(facts),
            facts.authenticators,
            account_id=account.id,
            client_id=facts.client.id,
            interaction_id=facts.interaction_id,
            lifts=policy.factors,
            closed_until=account.closed_until,
        )
        reach = within_reach(
            facts.authenticators,
            interaction_id=facts.interaction_id,
            lifts=policy.factors,
            now=facts.now,
            mailbox=account.mailbox is not None,
            closed_until=account.closed_until,
        )
        reach = in_order(reach, facts, policy)
    scopes = _grantable(facts, policy, facts.request.scopes)
    told = _told(facts, policy)
    ticks = _ticks(facts, policy, tuple(dict.fromkeys((*scopes, *told))))
    granted = scopes
    if facts.consented_here is not None:
        unticked = set(ticks) - facts.consented_here - {"openid"}
        granted = tuple(scope for scope in scopes if scope not in unticked)
        told = tuple(scope for scope in told if scope not in unticked)
    context = amount_to(proofs, policy.levels)
    level = AssuranceLevel.NONE if context is None else context.level
    dues = dues_of(facts, policy.details)
    return View(
        facts=facts,
        policy=policy,
        account=account,
        signed_in_here=here,
        proofs=proofs,
        context=context,
        reach=reach,
        scopes=scopes,
        ticks=ticks,
        granted=granted,
        told=told,
        level=level,
        best=max((level, *reach.values())),
        floors=tuple(_floors(facts.client, account, granted, level, policy, dues)),
        dues=dues,
    )


_TWO_FACTORS = Demand(AssuranceLevel.TWO_FACTOR, Reason(Why.SIGN_IN))


def _floors(
    client: Client,
    account: Account | None,
    granted: tuple[str, ...],
    reached: AssuranceLevel,
    policy: Policy,
    dues: tuple[Due, ...],
) -> Iterator[Demand]:
    """What the server demands whatever the client says (promises 1 and 2)."""
    yield _TWO_FACTORS
    if account is not None and account.groups:
        floor = policy.floor_of(account.groups)
        if floor > AssuranceLevel.TWO_FACTOR:
            yield Demand(floor, Reason(Why.GROUP_NEEDS_LEVEL, level=floor))
    if client.level > AssuranceLevel.TWO_FACTOR:
        yield Demand(client.level, Reason(Why.CLIENT_NEEDS_LEVEL, level=client.level))
    for each in dues:
        yield Demand(each.level, Reason(Why.APPROVAL, scope=each.type, level=each.level, age=each.fresh), each.fresh)
    for scope in granted:
        rule = policy.scopes[scope]
        if rule.level > AssuranceLevel.TWO_FACTOR or rule.fresh is not None:
            why = Why.SCOPE_NEEDS_LEVEL if reached < rule.level else Why.SCOPE_NEEDS_FRESH
            yield Demand(rule.level, Reason(why, scope=scope, level=rule.level, age=rule.fresh), rule.fresh)


def essential(view: View) -> Iterator[Demand]:
    """The essential `acr` (OIDC Core 5.5.1.1): any one of its values, the least where this person reaches none."""
    values = view.facts.request.claims.essential_acr
    if not values:
        return
    known = (level for acr in values if (level := view.policy.level_of(acr)) is not None)
    least = min(known, default=AssuranceLevel.PHISHING_RESISTANT)
    yield _asked(view, values) or Demand(least, Reason(Why.ACR_ASKED, level=least, acr=values[0]))


def voluntary(view: View) -> Iterator[Demand]:
    """`acr_values` and the voluntary `acr` claim: any one of them, as far as this person can reach one."""
    demand = _asked(view, preferences(view))
    if demand is not None:
        yield demand


def preferences(view: View) -> tuple[str, ...]:
    """The acr values the client would like, most wanted first (OIDC Core 3.1.2.1)."""
    request = view.facts.request
    return request.acr_values + request.claims.voluntary_acr


def _asked(view: View, values: tuple[str, ...]) -> Demand | None:
    """The least of these values this person can reach, since any one will do; the reason names the one aimed at."""
    known = [(acr, level) for acr in values if (level := view.policy.level_of(acr)) is not None]
    reachable = [(acr, level) for acr, level in known if level <= view.best]
    if not reachable:
        return None
    acr, level = reachable[0]
    return Demand(min(level for _, level in reachable), Reason(Why.ACR_ASKED, level=level, acr=acr))


def _made_here(event: AuthenticationEvent, facts: Facts) -> bool:
    return facts.interaction_id is not None and event.interaction_id == facts.interaction_id


def _counted(facts: Facts) -> tuple[AuthenticationEvent, ...]:
    """The events that this request lets count.

    Made in this interaction always counts, however long the person took, so that nothing can loop. `prompt=login` lets
    nothing else count: who asks for a sign-in of its own is not served by one that was made meanwhile for another
    application (OIDC Core 3.1.2.1; `max_age=0` is the same). A larger `max_age` asks how long ago, not for whom.
    """
    request = facts.request
    if Prompt.LOGIN in request.prompts or request.max_age == ALWAYS:
        return tuple(event for event in facts.events if _made_here(event, facts))
    if request.max_age is None:
        return facts.events
    since = facts.now - request.max_age
    return tuple(event for event in facts.events if event.at >= since or _made_here(event, facts))


def _told(facts: Facts, policy: Policy) -> tuple[str, ...]:
    """The scopes that give the claims asked for one by one. What needs more than signing in is given by scope alone."""
    # OIDC Core 5.5: a claim asked for by name is no less the person's than one asked for by scope
    plain = (scope for scope in facts.request.claims.scopes if policy.is_plain_scope(scope))
    return _grantable(facts, policy, plain)


def _grantable(facts: Facts, policy: Policy, asked: Iterable[str]) -> tuple[str, ...]:
    """The scopes at stake, each once: known to the policy, of this client, and open to it."""
    kept = []
    for scope in dict.fromkeys(asked):
        rule = policy.scopes.get(scope)
        if rule is None or not rule.people or scope not in facts.client.scopes:
            continue
        if rule.internal and not (facts.internal or facts.guards):
            continue
        if scope.startswith(OURS) and facts.account is not None and policy.role_of(facts.account.groups) is None:
            continue
        if scope == OFFLINE and not may_go_offline(facts.client):
            continue
        kept.append(scope)
    return tuple(kept)


def may_go_offline(client: Client) -> bool:
    """Whether offline_access means anything for this client.

    OIDC Core 11 lets other conditions stand for prompt=consent: here the operator registered the client for it. The
    person is asked all the same, once, unless the client is the operator's own.
    """
    return "refresh_token" in client.grant_types


def _ticks(facts: Facts, policy: Policy, scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes a person has to be asked about: all of them, the new ones, or the fresh ones (each time)."""
    if facts.internal or facts.guards:
        return ()
    if Prompt.CONSENT in facts.request.prompts:
        return scopes
    known = frozenset(scopes) if facts.client.first_party else facts.consented
    return tuple(scope for scope in scopes if scope not in known or policy.is_fresh_scope(scope))


def agreed_by_proving(view: View) -> tuple[str, ...]:
    """The fresh scopes of a first-party client that are agreed to on the page of the proof, which names them all.

    Nobody is asked twice for what they were told: a page for consent follows only where there is more to agree to.
    """
    facts = view.facts
    asked = facts.consented_here is not None or Prompt.CONSENT in facts.request.prompts
    if facts.internal or facts.guards or not facts.client.first_party or asked:
        return ()
    return tuple(scope for scope in view.granted if view.policy.is_fresh_scope(scope))
