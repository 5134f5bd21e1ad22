"""Why something is asked, for what and of whom, in the words of the pages."""

from dataclasses import replace

from idp.flows.idp import CONSOLE, OURS
from idp.flows.people.forgotten import LOST_PATH
from idp.flows.signin.authorize import Show
from idp.flows.signin.choices import optional
from idp.policy import Kind, Policy, Why
from idp.web import pages
from idp.web.approvals import approval_of
from idp.web.pages import Purpose, ScopeLine, Who

AGAIN = {Why.CLIENT_ASKED_LOGIN, Why.MAX_AGE}


def purpose_of(show: Show, policy: Policy, here: str) -> Purpose:
    """Why this is asked, in the words of the pages."""
    purpose = _purpose(show, policy, here)
    return purpose if show.client.logo is None else replace(purpose, logo=show.client.logo)


def _purpose(show: Show, policy: Policy, here: str) -> Purpose:
    internal = show.client.id in OURS
    name = None if internal else show.client.name
    reason, scopes = show.ask.reason, tuple(scope_line(each, policy) for each in show.ask.scopes)
    details = show.interaction.request.details
    if details is not None and show.ask.kind in {Kind.SECOND_FACTOR, Kind.APPROVAL}:
        approval = approval_of(details, policy, here, scopes=scopes)
        return Purpose(why=pages.Why.APPROVAL, client_name=name, approval=approval)
    if internal and reason.why in {Why.SCOPE_NEEDS_LEVEL, Why.SCOPE_NEEDS_FRESH}:
        return Purpose(why=pages.Why.ACCOUNT)
    if scopes and show.ask.kind is Kind.SECOND_FACTOR:
        # Who proves it agrees to all of them by that: no page follows that would name them.
        return Purpose(why=pages.Why.SCOPE, client_name=name, scopes=scopes)
    if reason.scope is not None and reason.why in {Why.SCOPE_NEEDS_LEVEL, Why.SCOPE_NEEDS_FRESH}:
        if reason.scope == "openid":
            return Purpose(why=pages.Why.SIGN_IN, client_name=name)
        return Purpose(why=pages.Why.SCOPE, client_name=name, scopes=(scope_line(reason.scope, policy),))
    if reason.why in AGAIN:
        return Purpose(why=pages.Why.AGAIN, client_name=name)
    if show.client.id == CONSOLE:
        return Purpose(why=pages.Why.CONSOLE)
    return Purpose(why=pages.Why.SIGN_IN, client_name=name)


def scope_line(scope: str, policy: Policy, *, new: bool = False) -> ScopeLine:
    """A scope as pages say it."""
    rule = policy.scope_rule(scope)
    return ScopeLine(
        name=scope,
        title=None if rule is None else rule.text,
        sensitive=policy.is_fresh_scope(scope),
        within=None if rule is None else rule.fresh or None,
        optional=optional(policy, scope),
        new=new,
    )


def who_of(show: Show, here: str) -> Who | None:
    """Whose password was right, and the way out for everybody else."""
    person = show.facts.account
    return None if person is None else Who(person.username, f"{here}/account", here.partition("/i/")[0] + LOST_PATH)
