"""Which language a page and a message speak, and a message's sentences in it. What the choice is made from is given.

What the person chose on a page wins in that browser. Else come what the client asked for (`ui_locales`), the language
of the person, once a password was right, and what the browser says of itself. Who is not known changes nothing.
"""

from collections.abc import Callable, Sequence

from idp.catalogue import choose_language, translations
from idp.flows.idp import Idp, Visitor
from idp.model import Account


def page_language(idp: Idp, visitor: Visitor, *, ui_locales: Sequence[str] = (), person: Account | None = None) -> str:
    """The shipped language for a page. `person` is somebody whose password was right in this browser, or None."""
    own = [visitor.locale] if visitor.locale else []
    if visitor.chose_language:
        return choose_language(own, overrides=idp.settings.templates)
    of_person = [person.locale] if person is not None and person.locale else []
    # OIDC Core 3.1.2.1: ui_locales is in order of preference
    return choose_language([*ui_locales, *of_person, *own], overrides=idp.settings.templates)


def message_language(idp: Idp, visitor: Visitor, person: Account, *, ui_locales: Sequence[str] = ()) -> str:
    """The shipped language for a message to this person: their own, else that of the page that asked for it."""
    page = page_language(idp, visitor, ui_locales=ui_locales)
    return choose_language([person.locale, page] if person.locale else [page], overrides=idp.settings.templates)


def sentences(idp: Idp, locale: str | None) -> tuple[str, Callable[[str], str]]:
    """The shipped language for a stored locale, and the gettext function that translates messages into it."""
    language = choose_language([locale] if locale else [], overrides=idp.settings.templates)
    return language, translations(language, idp.settings.templates).gettext
