"""People as the API shows and takes them: the same members as `idp user … --json`. Nothing is looked up here."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from idp.flows.idp import Idp
from idp.flows.operate.editing import version_of
from idp.flows.operate.finding import Person
from idp.flows.operate.spending import never_texted
from idp.model import Account, Authenticator, Passkey
from idp.web.api.endpoints import Body, Done, Text, Words


class PasskeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """What is so of a passkey."""

    synced: bool
    may_be_synced: bool
    attested: bool
    aaguid: str
    transports: list[str]
    count: int


class AuthenticatorShown(msgspec.Struct, frozen=True, kw_only=True):
    """A phone, an app, a passkey or saved codes. `remaining` are the codes that are left."""

    id: UUID
    factor: str
    label: str
    hint: str
    created_at: datetime
    trusted_at: datetime | None
    hold_seconds: int | None
    last_used_at: datetime | None
    remaining: int | None
    passkey: PasskeyShown | None = None


class AccountShown(msgspec.Struct, frozen=True, kw_only=True):
    """A person. `invited`: no password yet; `frozen_at`: until recovered; `strong_from`: nothing sensitive before."""

    id: UUID
    username: str
    name: str | None
    email: str | None
    email_verified: bool
    email_refused_at: datetime | None
    groups: list[str]
    disabled: bool
    invited: bool
    frozen_at: datetime | None
    strong_from: datetime | None
    created_at: datetime
    locale: str | None


class PersonShown(AccountShown, frozen=True, kw_only=True):
    """A person, what else is known of them, and how they prove who they are."""

    claims: dict[str, Any]
    authenticators: list[AuthenticatorShown]


class PersonAdded(PersonShown, frozen=True, kw_only=True):
    """A new person, and what else to know."""

    warnings: list[str]


class PersonChanged(AccountShown, frozen=True, kw_only=True):
    """A person as they are now, what changed and what follows."""

    claims: dict[str, Any]
    changed: list[str]
    consequences: list[str]


class NewPerson(Body, frozen=True, kw_only=True):
    """Somebody with a password. Without a phone they cannot sign in before they are given an app.

    A `temporary` password has to be changed when it is used first.
    """

    username: Text
    password: Annotated[str, msgspec.Meta(max_length=10_000)]
    temporary: bool = False
    phone: Text | None = None
    name: Text | None = None
    email: Text | None = None
    email_verified: bool = False
    groups: Words = msgspec.field(default_factory=list)
    locale: Annotated[str, msgspec.Meta(max_length=35)] | None = None


class Invitation(Body, frozen=True, kw_only=True):
    """Somebody who sets up their account by a link. With `mail` it goes to their address, and is not told here."""

    username: Text
    mail: bool = False
    phone: Text | None = None
    name: Text | None = None
    email: Text | None = None
    groups: Words = msgspec.field(default_factory=list)
    locale: Annotated[str, msgspec.Meta(max_length=35)] | None = None


class PersonChanges(Body, frozen=True, kw_only=True):
    """What is left out stays. `groups` are all of theirs from then on; `claims` are changed one by one."""

    username: Text | UnsetType = UNSET
    name: Text | UnsetType | None = UNSET
    email: Text | UnsetType | None = UNSET
    email_verified: bool | UnsetType = UNSET
    locale: Text | UnsetType | None = UNSET
    groups: Words | UnsetType = UNSET
    claims: dict[str, Any] | UnsetType = UNSET


def account_members(account: Account) -> dict[str, Any]:
    """The members of `AccountShown`."""
    members = {name: getattr(account, name) for name in AccountShown.__struct_fields__}
    return {**members, "groups": sorted(account.groups)}


def authenticator(one: Authenticator) -> AuthenticatorShown:
    """An authenticator, without what is secret."""
    return AuthenticatorShown(
        id=one.id,
        factor=one.factor.value,
        label=one.label,
        hint=one.hint,
        created_at=one.created_at,
        trusted_at=one.trusted_at,
        hold_seconds=None if one.hold is None else round(one.hold.total_seconds()),
        last_used_at=one.last_used_at,
        remaining=one.remaining,
        passkey=None if one.passkey is None else _passkey(one.passkey),
    )


def _passkey(one: Passkey) -> PasskeyShown:
    return PasskeyShown(
        synced=one.eligible and one.copied,
        may_be_synced=one.eligible,
        attested=one.attested,
        aaguid=one.aaguid,
        transports=list(one.transports),
        count=one.count,
    )


def person_members(found: Person) -> dict[str, Any]:
    """The members of `PersonShown`."""
    return {
        **account_members(found.account),
        "claims": dict(found.account.claims),
        "authenticators": [authenticator(one) for one in found.authenticators],
    }


def person(found: Person) -> Done:
    """A person, with the version that a change has to name."""
    return Done(PersonShown(**person_members(found)), etag=version_of(found.account))


def warned(idp: Idp, phone: str | None) -> list[str]:
    """What an operator has to know who gives somebody this phone."""
    unreachable = None if phone is None else never_texted(idp, phone)
    return [] if unreachable is None else [unreachable]
