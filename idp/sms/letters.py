"""What mails with a link say: what it does, for how long, and what to do if it was not you."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from idp.catalogue import mark
from idp.formats import lasting
from idp.model.links import LinkFor

Translate = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail: its subject, what stands before the link, and after it. `{brand}`, `{user}` and `{span}` are filled."""

    subject: str
    before: tuple[str, ...]
    after: tuple[str, ...]


LETTERS: Mapping[str, Letter] = MappingProxyType(
    {
        LinkFor.RESET: Letter(
            mark("Choose a new password for {brand}"),
            (
                mark("Somebody asked for a new password for your {brand} account “{user}”."),
                mark("If it was you, open this link and press the button there. It works once, for {span}:"),
            ),
            (
                mark(
                    "The link alone changes nothing: we will also ask for your authenticator app, your phone or a "
                    "recovery code."
                ),
                mark("Not you? Then do nothing. Your password stays as it is, and nobody was let in."),
            ),
        ),
        LinkFor.REGISTER: Letter(
            mark("Your new {brand} account"),
            (
                mark("Somebody, perhaps you, wants to make a {brand} account with this email address."),
                mark("If it was you, open this link and set it up. It works once, for {span}:"),
            ),
            (mark("Not you? Then do nothing: there will be no account."),),
        ),
        LinkFor.INVITE: Letter(
            mark("Set up your {brand} account"),
            (
                mark("You were invited to {brand}. Your username is “{user}”."),
                mark("Open this link to choose a password and how you sign in. It works once, for {span}:"),
            ),
            (
                mark("Whoever has this link can set up the account: do not pass it on."),
                mark("You do not know what this is? Then do nothing."),
            ),
        ),
        LinkFor.VERIFY_EMAIL: Letter(
            mark("Is this your email address for {brand}?"),
            (
                mark("Somebody gave this address for their {brand} account."),
                mark("If it was you, open this link and press the button there. It works once, for {span}:"),
            ),
            (mark("Not you? Then do nothing. We will not write to this address any more."),),
        ),
    }
)


def link_mail(
    purpose: LinkFor,
    *,
    link: str,
    brand: str,
    ttl: timedelta,
    username: str,
    translate: Translate = str,
    locale: str = "en",
) -> str:
    """The text of the mail that carries a link; the link is a line of its own."""
    values = {"brand": brand, "user": username, "span": lasting(ttl, locale)}
    letter = LETTERS[purpose]
    before, after = ([_filled(translate(line), values) for line in part] for part in (letter.before, letter.after))
    return "\n\n".join((*before, link, *after))


def link_subject(purpose: LinkFor, *, brand: str, translate: Translate = str) -> str:
    """What stands above it."""
    return _filled(translate(LETTERS[purpose].subject), {"brand": brand})


def _filled(sentence: str, values: Mapping[str, str]) -> str:
    # Not str.format: a translation with a stray brace must not fail or reach anything.
    for name, value in values.items():
        sentence = sentence.replace(f"{{{name}}}", " ".join(value.split()))
    return sentence
