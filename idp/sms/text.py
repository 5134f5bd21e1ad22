"""What messages say. Sentences go through the gettext function given; no sentence holds a link.

A code's text starts with the code and ends with the origin-bound line, by which browsers fill it in on our site only.
Every text fits one GSM-7 part whatever brand or payee is set: accents that GSM-7 lacks are left out ("codigo"), and a
translation that still does not fit falls back to shorter ones. Notices, which carry no code, are in `notices`.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from idp.formats import in_minutes

Translate = Callable[[str], str]

ONE_PART = 160
_PAYEE = 22
BRAND = 22
# GSM 03.38 6.2.1: the basic table, and the extension characters that take an escape and so count two.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("^{}[]~|€\\")
# Typographic quotes, as each language opens and closes them, and dashes, which GSM-7 lacks.
_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    | {"\u2026": "..", "\u2013": "-", "\u2014": "-"}
)


def gsm7_septets(text: str) -> int | None:
    """How many of a part's 160 septets a text takes, or None when it needs UCS-2 (70 characters a part)."""
    if not all(character in _BASIC or character in _EXTENSION for character in text):
        return None
    return len(text) + sum(character in _EXTENSION for character in text)


def parts(text: str) -> int:
    """How many parts a text is sent in, and paid for. 160 septets or 70 UTF-16 units make one; of several, less."""
    septets = gsm7_septets(text)
    units, whole, each = (len(text.encode("utf-16-le")) // 2, 70, 67) if septets is None else (septets, ONE_PART, 153)
    return 1 if units <= whole else -(-units // each)


def code_text(
    *, code: str, brand: str, host: str, ttl: timedelta, translate: Translate = str, locale: str = "en"
) -> str:
    """The message that carries a code for signing in or confirming a phone. `host` is the issuer's, without a port.

    `translate` gives the sentences of `locale`, in which the time is written.
    """
    _ = translate
    return _first_that_fits(
        code,
        host,
        (
            _("{code} is your {brand} code. It expires in {span}. Never share it; we will not ask for it."),
            _("{code} is your {brand} code. Never share it."),
        ),
        {"brand": harmless(brand, BRAND), "span": in_minutes(ttl, locale)},
    )


def code_mail(*, code: str, brand: str, ttl: timedelta, translate: Translate = str, locale: str = "en") -> str:
    """The e-mail that carries a code for signing in: the code first, who asks for it, and what to do about it."""
    _ = translate
    values = {"code": code, "brand": harmless(brand, BRAND), "span": in_minutes(ttl, locale)}
    first = fill(_("{code} is your {brand} code. It expires in {span}."), values)
    paragraphs = (
        # A translator may move the code; people and mail programs look for it at the start.
        first if first.startswith(code) else f"{code}\n\n{first}",
        fill(_("{brand} sends it because somebody is signing in to your account with your password."), values),
        _("Not you? Do not use the code, change your password and tell us."),
        fill(_("Never share the code. {brand} will not call, text or email to ask for it."), values),
    )
    return "\n\n".join(paragraphs)


def code_subject(*, brand: str, translate: Translate = str) -> str:
    """What stands above an e-mail with a code, without the code."""
    _ = translate
    return fill(_("Your {brand} code"), {"brand": harmless(brand, BRAND)})


def approval_text(*, code: str, amount: str, payee: str, brand: str, host: str, translate: Translate = str) -> str:
    """The message whose code approves one payment. `amount` is as `formats.money` writes it in the person's language.

    The payee's name is somebody else's text, and is cleaned and cut.
    """
    _ = translate
    return _first_that_fits(
        code,
        host,
        (
            _("{code} approves {amount} to {payee} at {brand}. Not you? Do not enter it."),
            _("{code} approves {amount} to {payee}. Not you? Do not enter it."),
            _("{code} approves {amount} to {payee}."),
        ),
        {"brand": harmless(brand, BRAND), "payee": harmless(payee, _PAYEE), "amount": harmless(amount, _PAYEE)},
    )


def other_approval_text(*, code: str, what: str, brand: str, host: str, translate: Translate = str) -> str:
    """The message whose code approves one thing that is no payment to anybody: `what` is said of it on its page too."""
    _ = translate
    return _first_that_fits(
        code,
        host,
        (
            _("{code} approves this at {brand}: {what}. Not you? Do not enter it."),
            _("{code} approves this: {what}. Not you? Do not enter it."),
        ),
        {"brand": harmless(brand, BRAND), "what": harmless(what, 2 * _PAYEE)},
    )


def _first_that_fits(code: str, host: str, sentences: tuple[str, ...], values: dict[str, str]) -> str:
    # Origin-bound one-time codes: the last line is exactly this, after an empty one, without a newline behind it.
    bound = f"\n\n@{host} #{code}"
    for text in _texts(code, sentences, values):
        if fits(text + bound):
            return text + bound
    return code + bound


def fits(text: str) -> bool:
    """Whether a text is one part."""
    septets = gsm7_septets(text)
    return septets is not None and septets <= ONE_PART


def plain(text: str) -> str:
    """The text in letters that GSM-7 has, as far as a letter without its accent will do: "código" is "codigo".

    Characters of other scripts stay, and the text then needs UCS-2.
    """
    return "".join(_unaccented(character) for character in unicodedata.normalize("NFC", text.translate(_PLAIN)))


def _texts(code: str, sentences: tuple[str, ...], values: dict[str, str]) -> Iterator[str]:
    for sentence in sentences:
        text = plain(fill(sentence, {"code": code, **values}))
        # A translator may move the code; people and phones look for it at the start.
        yield text if text.startswith(code) else f"{code} {text}"


def fill(sentence: str, values: Mapping[str, str]) -> str:
    """A sentence with its values."""
    # Not str.format: a translation with a stray brace or attribute access must not fail or reach anything.
    for name, value in values.items():
        sentence = sentence.replace(f"{{{name}}}", value)
    return sentence


def harmless(text: str, longest: int) -> str:
    """Somebody's text made harmless: no line breaks, nothing that reads as a link or as the last line, GSM-7 only."""
    tidy = unicodedata.normalize("NFC", " ".join(text.translate(_PLAIN).split()))
    kept = "".join(_gsm7(character) for character in tidy if character not in "@#{}[]~|^\\<>")
    # Phones underline "shop.com" and "http://": a dot or slash between letters falls apart.
    for mark in ("://", "/", ":", "."):
        kept = _loosen(kept, mark)
    return " ".join(kept.split())[:longest].rstrip()


def _loosen(text: str, mark: str) -> str:
    head, *rest = text.split(mark)
    for piece in rest:
        between_words = head[-1:].isalnum() and piece[:1].isalpha()
        head += (" " if between_words or len(mark) > 1 else mark) + piece
    return head


def _gsm7(character: str) -> str:
    base = _unaccented(character)
    return base if base in _BASIC or base in _EXTENSION else "?"


def _unaccented(character: str) -> str:
    if character in _BASIC or character in _EXTENSION:
        return character
    base = unicodedata.normalize("NFKD", character)[0]
    return base if base in _BASIC else character
