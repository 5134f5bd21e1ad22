"""What an endpoint is: one row, from which both its route and its description come. Nothing is answered here."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import msgspec

from idp.flows.idp import Idp
from idp.flows.operate.finding import ClientId
from idp.policy import RIGHTS, Act
from idp.web.door import MAX_BODY

MOST = 500  # of one page
_LONGEST_KEY = 64


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client sends: a member that there is not is a mistake, not ignored."""


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of an address."""


Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST, description="How many at most.")]
After = Annotated[str, msgspec.Meta(max_length=300, description="`next` of the page before.")]
Text = Annotated[str, msgspec.Meta(max_length=2000)]
Words = Annotated[list[Text], msgspec.Meta(max_length=200)]


class Paged(Query, frozen=True, kw_only=True):
    """Where a list goes on."""

    after: After | None = None
    limit: Limit = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read: what its address names, and what it sent. `expected` is the version it names."""

    idp: Idp
    path: Mapping[str, Any]
    query: Any = None
    body: Any = None
    expected: str | None = None

    @property
    def id(self) -> UUID:
        """The person, or whatever else the address names by a UUID."""
        found: UUID = self.path["id"]
        return found

    @property
    def client_id(self) -> ClientId:
        """The client that the address names."""
        return ClientId(self.path["client_id"])


@dataclass(frozen=True, slots=True)
class Done:
    """What is answered. `etag` is the version of what is shown; `at` the address of what was made."""

    body: object = None
    etag: str | None = None
    at: str | None = None


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """What a removal would end."""

    consequences: list[str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one address. `act` says who may (docs/administration.md); `text` is what it says of itself.

    `answers` None: 204. `secrets` are members of the answer that are given once. `versioned`: the answer has an ETag,
    and a change takes If-Match; `guarded`: it needs it. `longest`: bytes of what is sent. `judges` says what of the
    members that have their type cannot be taken, by raising, where others have not; it changes nothing.
    """

    method: str
    path: str
    name: str
    act: Act
    does: Callable[[Asked], Awaitable[Done]]
    summary: str
    text: str = ""
    query: type[Query] = Query
    takes: type[Body] | None = None
    answers: Any = None
    status: int = 200
    secrets: tuple[str, ...] = ()
    versioned: bool = False
    guarded: bool = False
    longest: int = MAX_BODY
    parameters: Mapping[str, str] = field(default_factory=dict)
    judges: Callable[[Asked], Awaitable[object]] | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """One of these is needed, the first is told."""
        return RIGHTS[self.act].scopes


def given(body: Body) -> dict[str, Any]:
    """The members that were sent, of a body whose others are UNSET."""
    values = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return {name: value for name, value in values if value is not msgspec.UNSET}


def key_in(text: str) -> bytes:
    """The key that an address names; empty, as nothing is called, where it is none."""
    try:
        return bytes.fromhex(text) if text.isascii() and text.isalnum() and len(text) <= _LONGEST_KEY else b""
    except ValueError:
        return b""
