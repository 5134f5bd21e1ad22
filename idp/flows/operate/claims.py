"""An operator's word on what is known about a person: the standard claims beyond name, e-mail and phone."""

from collections.abc import Mapping, Sequence
from typing import Any

from idp.audit import AccountChanged
from idp.flows.idp import Idp
from idp.flows.operate.people import NotAcceptable, Person, find_user
from idp.oidc.claims import ADDRESS, BY_SCOPE
from idp.store import accounts, audits

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
            raise NotAcceptable(f"{name!r} is no claim that can be set: there are {', '.join(SETTABLE)}.")
        if len(value) > LONGEST or not value.replace("\n", " ").isprintable():
            raise NotAcceptable(f"The value of {name} must be at most {LONGEST} printable characters.")
        kept = address if name.startswith("address.") else claims
        key = name.removeprefix("address.")
        if value:
            kept[key] = value
        else:
            kept.pop(key, None)
    return {**claims, **({"address": address} if address else {})}


async def set_claims(idp: Idp, username: str, given: Sequence[str]) -> Person:
    """Change what is known about a person. Raises `NotThere` or `NotAcceptable`."""
    person = await find_user(idp, username)
    claims = parse_claims(given, known=person.account.claims)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        await accounts.set_claims(conn, account_id=person.account.id, claims=claims, now=now)
        await audits.add(conn, AccountChanged(change="claims"), now=now, account_id=person.account.id)
    return await find_user(idp, username)
