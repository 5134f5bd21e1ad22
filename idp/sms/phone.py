"""Phone numbers: read strictly, shown masked. Numbering plans come from libphonenumber; no look-ups at anybody's."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from idp.typed import plain

_LONGEST = 64
_SATELLITE = "001"  # libphonenumber's region for numbers that belong to no country
_TEXTABLE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_SHOWN = 3
_HIDDEN = "•"


@dataclass(frozen=True, slots=True)
class Phone:
    """A mobile number of a country, in E.164. `region` is its ISO code; `repr` shows the masked number only."""

    e164: str = field(repr=False)
    region: str
    masked: str


class Unusable(StrEnum):
    """Why no code can go to what was typed."""

    NOT_A_NUMBER = "not_a_number"  # letters, extensions, circled digits, the wrong length
    NOT_MOBILE = "not_mobile"  # fixed line, premium, toll-free, voip, pager, short
    NO_COUNTRY = "no_country"  # satellite and other worldwide numbers


def parse(text: str, *, default_region: str | None = None) -> Phone | Unusable:
    """Read a typed number. Without `default_region` (as in `EE`) it must start with `+` and the country code.

    Spaces, hyphens, dots, slashes and parentheses are forgiven, as is how a keyboard or a contact list writes them
    (`typed.plain`), and the `tel:` of a link. The rest is refused before libphonenumber sees it, which would accept
    `;ext=` and `1-800-FLOWERS`.
    """
    if len(text) > _LONGEST:
        return Unusable.NOT_A_NUMBER
    typed = spelled(text)
    if not re.fullmatch(r"\+?[0-9 ().\-/]+", typed):
        return Unusable.NOT_A_NUMBER
    try:
        number = phonenumbers.parse(typed, default_region)
    except NumberParseException:
        return Unusable.NOT_A_NUMBER
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    described = describe(e164)
    if described is None:
        return Unusable.NOT_A_NUMBER
    if described.region is None:
        return Unusable.NO_COUNTRY
    return Phone(e164, described.region, mask(e164)) if described.textable else Unusable.NOT_MOBILE


def spelled(text: str) -> str:
    """What was typed or pasted as a number, in ASCII and without the `tel:` of a link. Nothing is checked."""
    # RFC 3986 3.1: a scheme has no case. RFC 3966 3: behind it stands the number.
    return re.sub("^tel:", "", plain(text).strip(" "), flags=re.IGNORECASE).strip(" ")


@dataclass(frozen=True, slots=True)
class Described:
    """What a number in E.164 is: of which country (None: of none, as satellites are), and whether it can be texted."""

    region: str | None
    textable: bool


def describe(e164: str) -> Described | None:
    """What is known about a number as it is stored, `+` and digits alone. None if it is none at all."""
    if not re.fullmatch(r"\+[0-9]{4,15}", e164):
        return None
    try:
        number = phonenumbers.parse(e164, None)
    except NumberParseException:
        return None
    if phonenumbers.region_code_for_country_code(number.country_code or 0) == _SATELLITE:
        return Described(None, textable=False)
    region = phonenumbers.region_code_for_number(number)
    if region is None or not phonenumbers.is_valid_number(number):
        return None
    return Described(region, phonenumbers.number_type(number) in _TEXTABLE)


def textable(e164: str) -> bool:
    """Whether a code can reach a number that is stored: numbering plans change, and so does what is known of them."""
    described = describe(e164)
    return described is not None and described.textable


def mask(e164: str) -> str:
    """`+372•••••555`: the country code and the last three digits, for people and for logs. Never raises."""
    try:
        number = phonenumbers.parse(e164, None)
    except NumberParseException:
        return _HIDDEN * 3
    prefix = f"+{number.country_code}"
    rest = phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix(prefix)
    shown = min(_SHOWN, len(rest) // 2)
    hidden = len(rest) - shown
    return prefix + _HIDDEN * hidden + rest[hidden:]


def hint(e164: str) -> str:
    """`ending 55`, for `Authenticator.hint`."""
    return f"ending {e164[-2:]}"


def region(e164: str) -> str | None:
    """The ISO code of the country, or None for a worldwide number or none at all. `+1` is 25 regions."""
    try:
        found = phonenumbers.region_code_for_number(phonenumbers.parse(e164, None))
    except NumberParseException:
        return None
    return None if found == _SATELLITE else found
