"""What a person says of themselves: which claims of OIDC Core 5.1, how long, in what form. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlsplit
from zoneinfo import available_timezones

LONGEST_NAME = 200
LONGEST_WEBSITE = 500
NAMES = ("name", "given_name", "family_name", "nickname")
FIELDS = (*NAMES, "website", "zoneinfo", "locale")
_REGIONS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
UTC = "Etc/UTC"


class Amiss(StrEnum):
    """Why a field cannot be kept as it was typed."""

    TOO_LONG = "too_long"
    NO_WEBSITE = "no_website"
    NO_ZONE = "no_zone"
    NO_LANGUAGE = "no_language"


def zones() -> tuple[str, ...]:
    """The time zones a person may choose, by the names of the IANA database that tell a place, and UTC."""
    return (UTC, *sorted(name for name in available_timezones() if name.partition("/")[0] in _REGIONS))


def tidy(typed: Mapping[str, str]) -> dict[str, str]:
    """The fields as they are kept: visible characters, single spaces; what is empty says nothing."""
    return {name: " ".join(_visible(typed.get(name, "")).split()) for name in FIELDS}


def _visible(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)


def amiss(fields: Mapping[str, str], *, languages: tuple[str, ...], zones: tuple[str, ...]) -> dict[str, Amiss]:
    """What is wrong with tidied fields, by their names. Nothing wrong: empty."""
    found = {name: Amiss.TOO_LONG for name in NAMES if len(fields[name]) > LONGEST_NAME}
    if fields["website"] and not _is_website(fields["website"]):
        found["website"] = Amiss.NO_WEBSITE
    if fields["zoneinfo"] and fields["zoneinfo"] not in zones:
        found["zoneinfo"] = Amiss.NO_ZONE
    if fields["locale"] and fields["locale"] not in languages:
        found["locale"] = Amiss.NO_LANGUAGE
    return found


def _is_website(text: str) -> bool:
    """Whether a page of ours, or an application's, may link to it: http or https, with a host and nobody's password."""
    if len(text) > LONGEST_WEBSITE or not text.isascii() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
