"""A new password without the old one, after a link in the mailbox: the request that asks for no password. Pure."""

from idp.model import AssuranceLevel, AuthenticationContext, Change
from idp.policy.changes import May, NeedsProof, Vouched
from idp.policy.facts import Answer, Ask, Facts, Kind, Proceed, Reason, Refuse, Why
from idp.policy.inviting import invited
from idp.policy.table import Policy
from idp.policy.transitions import TRANSITIONS, permission
from idp.policy.view import View


def resetting(facts: Facts, policy: Policy) -> May | Ask | Refuse:
    """Whether the person of `facts`, whose mailbox a link proved, may choose another password now, and on what terms.

    `facts` are those of a session that the link opened: nobody else is anybody there.
    """
    if facts.account is None:
        return Refuse("login_required", "No link was opened here", "no session that a link opened")
    change = Change.RESET_PASSWORD
    match permission(facts, policy, change=change, vouched=Vouched.MAILBOX):
        case NeedsProof(factors):
            reason = Reason(Why.SCOPE_NEEDS_FRESH, scope=TRANSITIONS[change].scope)
            return Ask(Kind.SECOND_FACTOR, reason, factors=factors)
        case otherwise:
            return otherwise


def password_is_own(view: View) -> Ask | None:
    """The check for a password that an operator gave: known to two, it opens nothing before the person chose another.

    It is about the account and not about a session, so no session gets round it.
    """
    if view.account is None or view.account.password_until is None:
        return None
    return Ask(Kind.NEW_PASSWORD, Reason(Why.TEMPORARY_PASSWORD))


def by_link(facts: Facts, policy: Policy) -> Answer | None:
    """The answer to what our own pages ask in a session that a link opened; None for every other request."""
    if not facts.internal:
        return None
    if facts.request.change is Change.RESET_PASSWORD:
        return answered(facts, policy)
    return None if facts.invited_at is None else invited(facts, policy)


def answered(facts: Facts, policy: Policy) -> Answer:
    """The same as `decide` says it. It is our own page that goes on, and nobody is signed in to it."""
    match resetting(facts, policy):
        case May():
            return Proceed(AuthenticationContext(AssuranceLevel.ONE_FACTOR, "", (), facts.now), ())
        case otherwise:
            return otherwise
