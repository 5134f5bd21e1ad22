"""What the account page shows of a person, in the two statements of its door and its content. Nothing is changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from idp import limits
from idp.audit import (
    AccountFrozen,
    AuthenticatorAdded,
    AuthenticatorRemoved,
    CodeSent,
    ConsentGiven,
    ConsentWithdrawn,
    DeviceForgotten,
    FactorRefused,
    FactorVerified,
    PasskeyBehind,
    PasswordChanged,
    RecoveryCodesMade,
    SignedOut,
)
from idp.flows import passkeys
from idp.flows.delivery.notices import reaches
from idp.flows.idp import Idp, Visitor
from idp.flows.people import recovery, rooms
from idp.flows.people.preference import choices
from idp.flows.people.rooms import Inside, Outside, enter
from idp.flows.signin.destinations import destination
from idp.model import SEEN_EVERY, Account, AuthorizationRequest, Client, Factor
from idp.policy import UNMET, Barrier, Refuse, is_for, shut
from idp.store.people import home as store
from idp.store.people.devices import Known
from idp.store.people.home import Browser, Seen

ACTIVITY = 30
_SHOWN = [
    event.name
    for event in (
        FactorVerified,
        FactorRefused,
        PasskeyBehind,
        CodeSent,
        ConsentGiven,
        ConsentWithdrawn,
        AuthenticatorAdded,
        AuthenticatorRemoved,
        RecoveryCodesMade,
        PasswordChanged,
        AccountFrozen,
        SignedOut,
        DeviceForgotten,
    )
]


@dataclass(frozen=True, slots=True)
class App:
    """An application of this person: one they agreed to or are signed in to, or one that they may open.

    `scopes` are what it may do by what it was given; `agreed_at` is when they agreed, None where nobody asked;
    `used_at` when it was last given something that lives. By its id where it is registered no more.
    """

    client_id: str
    name: str
    home_uri: str | None
    scopes: tuple[str, ...]
    agreed_at: datetime | None
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Happened:
    """One row of the audit trail about this person."""

    at: datetime
    name: str
    client_name: str | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Home:
    """What the account page shows. `closed` are the factors that too many wrong codes closed.

    `mailbox` is the masked address that codes are sent to; None where the policy sends none, or there is none verified.
    `reached`: there is a channel on which this person is told what happens. `passkeys`: there can be some. `barrier`:
    why nothing sensitive opens now. `counting` are the factors that count for this person, `choices` those
    that they may be asked for first.
    """

    inside: Inside
    apps: Sequence[App]
    browsers: Sequence[Browser]
    devices: Sequence[Known]
    activity: Sequence[Happened]
    closed: frozenset[Factor]
    mailbox: str | None
    reached: bool
    may_change_password: bool
    may_add_authenticator: bool
    may_add_phone: bool
    may_change_email: bool
    may_renew_codes: bool
    asks_for_codes: bool
    passkeys: bool
    barrier: Barrier | None
    counting: frozenset[Factor]
    choices: Sequence[Factor]


async def home(idp: Idp, visitor: Visitor) -> Home | Outside:
    """Everything the account page shows, for whoever has proved two factors."""
    inside = await enter(idp, visitor, rooms.HOME, noting=False)
    if not isinstance(inside, Inside):
        return inside
    now, lives = inside.now, idp.policy.sessions
    keys = _failures(idp, inside)
    seen = await store.load(
        idp.db,
        account_id=inside.account.id,
        session_id=inside.session.id,
        begun_since=now - lives.life,
        seen_since=now - lives.idle,
        not_since=now - SEEN_EVERY,
        names=_SHOWN,
        limit=ACTIVITY,
        keys=list(keys.values()),
        now=now,
    )
    states = {factor: seen.limits.get(key) for factor, key in keys.items()}
    failures = idp.limits.code_failures
    return Home(
        inside=inside,
        apps=apps(idp.applications(), inside.account, seen),
        browsers=seen.browsers,
        devices=seen.devices,
        activity=[Happened(each.at, each.name, _name_of(idp, each.client_id), each.fields) for each in seen.happened],
        closed=frozenset(factor for factor, state in states.items() if limits.wait(failures, state, now=now) is None),
        mailbox=_mailbox(idp, inside),
        reached=reaches(idp, inside.account, inside.loaded.authenticators),
        may_change_password=_has_proof_for(idp, inside, rooms.PASSWORD),
        may_add_authenticator=_has_proof_for(idp, inside, rooms.ENROL),
        may_add_phone=_has_proof_for(idp, inside, rooms.NEW_PHONE),
        may_change_email=_has_proof_for(idp, inside, rooms.EMAIL),
        may_renew_codes=_has_proof_for(idp, inside, rooms.RECOVERY),
        asks_for_codes=recovery.asks(idp, inside),
        passkeys=passkeys.relying(idp) is not None,
        counting=frozenset(idp.policy.of(inside.account.groups).factors),
        choices=choices(idp, inside),
        barrier=None if (refuse := shut(inside.account, now)) is None else refuse.barrier,
    )


def apps(clients: Mapping[str, Client], account: Account, seen: Seen) -> Sequence[App]:
    """The applications of a person, those that were used last first, then those that they never used by name."""
    agreed = {each.client_id: each for each in seen.agreed}
    held = {each.client_id: each for each in seen.held}
    found = [
        App(
            client_id=id_,
            name=client.name if client else id_,
            home_uri=client.home_uri if client else None,
            scopes=tuple(dict.fromkeys((*_scopes(agreed.get(id_)), *_scopes(held.get(id_))))),
            agreed_at=agreed[id_].since if id_ in agreed else None,
            used_at=held[id_].last_at if id_ in held else None,
        )
        for id_ in dict.fromkeys((*held, *agreed, *_to_open(clients, account)))
        for client in (clients.get(id_),)
    ]
    used = [each for each in found if each.used_at or each.agreed_at]
    return (
        *sorted(used, key=lambda each: max(filter(None, (each.used_at, each.agreed_at))), reverse=True),
        *sorted((each for each in found if each not in used), key=lambda each: each.name.casefold()),
    )


def _scopes(one: store.Agreed | store.Held | None) -> tuple[str, ...]:
    return () if one is None else one.scopes


def _to_open(clients: Mapping[str, Client], account: Account) -> Iterator[str]:
    """Those with a page of their own to begin at, which are for this person."""
    return (id_ for id_, client in clients.items() if client.home_uri is not None and is_for(client, account.groups))


def _failures(idp: Idp, inside: Inside) -> Mapping[Factor, bytes]:
    """The rows that count wrong codes, of every factor that the page shows."""
    open_ = {each.factor for each in inside.loaded.authenticators if each.closed_at is None}
    shown = open_ if _mailbox(idp, inside) is None else {*open_, Factor.EMAIL}
    return {each: limits.subject(idp.limits.code_failures, inside.account.id, each.value) for each in shown}


def _mailbox(idp: Idp, inside: Inside) -> str | None:
    offered = Factor.EMAIL in idp.policy.of(inside.account.groups).factors
    to = destination(idp, Factor.EMAIL, inside.account, ()) if offered else None
    return None if to is None else to.hint


def _has_proof_for(idp: Idp, inside: Inside, room: AuthorizationRequest) -> bool:
    """Whether anything this person has opens the room; one that is shut for some minutes (`UNSURE`) says so itself."""
    room = rooms.possible(idp, inside.loaded, room, now=inside.now)
    match rooms.judge(idp, inside.loaded, room, now=inside.now):
        case Refuse(error=error):
            return error != UNMET
        case _:
            return True


def _name_of(idp: Idp, client_id: str | None) -> str | None:
    client = None if client_id is None else idp.registered(client_id)
    return None if client is None else client.name
