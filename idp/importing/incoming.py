"""What comes from another system: people, clients, and what does not come over. No behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from idp.errors import IdpError
from idp.model import OUR_CODES, AppCodes

PERSON = "the person"  # what is left when nothing of somebody comes


class Unreadable(IdpError):
    """The file is not what it should be. The text says where, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Left:
    """Something that does not come over: of whom or of which client, what, and why or what to do."""

    who: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Phone:
    """A number as it is written there. `verified`: that system says that it sent a code there, which came back."""

    number: str = field(repr=False)
    verified: bool = False


@dataclass(frozen=True, slots=True)
class App:
    """An authenticator app: its secret and how its codes are made."""

    seed: bytes = field(repr=False)
    label: str = ""
    codes: AppCodes = OUR_CODES


@dataclass(frozen=True, slots=True)
class Person:
    """A person. `id` is what applications know them by, where it is a UUID. `groups` have that system's names.

    `whole_names`: of a group that goes by a part of its name, the whole.
    `password` is a hash in the one syntax of `factors.hashes`; `unlike` says in half a sentence why one is not.
    `temporary`: somebody else knows it, and it is to be changed. `until`: the account ends then, or has ended. `claims`
    are standard ones (OIDC Core 5.1), and `address.locality` and so on for parts of the address. Of each client in
    `consents` the scopes agreed to.
    """

    username: str
    id: UUID | None = None
    name: str | None = None
    email: str | None = None
    email_verified: bool = False
    locale: str | None = None
    groups: tuple[str, ...] = ()
    whole_names: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    disabled: bool = False
    until: datetime | None = None
    password: str | None = field(default=None, repr=False)
    unlike: str | None = None
    temporary: bool = False
    phones: tuple[Phone, ...] = ()
    apps: tuple[App, ...] = ()
    consents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Application:
    """A client. `secret` is in clear, where that system keeps it so. `asks`: people are asked for consent."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    machine: bool = False
    signs_in: bool = True
    public: bool = False
    secret: str | None = field(default=None, repr=False)
    jwks: Mapping[str, Any] | None = None
    asks: bool = False
    require_pkce: bool = True
    require_pushed: bool = False
    signing_alg: str | None = None
    origins: tuple[str, ...] = ()
    home_uri: str | None = None
    native: bool = False
    disabled: bool = False


Entry = Person | Application | Left
