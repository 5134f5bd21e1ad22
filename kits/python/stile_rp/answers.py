"""What is asked of a provider and what comes of it. Pure: values, and how they are written into a session."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from stile_rp.claims import Person
from stile_rp.errors import Untrusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What was asked, kept in the session until the browser comes back. Works once."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    then: str
    scopes: tuple[str, ...]
    acr_values: tuple[str, ...] = ()
    max_age: float | None = None
    details: str | None = None  # RFC 9396 2, as JSON
    action: str | None = None  # of a confirmation; None of a sign-in
    at: float

    def to_json(self) -> dict[str, Any]:
        """As a session holds it."""
        return {name: value for name, value in asdict(self).items() if value not in (None, (), [])}

    @classmethod
    def from_json(cls, told: object) -> Self | None:
        """What `to_json` wrote; None for anything else."""
        try:
            made = cls(**told)  # type: ignore[arg-type]  # what else a session may hold is told by the error
            return replace(made, scopes=tuple(made.scopes), acr_values=tuple(made.acr_values))
        except TypeError:
            return None


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider said no, or the person did. `description` is the provider's sentence: escape it."""

    error: str
    description: str
    then: str
    action: str | None = None  # of a confirmation; None of a sign-in
    details: str | None = None

    @property
    def cancelled(self) -> bool:
        """The person did not want to."""
        return self.error == "access_denied"

    @property
    def cannot(self) -> bool:
        """The person has no way yet to prove what is asked for; `description` may say since when they will."""
        return self.error == "unmet_authentication_requirements"


@dataclass(frozen=True, slots=True)
class Received:
    """A code that this browser asked for, to be redeemed within a minute."""

    pending: Pending
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A finished sign-in. `scopes` are those granted, which may be fewer than asked; `expires_at` is the token's."""

    person: Person
    then: str
    scopes: tuple[str, ...]
    expires_at: float
    details: tuple[Mapping[str, Any], ...] = ()
    nonce: str = field(repr=False, kw_only=True)
    id_token: str = field(repr=False, kw_only=True)
    access_token: str = field(repr=False, kw_only=True)
    refresh_token: str | None = field(repr=False, kw_only=True)


def canonical(told: object) -> str:
    """JSON that is the same for what is the same."""
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def covers(granted: object, asked: str) -> bool:
    """Whether these `authorization_details` are those asked for, each perhaps with members added (RFC 9396 7.1)."""
    wanted = json.loads(asked)
    return (
        isinstance(granted, list)
        and len(granted) == len(wanted)
        and all(
            isinstance(one, dict) and one.items() >= want.items() for one, want in zip(granted, wanted, strict=True)
        )
    )


def text(tokens: Mapping[str, Any], name: str) -> str:
    """This member of a token response, or `Untrusted`."""
    value = tokens.get(name)
    if not isinstance(value, str) or not value:
        raise Untrusted(f"the token response has no {name}")
    return value


def scopes_of(tokens: Mapping[str, Any], asked: Sequence[str]) -> tuple[str, ...]:
    """The scopes granted (RFC 6749 5.1: left out when they are those asked for)."""
    granted = tokens.get("scope")
    return tuple(granted.split()) if isinstance(granted, str) else tuple(asked)
