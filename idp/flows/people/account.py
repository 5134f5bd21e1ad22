"""The account page and what can be done from it: applications, sessions, the password. Authenticators are elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from idp import limits
from idp.audit import (
    AuthenticatorAdded,
    AuthenticatorRemoved,
    CodeSent,
    ConsentGiven,
    ConsentWithdrawn,
    FactorRefused,
    FactorVerified,
    GrantRevoked,
    PasswordChanged,
    RecoveryCodesMade,
    SignedOut,
)
from idp.factors import password as passwords
from idp.factors.strength import Problem, acceptable
from idp.flows.delivery.notices import reaches, tell
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.flows.people import rooms
from idp.flows.people.rooms import Inside, Outside, TooOften, charge, end_elsewhere, enter, still
from idp.flows.signin.authorize import ToClient
from idp.flows.signin.destinations import destination
from idp.model import AuthorizationRequest, Factor, Notice, Session
from idp.policy import UNMET, Barrier, Refuse, shut
from idp.store import audits, rate_limits
from idp.store.people import accounts
from idp.store.signin import sessions
from idp.store.tokens import consents, grants

ACTIVITY = 30
TWICE = timedelta(minutes=1)  # what is done is done for whoever asks for it again so soon
_SHOWN = [
    event.name
    for event in (
        FactorVerified,
        FactorRefused,
        CodeSent,
        ConsentGiven,
        ConsentWithdrawn,
        AuthenticatorAdded,
        AuthenticatorRemoved,
        RecoveryCodesMade,
        PasswordChanged,
        SignedOut,
    )
]


@dataclass(frozen=True, slots=True)
class Consented:
    """An application this person agreed to, by its name; its id where it is registered no more."""

    client_id: str
    name: str
    scopes: tuple[str, ...]
    since: datetime


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
    `reached`: there is a channel on which this person is told what happens. `barrier`: why nothing sensitive opens now.
    """

    inside: Inside
    consents: Sequence[Consented]
    sessions: Sequence[Session]
    activity: Sequence[Happened]
    closed: frozenset[Factor]
    mailbox: str | None
    reached: bool
    may_change_password: bool
    may_add_authenticator: bool
    may_renew_codes: bool
    barrier: Barrier | None


@dataclass(frozen=True, slots=True)
class Done:
    """It is done, or there was nothing (left) to do."""


@dataclass(frozen=True, slots=True)
class Weak:
    """Nothing was changed: why this cannot be the new password. `same`: it is the one there is."""

    problems: tuple[Problem, ...] = ()
    same: bool = False


async def home(idp: Idp, visitor: Visitor) -> Home | Outside:
    """Everything the account page shows, for whoever has proved two factors."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    account_id, now, lives = inside.account.id, inside.now, idp.policy.sessions
    live = await sessions.of_account(
        idp.db, account_id=account_id, idle_since=now - lives.idle, life_since=now - lives.life
    )
    events = await audits.of_account(idp.db, account_id=account_id, names=_SHOWN, limit=ACTIVITY)
    return Home(
        inside=inside,
        consents=[
            Consented(client_id, _name_of(idp, client_id) or client_id, scopes, since)
            for client_id, scopes, since in await consents.of_account(idp.db, account_id=account_id)
        ],
        sessions=live,
        activity=[Happened(at, name, _name_of(idp, client_id), fields) for at, name, client_id, fields in events],
        closed=await _closed(idp, inside),
        mailbox=_mailbox(idp, inside),
        reached=reaches(idp, inside.account, inside.loaded.authenticators),
        may_change_password=not isinstance(rooms.judge(idp, inside.loaded, rooms.PASSWORD, now=now), Refuse),
        may_add_authenticator=_has_proof_for(idp, inside, rooms.ENROL),
        may_renew_codes=_has_proof_for(idp, inside, rooms.RECOVERY),
        barrier=None if (refuse := shut(inside.account, now)) is None else refuse.barrier,
    )


def _mailbox(idp: Idp, inside: Inside) -> str | None:
    to = destination(idp, Factor.EMAIL, inside.account, ()) if Factor.EMAIL in idp.policy.factors else None
    return None if to is None else to.hint


def _has_proof_for(idp: Idp, inside: Inside, room: AuthorizationRequest) -> bool:
    """Whether anything this person has opens the room; one that is shut for some minutes (`UNSURE`) says so itself."""
    match rooms.judge(idp, inside.loaded, room, now=inside.now):
        case Refuse(error=error):
            return error != UNMET
        case _:
            return True


def _name_of(idp: Idp, client_id: str | None) -> str | None:
    client = None if client_id is None else idp.registered(client_id)
    return None if client is None else client.name


async def _closed(idp: Idp, inside: Inside) -> frozenset[Factor]:
    found = set()
    open_ = {each.factor for each in inside.loaded.authenticators if each.closed_at is None}
    for factor in open_ if _mailbox(idp, inside) is None else {*open_, Factor.EMAIL}:
        key = limits.subject(idp.limits.code_failures, inside.account.id, factor.value)
        state = await rate_limits.peek(idp.db, key)
        if limits.wait(idp.limits.code_failures, state, now=inside.now) is None:
            found.add(factor)
    return frozenset(found)


async def withdraw(idp: Idp, visitor: Visitor, *, client_id: str) -> Done | Outside:
    """Disconnect an application: forget the consent and end all it was granted."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    account_id, now = inside.account.id, inside.now
    async with idp.db.transaction() as conn:
        # Codes on their way too, or the next consent would make them good again. Before the consent, as proofs lock it.
        await sessions.new_generations(conn, account_id=account_id)
        if await consents.withdraw(conn, account_id=account_id, client_id=client_id):
            await grants.revoke_of_client(
                conn, account_id=account_id, client_id=client_id, audit=GrantRevoked(why="withdrawn"), now=now
            )
            await audits.add(conn, ConsentWithdrawn(), now=now, account_id=account_id, client_id=client_id)
    return Done()


