"""What a session may do that an invitation opened: set an account up that nobody has used yet. Pure."""

from idp.model import AssuranceLevel, AuthenticationContext, Authenticator, Change, Factor
from idp.policy.facts import Answer, Ask, Facts, Kind, Proceed, Reason, Refuse, Why
from idp.policy.offers import in_order
from idp.policy.table import Policy

SCOPE = "authenticators:write"
OPENS = frozenset({None, Change.ADD_APP, Change.ADD_PHONE, Change.RENEW_CODES})


def invited(facts: Facts, policy: Policy) -> Answer:
    """Go on, for who was given nothing but the link; whoever was given a phone or an app proves that first.

    An operator vouches for who has the link, so what is added is trusted at once. It is our own pages that go on, and
    nobody is signed in to anything.
    """
    account, request = facts.account, facts.request
    asks_more = request.change is None and set(request.scopes) > {"openid"}
    if account is None or account.disabled or asks_more or request.change not in OPENS:
        return Refuse("access_denied", "An invitation does not open this", f"change {request.change}")
    given = [each for each in facts.authenticators if _is_given(each, facts, policy)]
    proved = {event.authenticator_id for event in facts.events}
    if given and not any(each.id in proved for each in given):
        offered = in_order({each.factor: policy.factors[each.factor] for each in given}, facts, policy)
        return Ask(Kind.SECOND_FACTOR, Reason(Why.SCOPE_NEEDS_FRESH, scope=SCOPE), factors=tuple(offered))
    return Proceed(AuthenticationContext(AssuranceLevel.ONE_FACTOR, "", (), facts.now), request.scopes)


def _is_given(each: Authenticator, facts: Facts, policy: Policy) -> bool:
    """Whether the operator gave it: it was there before the link was opened."""
    assert facts.invited_at is not None
    before = each.confirmed_at is not None and each.confirmed_at <= facts.invited_at
    return before and each.closed_at is None and each.factor in policy.factors and each.factor is not Factor.RECOVERY
