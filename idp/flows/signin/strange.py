"""A browser that a person never signed in from: they are told of it, and the sign-in goes on."""

from datetime import datetime

from idp import limits
from idp.flows.delivery.notices import telling
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.flows.signin.authorize import Show
from idp.model import Factor, Notice
from idp.store.signin.proofs import NewBrowser


def browser(idp: Idp, show: Show, visitor: Visitor, *, now: datetime) -> NewBrowser | None:
    """What is told of a second factor that is the first in a browser which this person never signed in from."""
    account = show.facts.account
    assert account is not None
    if show.loaded.device is not None:
        return None
    if any(event.account_id == account.id and event.factor is not Factor.PASSWORD for event in show.loaded.events):
        return None
    locale = message_language(idp, visitor, account, ui_locales=show.interaction.request.ui_locales)
    often = idp.limits.browser_notices
    told = telling(idp, account, Notice.NEW_BROWSER, locale=locale, now=now)
    return NewBrowser(told, often, limits.subject(often, account.id))