async def end_session(idp: Idp, visitor: Visitor, *, session_id: UUID) -> Done | Outside:
    """Sign out one of this person's browsers."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    account_id, now = inside.account.id, inside.now
    async with idp.db.transaction() as conn:
        if await sessions.end(conn, session_id=session_id, account_id=account_id, now=now):
            await audits.add(conn, SignedOut(why="one"), now=now, account_id=account_id)
    return Done()


async def end_other_sessions(idp: Idp, visitor: Visitor) -> Done | Outside:
    """Sign out every other browser of this person, and end what was granted there."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    async with idp.db.transaction() as conn:
        ended = await end_elsewhere(conn, inside, why="others", here_too=False)
        await audits.add(conn, SignedOut(why="others", sessions=ended), now=inside.now, account_id=inside.account.id)
    return Done()


async def _just_changed(idp: Idp, inside: Inside) -> bool:
    rows = await audits.of_account(idp.db, account_id=inside.account.id, names=[PasswordChanged.name], limit=1)
    return any(at > inside.now - TWICE for at, *_ in rows)


async def change_password(idp: Idp, visitor: Visitor, *, new: str) -> Done | Weak | TooOften | Outside:
    """Set another password. Every other session ends, and every grant, those made in this one too."""
    inside = await enter(idp, visitor, rooms.PASSWORD)
    if not isinstance(inside, Inside):
        return inside
    account = inside.account
    words = (idp.settings.brand, account.name or "", (account.email or "").partition("@")[0])
    problems = acceptable(new, username=account.username, words=words)
    parsed = passwords.parse(new)
    if problems or parsed is None:
        return Weak(tuple(problems))
    if (refused := await charge(idp, inside)) is not None:
        return refused
    old = await accounts.password_hash(idp.db, account_id=account.id)
    if old is not None and await idp.passwords.verify(parsed, hashed=old):
        # Who clicks twice sees the second answer alone.
        return Done() if await _just_changed(idp, inside) else Weak(same=True)
    hashed = await idp.passwords.hash_password(parsed)
    async with idp.db.transaction() as conn:
        again = await still(conn, idp, visitor, rooms.PASSWORD, account_id=account.id)
        if again is not None:
            await accounts.set_password(conn, account_id=account.id, password_hash=hashed, now=again.now)
            await end_elsewhere(conn, again, why="password", here_too=True)
            await audits.add(conn, PasswordChanged(), now=again.now, account_id=account.id)
            await tell(
                idp,
                conn,
                again.account,
                Notice.PASSWORD_CHANGED,
                locale=message_language(idp, visitor, again.account),
                now=again.now,
            )
            return Done()
    return ToClient(rooms.PASSWORD, ())
