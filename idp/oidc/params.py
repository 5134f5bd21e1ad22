"""Form and query parameters, each once. What they mean is elsewhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from idp.errors import OAuthError
from idp.oidc.strictjson import storable

Params = Mapping[str, str]

MAX_PARAMETERS = 100
MAX_LENGTH = 8_192  # longest honest value is a client assertion or an id_token_hint of a few thousand characters


@dataclass(frozen=True, slots=True)
class Collected:
    """Parameters of a request and those among them that cannot be used, with the reason."""

    values: Params
    unusable: Mapping[str, str]


def collect(pairs: Iterable[tuple[str, str]]) -> Collected:
    """Sort parameters into usable and unusable ones; one without a value counts as absent (RFC 6749 3.1)."""
    values: dict[str, str] = {}
    unusable: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in pairs:
        # RFC 6749 3.1, 3.2: request and response parameters MUST NOT be included more than once
        if name in seen:
            unusable[name] = "occurs twice"
        elif len(seen) == MAX_PARAMETERS:
            unusable["request"] = "has too many parameters"
            break
        elif len(name) > 256 or len(value) > MAX_LENGTH:
            unusable[name] = "is too long"
        elif not storable(name) or not storable(value):
            unusable[name] = "holds a character that is not text"
        elif value:
            values[name] = value
        seen.add(name)
    return Collected({name: value for name, value in values.items() if name not in unusable}, unusable)


def once(pairs: Iterable[tuple[str, str]]) -> Params:
    """Parameters by name. Raises `OAuthError` invalid_request where one is unusable (RFC 6749 3.2)."""
    collected = collect(pairs)
    for name, reason in collected.unusable.items():
        raise refusal(name, reason)
    return collected.values


def refusal(name: str, reason: str) -> OAuthError:
    """invalid_request for one unusable parameter. A long or strange name is not repeated."""
    shown = name if name.isascii() and name.replace("_", "").isalnum() and len(name) <= 40 else "A parameter"
    return OAuthError("invalid_request", f"{shown} {reason}.", detail="parameters")
