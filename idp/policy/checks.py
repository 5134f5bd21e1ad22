"""The rules, one small function each, in the order in which they are asked. `decide` is the first answer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from idp.assurance import amount_to
from idp.model import NEVER_FRESH, AssuranceLevel, Factor, Prompt
from idp.policy.agreeing import (
    consent_is_given,
    details_are_approved,
    details_fit,
    nothing_fresh_in_silence,
    something_is_granted,
)
from idp.policy.changes import NeedsProof
from idp.policy.facts import UNMET, Answer, Ask, Facts, Kind, Missing, Proceed, Reason, Refuse, Why, shut
from idp.policy.grants import is_for
from idp.policy.reasons import because
from idp.policy.resetting import by_link, password_is_own
from idp.policy.table import Policy
from idp.policy.transitions import TRANSITIONS, permission
from idp.policy.view import (
    Demand,
    View,
    agreed_by_proving,
    essential,
    may_be_fresh,
    preferences,
    view,
    voluntary,
)


class Check(NamedTuple):
    """One rule: its name, what is true when it has nothing to say, and the rule itself."""

    name: str
    passes: str
    judge: Callable[[View], Ask | Refuse | None]


def _client_is_enabled(view: View) -> Refuse | None:
    if view.facts.client.disabled:
        return Refuse("unauthorized_client", "This client is disabled", f"client {view.facts.client.id} is disabled")
    return None


def _some_scope_is_known(view: View) -> Refuse | None:
    if not view.scopes and view.facts.request.details is None:
        asked = " ".join(view.facts.request.scopes)
        return Refuse("invalid_scope", "None of these scopes can be granted", f"asked for: {asked}")
    return None


def _essential_acr_exists(view: View) -> Refuse | None:
    # OIDC Core 5.5.1.1: an essential acr that cannot be met is a failed authentication. Nobody could: do not ask.
    values = view.facts.request.claims.essential_acr
    most = view.policy.most
    levels = [view.policy.level_of(acr) for acr in values]
    if values and not any(level is not None and level <= most for level in levels):
        return Refuse(UNMET, "None of the essential acr values can be reached here", f"asked for: {' '.join(values)}")
    return None


def _is_the_right_person(view: View) -> Ask | Refuse | None:
    # OIDC Core 3.1.2.2 (4): never an answer about another person, even one with an active session.
    request = view.facts.request
    wanted = {subject for subject in (request.hint_subject, request.claims.subject) if subject is not None}
    if len(wanted) > 1:
        return Refuse("login_required", "Two different subjects are asked for", "id_token_hint and claims.sub differ")
    if view.account is None or not wanted or str(view.account.id) in wanted:
        return None
    if view.signed_in_here:
        return Refuse(
            "login_required", "Another person signed in", f"account {view.account.id} is not the one asked for"
        )
    return _password(Why.OTHER_PERSON)


def _account_is_enabled(view: View) -> Ask | Refuse | None:
    if view.account is None or not view.account.disabled:
        return None
    if view.signed_in_here:
        return Refuse("access_denied", "This account cannot sign in", f"account {view.account.id} is disabled")
    return _password(Why.SIGN_IN)


def _account_is_chosen(view: View) -> Ask | None:
    facts = view.facts
    if Prompt.SELECT_ACCOUNT not in facts.request.prompts or facts.account_chosen or view.signed_in_here:
        return None
    if view.account is None:
        return None  # typing a name is choosing
    return Ask(Kind.SELECT_ACCOUNT, Reason(Why.CLIENT_ASKED_CHOICE))


def _password_is_proved(view: View) -> Ask | None:
    if view.context is not None:
        return None
    request = view.facts.request
    signed_in = view.account is not None and any(event.account_id == view.account.id for event in view.facts.events)
    if signed_in and Prompt.LOGIN in request.prompts:
        return _password(Why.CLIENT_ASKED_LOGIN)
    if signed_in and request.max_age is not None:
        return _password(Why.MAX_AGE, age=request.max_age)
    return _password(Why.SIGN_IN)


def _client_is_for_this_person(view: View) -> Ask | None:
    # Only somebody who is known by two factors is told that this application is not for them (promise 1).
    if view.account is None or view.level < AssuranceLevel.TWO_FACTOR or is_for(view.facts.client, view.account.groups):
        return None
    return Ask(Kind.SELECT_ACCOUNT, Reason(Why.NOT_IN_GROUP))


def _level_is_within_reach(view: View) -> Refuse | None:
    # No loop and no enrolment inside this request: what cannot be proved now is refused now (design 5).
    for demand in (*view.floors, *essential(view)):
        if demand.level > view.best:
            closed = None if view.account is None else shut(view.account, view.facts.now)
            if closed is not None and demand.level > AssuranceLevel.TWO_FACTOR:
                return closed
            return Refuse(
                UNMET,
                "This person cannot be authenticated as strongly as this request needs",
                f"{because(demand.reason)}; within reach is {view.best.name.lower()}{_until_told(view, demand.level)}",
                retry_at=(later := _trusted_later(view, demand.level)),
                barrier=view.barrier,
                missing=Missing.ON_HOLD if later or _until_told(view, demand.level) else Missing.NO_AUTHENTICATOR,
            )
    return None


def _change_is_permitted(view: View) -> Ask | Refuse | None:
    # Threats 1 and 2: which proof lets a person change how they sign in depends on what they have, not on a level.
    request = view.facts.request
    if not view.facts.internal or request.change is None:
        return None
    scope = TRANSITIONS[request.change].scope
    match permission(view.facts, view.policy, change=request.change, target=request.target):
        case NeedsProof(factors):
            return Ask(Kind.SECOND_FACTOR, Reason(Why.SCOPE_NEEDS_FRESH, scope=scope), factors=factors)
        case Refuse() as refuse:
            return refuse
        case _:
            return None


def _level_is_proved(view: View) -> Ask | Refuse | None:
    unmet = [demand for demand in _due(view) if not view.is_met(demand)]
    if not unmet:
        return None
    highest = max(demand.level for demand in unmet)
    reason = next(demand.reason for demand in unmet if demand.level == highest)
    # Promise 3: only what gives the level that is due is offered, so that SMS is not even there beside TOTP.
    alone = view.facts.request.details is not None  # RTS on SCA 5: the code is good for these details alone
    never = NEVER_FRESH if alone or any(demand.fresh is not None for demand in unmet) else frozenset()
    factors = tuple(factor for factor, level in view.reach.items() if level >= highest and factor not in never)
    if any(demand.reason.level is not None and demand.reason.level > highest for demand in unmet):
        # The client would rather have more than it must: what gives more comes first (OIDC Core 3.1.2.1).
        factors = tuple(sorted(factors, key=lambda factor: -view.reach[factor]))
    if not factors:
        return Refuse(
            UNMET, "This person cannot prove this again now", f"{because(reason)}; no factor is left to ask for"
        )
    scopes = agreed_by_proving(view) if view.facts.request.details is None else view.ticks
    return Ask(Kind.SECOND_FACTOR, reason, factors=factors, scopes=scopes)


CHECKS = (
    Check("client", "the client is enabled", _client_is_enabled),
    Check("scopes", "some scope asked for can be granted", _some_scope_is_known),
    Check("details", "no details, or those that this client may ask for", details_fit),
    Check("essential acr", "no essential acr, or one that can be reached here", _essential_acr_exists),
    Check("person", "nobody else is asked for", _is_the_right_person),
    Check("account", "the account may sign in", _account_is_enabled),
    Check("choice", "no choice of account is asked for, or it was made", _account_is_chosen),
    Check("password", "the password was proved", _password_is_proved),
    Check("group", "the client is for everybody, or for a group of this person", _client_is_for_this_person),
    Check("reach", "everything due can be proved by this person", _level_is_within_reach),
    Check("change", "no change of authenticators is asked for, or what it takes was proved", _change_is_permitted),
    Check("level", "everything due was proved", _level_is_proved),
    Check("own password", "the password is not one that an operator gave for once", password_is_own),
    Check("silence", "nothing has to be asked each time, or asking is allowed", nothing_fresh_in_silence),
    Check("approval", "no details, or they were approved here", details_are_approved),
    Check("consent", "no consent is needed, or it was answered", consent_is_given),
    Check("rest", "some scope is left", something_is_granted),
)


def decide(facts: Facts, policy: Policy) -> Answer:
    """What to do next with an authorization request. Depends on nothing else, so it may be asked again at any time.

    `Proceed` only with two factors, every granted scope's level and age proved, and consent. With `prompt=none` never
    an `Ask`. After a truthful answer to an `Ask`, the same facts are never asked for again.
    """
    if (answer := by_link(facts, policy)) is not None:
        return answer
    seen = view(facts, policy)
    for check in CHECKS:
        answer = check.judge(seen)
        if answer is not None:
            return settled(seen, answer)
    return proceed(seen)


def settled(view: View, answer: Ask | Refuse) -> Ask | Refuse:
    """The answer as it may be given: with `prompt=none` a question becomes its error (OIDC Core 3.1.2.6)."""
    if isinstance(answer, Refuse) or Prompt.NONE not in view.facts.request.prompts:
        return answer
    match answer.kind:
        case _ if answer.reason.why is Why.NOT_IN_GROUP:
            return not_for_this_person(view.facts)
        case Kind.CONSENT:
            error = "consent_required"
        case Kind.APPROVAL:
            error = "interaction_required"
        case Kind.SELECT_ACCOUNT:
            error = "account_selection_required"
        case Kind.SECOND_FACTOR | Kind.NEW_PASSWORD if view.level >= AssuranceLevel.TWO_FACTOR:
            error = "interaction_required"
        case _:
            error = "login_required"
    return Refuse(error, "This request needs the person, and prompt=none forbids asking", because(answer.reason))


def not_for_this_person(facts: Facts) -> Refuse:
    """What the client hears when the person goes back from the page that says so, or when no page may be shown."""
    groups = " ".join(sorted(facts.client.groups))
    return Refuse("access_denied", "This person is in no group that may use this application", f"it is for: {groups}")


def proceed(view: View) -> Proceed:
    """The answer when no check objects."""
    context = view.context
    assert context is not None
    told = amount_to(view.proofs, view.policy.levels, asserted=_asserted(view, context.level))
    assert told is not None
    fresh = (
        proof.event.at
        for proof in view.proofs
        if proof.level >= AssuranceLevel.TWO_FACTOR and may_be_fresh(proof.event, view.facts)
    )
    return Proceed(replace(told, fresh_at=max(fresh, default=None)), view.granted, view.told, view.dues)


def _asserted(view: View, reached: AssuranceLevel) -> AssuranceLevel:
    """The level whose acr the tokens carry: the first value asked for that is satisfied, else the level reached.

    An essential request must be answered with one of its values (OIDC Core 5.5.1.1). A voluntary one below what the
    server demands is not: whoever checks the tokens of a transfer looks for the level of transfers.
    """
    for acr in view.facts.request.claims.essential_acr:
        level = view.policy.level_of(acr)
        if level is not None and level <= reached:
            return level
    due = max(demand.level for demand in view.floors)
    for acr in preferences(view):
        level = view.policy.level_of(acr)
        if level is not None and due <= level <= reached:
            return level
    return reached


def _due(view: View) -> tuple[Demand, ...]:
    return (*view.floors, *essential(view), *voluntary(view))


def _password(why: Why, *, age: timedelta | None = None) -> Ask:
    return Ask(Kind.PASSWORD, Reason(why, age=age), factors=(Factor.PASSWORD,))


def _until_told(view: View, level: AssuranceLevel) -> str:
    """For the log and the operator: one would do, if its owner could be told of it (design 5)."""
    waits = any(
        authenticator.closed_at is None
        and authenticator.trusted_at is None
        and view.policy.factors.get(authenticator.factor, AssuranceLevel.NONE) >= level
        for authenticator in view.facts.authenticators
    )
    return "; one waits until its owner could be told of it" if waits else ""


def _trusted_later(view: View, level: AssuranceLevel) -> datetime | None:
    """When an authenticator that is on hold now will give this level; None if none will or nobody was told."""
    later = [
        authenticator.trusted_at
        for authenticator in view.facts.authenticators
        if authenticator.closed_at is None
        and authenticator.trusted_at is not None
        and authenticator.trusted_at > view.facts.now
        and view.policy.factors.get(authenticator.factor, AssuranceLevel.NONE) >= level
    ]
    return min(later, default=None)
