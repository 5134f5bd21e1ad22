"""What a browser keeps of a site, and brings along when it signs in there: sealed, for that site alone."""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from idp.crypto import digest, equal, random_token
from idp.errors import SealBroken
from idp.flows.idp import Idp
from idp.policy import Site

# nginx as it comes has 4,096 bytes for all headers of an answer: of a cookie beside an address of 1,200, and of it with
# what is told of a person, beside the 1,000 that all the others take.
LONGEST, LONGEST_IN_ALL = 1_500, 2_800


@dataclass(frozen=True, slots=True)
class Person:
    """Whom an application behind the proxy is told of. `email` is one that they verified."""

    username: str = field(repr=False)
    name: str = field(default="", repr=False)
    groups: tuple[str, ...] = ()
    email: str = field(default="", repr=False)
    acr: str = ""


@dataclass(frozen=True, slots=True)
class Pass:
    """Who signed in to a site, in which session, and what was found when it was last looked.

    Until then and no longer the rows with these scopes are open; of all else the database is asked.
    """

    session_id: UUID
    account_id: UUID
    person: Person
    opens: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Going:
    """Where somebody wanted to go who was sent to sign in. `by` is the hash of what their browser is known by."""

    to: str
    verifier: str = field(repr=False)
    by: str = field(repr=False)


_PASS, _GOING = TypeAdapter(Pass), TypeAdapter(Going)
T = TypeVar("T")


def written(idp: Idp, site: Site, held: Pass) -> str:
    """The cookie of a pass."""
    return _sealed(idp, site, _PASS.dump_json(held), "site/pass")


def read(idp: Idp, site: Site, cookie: str | None) -> Pass | None:
    """The pass in a cookie that we wrote for this site; None for anything else."""
    return None if cookie is None else _opened(idp, site, cookie, "site/pass", _PASS)


def fits(cookie: str, person: Person) -> bool:
    """Whether every proxy passes this cookie on, beside what the application is told of the person."""
    told = (person.username, person.name, person.email, person.acr, *person.groups)
    return len(cookie) <= LONGEST and len(cookie) + sum(len(each.encode()) + 1 for each in told) <= LONGEST_IN_ALL


def state(idp: Idp, site: Site, to: str, *, key: str) -> tuple[Going, str]:
    """A sign-in that begins now in the browser known by `key`, and the `state` that comes back with its answer."""
    going = Going(to, random_token(), _known(key))
    return going, _sealed(idp, site, _GOING.dump_json(going), "site/state")


def going(idp: Idp, site: Site, state: str) -> Going | None:
    """What a `state` of ours for this site says, whosever it is; None for anything else."""
    return _opened(idp, site, state, "site/state", _GOING)


def is_by(going: Going, key: str | None) -> bool:
    """Whether the browser known by `key` began it."""
    return key is not None and equal(_known(key).encode(), going.by.encode())


def _known(key: str) -> str:
    return digest(key).hex()


def _sealed(idp: Idp, site: Site, told: bytes, purpose: str) -> str:
    sealed = idp.secrets.seal(zlib.compress(told, 1), purpose=purpose, bound_to=site.host)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _opened(idp: Idp, site: Site, text: str, purpose: str, of: TypeAdapter[T]) -> T | None:
    try:
        sealed = base64.b64decode(f"{text}{'=' * (-len(text) % 4)}", altchars=b"-_", validate=True)
        return of.validate_json(zlib.decompress(idp.secrets.unseal(sealed, purpose=purpose, bound_to=site.host)))
    except (SealBroken, ValueError):
        return None
