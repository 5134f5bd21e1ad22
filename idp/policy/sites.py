"""Sites that know no OpenID, behind a proxy that asks us about each request: rows of the policy as values. Pure."""

import re
from dataclasses import dataclass
from datetime import timedelta

from idp.model import AssuranceLevel

PREFIX = "site:"  # of its client, and of the scopes of its rows; no registered client's id has a colon
# RFC 9110 7.2, as far as a certificate may name it; an address of IPv6 is nobody's site
_HOST = re.compile(r"([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::([1-9][0-9]{0,4}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """What a path and all below it need, beside what the rows above it need. `title` is what people call it.

    `fresh` is how old the proof of the level may be, made for this site; None where its age is no matter. Who is in
    none of `groups` does not get in, whatever they prove; empty: everybody may.
    """

    path: str
    title: str
    level: AssuranceLevel
    fresh: timedelta | None
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Site:
    """One host. It is a client of ours that nobody registers: proofs made for it count for it (promise 4).

    `places` begins with the row of the site itself, whose path is "/".
    """

    host: str
    title: str
    places: tuple[Place, ...]

    @property
    def origin(self) -> str:
        """Where browsers find it. Without https on this machine alone."""
        return f"{'http' if is_loopback(self.host) else 'https'}://{self.host}"

    @property
    def client_id(self) -> str:
        """What the client is called that it is."""
        return f"{PREFIX}{self.host}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that stand for its rows."""
        return tuple(map(self.scope, self.places))

    def scope(self, place: Place) -> str:
        """The scope that stands for a row: what it needs is demanded as of any scope."""
        return f"{PREFIX}{self.host}{place.path}"


def site_of(client_id: str) -> str | None:
    """The host of the site that a client is; None for every other client."""
    return client_id.removeprefix(PREFIX) if client_id.startswith(PREFIX) else None


def host_of(text: str) -> str | None:
    """A Host header as sites are listed by; None for what is none, or cannot be a site's."""
    found = _HOST.fullmatch(text.lower())
    if found is None or len(text) > 260:
        return None
    name, port = found[1], found[2]
    return name if port is None or port == ("80" if is_loopback(name) else "443") else f"{name}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, where a site needs no https."""
    return host.partition(":")[0] in {"localhost", "127.0.0.1"}
