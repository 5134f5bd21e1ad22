"""One decision in plain words, for `idp policy check` and for the log. Not the pages' sentences."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from idp.model import Client
from idp.policy.checks import CHECKS, proceed, settled
from idp.policy.facts import Answer, Ask, Facts, Proceed, Refuse
from idp.policy.reasons import because
from idp.policy.table import Policy
from idp.policy.view import OFFLINE, may_go_offline, view


@dataclass(frozen=True, slots=True)
class Line:
    """What one check found. The last line, `answer`, is the decision itself."""

    check: str
    found: str


def explain(facts: Facts, policy: Policy) -> list[Line]:
    """Every check up to the one that answered, and the answer. Always the decision that `decide` makes."""
    seen = view(facts, policy)
    lines: list[Line] = []
    for check in CHECKS:
        answer = check.judge(seen)
        if answer is not None:
            final = settled(seen, answer)
            lines.append(Line(check.name, in_words(answer)))
            return [*lines, Line("answer", in_words(final))]
        lines.append(Line(check.name, check.passes))
    return [*lines, Line("answer", in_words(proceed(seen)))]


def left_out(policy: Policy, client: Client, scopes: Iterable[str]) -> dict[str, str]:
    """Which of these scopes this client can get from nobody, and why (RFC 6749 3.3)."""
    why = ((scope, _why_left_out(policy, client, scope)) for scope in scopes)
    return {scope: reason for scope, reason in why if reason is not None}


def _why_left_out(policy: Policy, client: Client, scope: str) -> str | None:
    rule = policy.scope_rule(scope)
    if rule is None:
        return "the policy has no such scope"
    if scope in policy.places:
        return None if scope in client.scopes else "it is a row of a site, which asks for it by itself"
    if rule.internal:
        return "only our own account pages ask for it"
    if scope not in client.scopes:
        return f"{client.name} is not registered for it"
    if not rule.people:
        itself = f": {client.name} gets it by client_credentials" if "client_credentials" in client.grant_types else ""
        return f"it is for machines only, and no person can grant it{itself}"
    if scope == OFFLINE and not may_go_offline(client):
        return "refresh_token is not among its grant types"
    return None


def in_words(answer: Answer) -> str:
    """The answer as one sentence for an operator."""
    match answer:
        case Proceed(context=context, scopes=scopes):
            amr = "+".join(context.amr)
            return f"proceed: {' '.join(scopes)} as {context.acr} ({amr})"
        case Ask(kind=kind, reason=reason, factors=factors, scopes=scopes):
            offered = f" by {' or '.join(factors)}" if factors else ""
            shown = f" for {' '.join(scopes)}" if scopes else ""
            return f"ask for {kind}{offered}{shown}, because {because(reason)}"
        case Refuse(error=error, description=description, detail=detail, retry_at=retry_at):
            later = "" if retry_at is None else f"; possible from {retry_at.isoformat()}"
            return f"refuse with {error}: {description} ({detail}){later}"
        case _:  # pragma: no cover - for the type checker
            assert_never(answer)
