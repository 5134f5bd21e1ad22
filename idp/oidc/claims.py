"""Which claims there are, which scope gives which (OIDC Core 5.1, 5.4), and the `claims` parameter (5.5)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from idp.model import Account, ClaimsRequest
from idp.oidc.strictjson import Malformed, parse_object

# OIDC Core 5.4
BY_SCOPE: Mapping[str, tuple[str, ...]] = {
    "profile": (
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
    "groups": ("groups",),  # not of OIDC Core, but what applications know it by
}
OF_A_PERSON = frozenset(name for names in BY_SCOPE.values() for name in names)
PROTOCOL = ("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "sid")
SUPPORTED = (*PROTOCOL, *sorted(OF_A_PERSON))
# never given to a client that acts for itself
PERSON_SCOPES = frozenset({"openid", "offline_access", *BY_SCOPE})
ADDRESS = ("formatted", "street_address", "locality", "region", "postal_code", "country")


def about(account: Account, names: Iterable[str], *, phone_number: str | None = None) -> dict[str, Any]:
    """The claims among `names` that this account has a value for; absent values are left out (OIDC Core 5.3.2)."""
    wanted = OF_A_PERSON.intersection(names)
    known: dict[str, Any] = {
        **{name: value for name, value in account.claims.items() if isinstance(value, str)},
        "name": account.name,
        "preferred_username": account.username,
        "locale": account.locale,
        # OIDC Core 5.1: a number of seconds, booleans, an object
        "updated_at": int(account.updated_at.timestamp()),
        "email": account.email,
        "email_verified": account.email_verified if account.email else None,
        # a number is stored only after a code sent to it came back
        "phone_number": phone_number,
        "phone_number_verified": True if phone_number else None,
        "address": _address(account.claims.get("address")),
        "groups": sorted(account.groups),
    }
    return {name: value for name, value in known.items() if name in wanted and value is not None and value != ""}


def for_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """The claim names that these scopes ask for (OIDC Core 5.4)."""
    return frozenset(name for scope in scopes for name in BY_SCOPE.get(scope, ()))


def _address(stored: object) -> dict[str, str] | None:
    if not isinstance(stored, Mapping):
        return None
    lines = {name: stored[name] for name in ADDRESS if isinstance(stored.get(name), str) and stored[name]}
    return lines or None


def parse(text: str, *, scopes: frozenset[str]) -> ClaimsRequest:
    """The `claims` parameter. Raises `Malformed`; what we do not know in it is ignored (OIDC Core 5.5).

    So is what the client may not have: `scopes` are those it may ask for, and no other scope's claim is given.
    """
    asked = parse_object(text)
    userinfo, id_token = _members(asked, "userinfo"), _members(asked, "id_token")
    acr = id_token.get("acr", {})
    requested_acr = _values(acr, "acr")
    subjects = {value for members in (userinfo, id_token) for value in _values(members.get("sub", {}), "sub")}
    if len(subjects) > 1:
        raise Malformed("sub has more than one value")
    essential = acr.get("essential") is True
    known = for_scopes(scopes)
    names = known & (userinfo.keys() | id_token.keys())
    return ClaimsRequest(
        userinfo=known.intersection(userinfo),
        id_token=known.intersection(id_token),
        scopes=tuple(scope for scope, given in BY_SCOPE.items() if names.intersection(given)),
        essential_acr=requested_acr if essential else (),
        voluntary_acr=() if essential else requested_acr,
        subject=next(iter(subjects), None),
    )


def within(asked: ClaimsRequest, scopes: Iterable[str]) -> ClaimsRequest:
    """What is left of the names asked for one by one, where only claims of these scopes may be told."""
    told = for_scopes(scopes)
    return replace(asked, userinfo=asked.userinfo & told, id_token=asked.id_token & told)


def _members(asked: Mapping[str, Any], place: str) -> dict[str, dict[str, Any]]:
    members = asked.get(place)
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise Malformed(f"{place} is not an object")
    found: dict[str, dict[str, Any]] = {}
    for name, wish in members.items():
        # OIDC Core 5.5.1: null asks in the default manner
        if wish is not None and not isinstance(wish, dict):
            raise Malformed("a claim is asked for with neither null nor an object")
        found[name] = wish or {}
        if not isinstance(found[name].get("essential", False), bool):
            raise Malformed("essential is not a boolean")
    return found


def _values(wish: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = wish.get("values", [])
    if not isinstance(values, list):
        raise Malformed(f"the values of {name} are not an array")
    if "value" in wish:
        values = [wish["value"], *values]
    if not all(isinstance(value, str) and value for value in values) or len(values) > 20:
        raise Malformed(f"a value of {name} is not a string, or there are too many")
    return tuple(dict.fromkeys(values))
