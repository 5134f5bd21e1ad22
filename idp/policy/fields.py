"""Whether a value is what a field of `authorization_details` may hold, and what was expected. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, assert_never

from idp.policy.details import TYPE, DetailsRule, FieldKind, FieldRule

_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,3})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
# ISO 4217 table A.1: all others have two decimals
_NONE = frozenset(
    (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    )
)
_THREE = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_ACCOUNT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 .-]{0,62}[A-Za-z0-9])?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# What turns or breaks the line that it stands in, or is not seen at all: what is shown must be what is approved.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ufeff\uffa0\U00016fe4\U0001d159]"
)
# Marks with nothing to stand on, and so many on one letter that they cover the lines above and below.
_STRAY = re.compile("(?:^| )m|m{5}")


def misfit(told: Mapping[str, Any], rule: DetailsRule) -> str | None:
    """What is wrong with an object of this type, as half a sentence for a developer; None where nothing is.

    It names the field and what was expected, and repeats no value.
    """
    for name in told:
        if name != TYPE and name not in rule.fields:
            there = ", ".join(rule.fields)
            return f"has a field that this type does not have{_named(name)}: there are {there}"
    for name, field in rule.fields.items():
        if name not in told:
            if not field.optional:
                return f"lacks {name}, which is {_expected(field)}"
        elif not _fits(told[name], field):
            return f"has a wrong {name}: expected is {_expected(field)}"
    return None


def _named(name: str) -> str:
    # The name is the client's text: it is repeated only where it can be nothing but a name.
    return f", {name}" if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", name) else ""


def _fits(value: object, rule: FieldRule) -> bool:
    match rule.kind:
        case FieldKind.MONEY:
            return _is_money(value, rule)
        case FieldKind.COUNT:
            return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= rule.most
        case FieldKind.TEXT:
            return isinstance(value, str) and len(value) <= rule.most and _is_line(value)
        case FieldKind.IBAN:
            return isinstance(value, str) and _IBAN.fullmatch(value) is not None and _mod_97(value) == 1
        case FieldKind.ACCOUNT:
            return isinstance(value, str) and len(value) <= rule.most and _ACCOUNT.fullmatch(value) is not None
        case FieldKind.DATE:
            return isinstance(value, str) and _is_date(value)
        case _:  # pragma: no cover - for the type checker
            assert_never(rule.kind)


def _is_money(value: object, rule: FieldRule) -> bool:
    if not isinstance(value, dict) or set(value) != {"amount", "currency"}:
        return False
    amount, currency = value["amount"], value["currency"]
    if not isinstance(amount, str) or not isinstance(currency, str) or not _AMOUNT.fullmatch(amount):
        return False
    if not is_currency(currency) or (rule.currencies and currency not in rule.currencies):
        return False
    return Decimal(amount) > 0 and len(amount.partition(".")[2]) <= _decimals(currency)


def _decimals(currency: str) -> int:
    return 0 if currency in _NONE else 3 if currency in _THREE else 2


def is_currency(text: str) -> bool:
    """Whether this is how ISO 4217 writes a currency."""
    return _CURRENCY.fullmatch(text) is not None


def _is_line(text: str) -> bool:
    if not text or text != " ".join(text.split()) or not text.isprintable() or _UNSEEN.search(text):
        return False
    return not _STRAY.search("".join(map(_kind, text)))


def _kind(character: str) -> str:
    return "m" if unicodedata.category(character).startswith("M") else " " if character == " " else "x"


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _mod_97(iban: str) -> int:
    # ISO 13616-1 6.1, ISO 7064: the check digits make it 1
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97


def _expected(rule: FieldRule) -> str:
    match rule.kind:
        case FieldKind.MONEY:
            which = " or ".join(sorted(rule.currencies)) or "three letters of ISO 4217"
            return f"an object with amount, a text such as '12.50', and currency, {which}"
        case FieldKind.COUNT:
            return f"a whole number from 1 to {rule.most}"
        case FieldKind.TEXT:
            return f"one line of text of at most {rule.most} characters, without control characters and double spaces"
        case FieldKind.IBAN:
            return "an IBAN with right check digits, in capital letters and without spaces"
        case FieldKind.ACCOUNT:
            return f"the number of an account: at most {rule.most} letters, digits, dots, hyphens and spaces"
        case FieldKind.DATE:
            return "a day such as 2026-11-28"
        case _:  # pragma: no cover - for the type checker
            assert_never(rule.kind)
