"""Which way to prove a second factor comes first on the page, and whether its message leaves unasked. Pure."""

from collections.abc import Mapping, Sequence

from idp.model import SENT, STRONG, TRAITS, AssuranceLevel, AuthorizationRequest, Factor, Prompt
from idp.policy.facts import Facts
from idp.policy.table import ALWAYS, Policy


def serves_signing_in(request: AuthorizationRequest, policy: Policy) -> bool:
    """Whether a second factor for this request counts for others like it, and for nothing more than signing in.

    Not where the client asks for a sign-in of its own, nor where the proof of a sensitive scope or an
    approval is at stake.
    """
    alone = Prompt.LOGIN in request.prompts or request.max_age == ALWAYS or request.details is not None
    return not alone and not any(policy.is_fresh_scope(scope) for scope in request.scopes)


def in_order(reach: Mapping[Factor, AssuranceLevel], facts: Facts, policy: Policy) -> dict[Factor, AssuranceLevel]:
    """What is within reach, the right one first: what the person prefers, else what they used last in this browser.

    Else the strongest. The others follow, the strong ones before the rest. A saved code is never first while there is
    anything else: each works only once. Where messages leave at once, or there is nothing strong, the order is that of
    the factors themselves but for what is preferred or was used here.
    """
    account, at_once = facts.account, policy.challenge.message_at_once
    wanted = (None if account is None else account.prefers, None if at_once else facts.used_here)
    first = [each for each in wanted if each is not None and each in reach and not TRAITS[each].once][:1]
    strong = [] if at_once else sorted((each for each in reach if TRAITS[each].strong), key=lambda each: -reach[each])
    return {factor: reach[factor] for factor in dict.fromkeys((*first, *strong, *reach))}


def unasked(offered: Sequence[Factor], policy: Policy) -> Factor | None:
    """The factor whose message leaves before the person asks for it; None for who has something better.

    A message costs money, comes late, and tells whoever holds the phone that somebody knows the password.
    """
    first = offered[0] if offered else None
    return first if first in SENT and (policy.challenge.message_at_once or STRONG.isdisjoint(offered)) else None
