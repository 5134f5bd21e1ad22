"""Why something is asked, for what and of whom, in the words of the pages."""

from idp.flows.idp import INTERNAL
from idp.flows.signin.authorize import Show
from idp.flows.signin.choices import optional
from idp.policy import Policy, Why
from idp.web import pages
from idp.web.pages import Purpose, ScopeLine, Who

AGAIN = {Why.CLIENT_ASKED_LOGIN, Why.MAX_AGE}


def purpose_of(show: Show, policy: Policy) -> Purpose:
    """Why this is asked, in the words of the pages."""
    internal = show.client.id == INTERNAL
    name = None if internal else show.client.name
    reason = show.ask.reason
    if internal and reason.why in {Why.SCOPE_NEEDS_LEVEL, Why.SCOPE_NEEDS_FRESH}:
        return Purpose(why=pages.Why.ACCOUNT)
    if reason.scope is not None and reason.why in {Why.SCOPE_NEEDS_LEVEL, Why.SCOPE_NEEDS_FRESH}:
        if reason.scope == "openid":
            return Purpose(why=pages.Why.SIGN_IN, client_name=name)
        return Purpose(why=pages.Why.SCOPE, client_name=name, scopes=(scope_line(reason.scope, policy),))
    if reason.why in AGAIN:
        return Purpose(why=pages.Why.AGAIN, client_name=name)
    return Purpose(why=pages.Why.SIGN_IN, client_name=name)


def scope_line(scope: str, policy: Policy, *, new: bool = False) -> ScopeLine:
    """A scope as pages say it."""
    return ScopeLine(name=scope, sensitive=policy.is_fresh_scope(scope), optional=optional(policy, scope), new=new)


def who_of(show: Show, here: str) -> Who | None:
    """Whose password was right, and the way out for everybody else."""
    person = show.facts.account
    return None if person is None else Who(person.username, f"{here}/account")
