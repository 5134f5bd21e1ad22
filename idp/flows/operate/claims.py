"""What an operator may say of a person: the standard claims beyond name, e-mail and phone, parsed. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from idp.flows.operate.people import NotAcceptable
from idp.oidc.claims import ADDRESS, BY_SCOPE
from idp.sentences import sentence

ELSEWHERE = frozenset({"name", "preferred_username", "locale", "updated_at"})  # kept as columns, or derived
SETTABLE = (
    *(name for name in BY_SCOPE["profile"] if name not in ELSEWHERE),
    *(f"address.{part}" for part in ADDRESS),
)
LONGEST = 500


def parse_claims(given: Sequence[str], *, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`name=value` pairs over what is known; an empty value removes a claim. Raises `NotAcceptable`.

    A part of the address is written `address.locality=Tallinn` (OIDC Core 5.1.1).
    """
    claims = dict(known or {})
    address = dict(claims.pop("address", None) or {})
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or name not in SETTABLE:
            raise NotAcceptable(
                sentence(
                    "%(name)s is no claim that can be set: there are %(claims)s.",
                    name=repr(name),
                    claims=", ".join(SETTABLE),
                )
            )
        if len(value) > LONGEST or not value.replace("\n", " ").isprintable():
            raise NotAcceptable(
                sentence(
                    "The value of %(name)s must be at most %(longest)s printable characters.",
                    name=name,
                    longest=LONGEST,
                )
            )
        if name == "birthdate" and value and not _is_birthdate(value):
            raise NotAcceptable(
                sentence("The birthdate must be written as 1815-12-10, 1815 or 0000-12-10 (OIDC Core 5.1).")
            )
        kept = address if name.startswith("address.") else claims
        key = name.removeprefix("address.")
        if value:
            kept[key] = value
        else:
            kept.pop(key, None)
    return {**claims, **({"address": address} if address else {})}


def _is_birthdate(text: str) -> bool:
    """OIDC Core 5.1: YYYY-MM-DD, with the year 0000 where it is not told; or the year alone."""
    if re.fullmatch(r"[0-9]{4}(-[0-9]{2}-[0-9]{2})?", text) is None:
        return False
    year, _, day = text.partition("-")
    try:
        date.fromisoformat(f"{'2000' if year == '0000' else year}-{day or '01-01'}")  # 2000 has a 29 February
    except ValueError:
        return False
    return True
