"""Which way to prove a second factor comes first on the page, and whether its message leaves unasked. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from idp.model import SENT, STRONG, TRAITS, AssuranceLevel, Authenticator, AuthorizationRequest, Factor, Prompt
from idp.policy.table import ALWAYS, Policy


def serves_signing_in(request: AuthorizationRequest, policy: Policy) -> bool:
    """Whether a second factor for this request counts for others like it, and for nothing more than signing in.

    Not where the client asks for a sign-in of its own, nor where the proof of a sensitive scope is at stake.
    """
    alone = Prompt.LOGIN in request.prompts or request.max_age == ALWAYS
    return not alone and not any(policy.is_fresh_scope(scope) for scope in request.scopes)


def in_order(
    reach: Mapping[Factor, AssuranceLevel], authenticators: Iterable[Authenticator], policy: Policy
) -> dict[Factor, AssuranceLevel]:
    """What is within reach, as a page offers it to who has an app: what they used last, then the app, then the rest.

    A passkey is first wherever there is one: nothing else stops a copy of the page. A saved code is never first while
    there is anything else: each works only once.
    """
    strong = [factor for factor in reach if TRAITS[factor].strong]
    if policy.challenge.message_at_once or not strong:
        return dict(reach)
    used: dict[Factor, datetime] = {}
    for each in authenticators:
        lasting = each.factor in reach and not TRAITS[each.factor].once
        if lasting and each.closed_at is None and each.last_used_at:
            used[each.factor] = max(each.last_used_at, used.get(each.factor, each.last_used_at))
    first = max(used, key=lambda factor: used[factor], default=strong[0])
    if Factor.PASSKEY in strong:
        first = Factor.PASSKEY
    return {factor: reach[factor] for factor in dict.fromkeys((first, *strong, *reach))}


def unasked(offered: Sequence[Factor], policy: Policy) -> Factor | None:
    """The factor whose message leaves before the person asks for it; None for who has something better.

    A message costs money, comes late, and tells whoever holds the phone that somebody knows the password.
    """
    first = offered[0] if offered else None
    return first if first in SENT and (policy.challenge.message_at_once or STRONG.isdisjoint(offered)) else None
