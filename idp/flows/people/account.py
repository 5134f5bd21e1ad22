"""What can be done from the account page: applications, sessions, the password. Authenticators are elsewhere."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from idp.audit import ConsentWithdrawn, GrantRevoked, PasswordChanged, SignedOut
from idp.factors import password as passwords
from idp.factors.strength import Problem, acceptable
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.flows.people import rooms
from idp.flows.people.rooms import (
    Barred,
    Inside,
    Outside,
    TooOften,
    charge,
    end_elsewhere,
    enter,
    permission,
    settle,
    still,
)
from idp.flows.signin.authorize import ToClient
from idp.model import Notice
from idp.store import audits
from idp.store.people import accounts
from idp.store.signin import sessions
from idp.store.tokens import consents, grants

TWICE = timedelta(minutes=1)  # what is done is done for whoever asks for it again so soon


@dataclass(frozen=True, slots=True)
class Done:
    """It is done, or there was nothing (left) to do."""


@dataclass(frozen=True, slots=True)
class Weak:
    """Nothing was changed: why this cannot be the new password. `same`: it is the one there is."""

    problems: tuple[Problem, ...] = ()
    same: bool = False


async def withdraw(idp: Idp, visitor: Visitor, *, client_id: str) -> Done | Outside:
    """Disconnect an application: forget the consent, if there was one, and end all it was granted."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    account_id, now = inside.account.id, inside.now
    async with idp.db.transaction() as conn:
        # Codes on their way too, or the next consent would make them good again. Before the consent, as proofs lock it.
        await sessions.new_generations(conn, account_id=account_id)
        forgotten = await consents.withdraw(conn, account_id=account_id, client_id=client_id)
        revoked = await grants.revoke_of_client(
            conn, account_id=account_id, client_id=client_id, audit=GrantRevoked(why="withdrawn"), now=now
        )
        if forgotten or revoked:
            await audits.add(conn, ConsentWithdrawn(), now=now, account_id=account_id, client_id=client_id)
    return Done()


async def end_session(idp: Idp, visitor: Visitor, *, session_id: UUID) -> Done | Outside:
    """Sign out one of this person's browsers."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    account_id, now = inside.account.id, inside.now
    end = sessions.end if session_id == inside.session.id else sessions.end_elsewhere
    async with idp.db.transaction() as conn:
        if await end(conn, session_id=session_id, account_id=account_id, now=now):
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


async def _repeated(idp: Idp, visitor: Visitor, barred: Outside) -> Done | Outside:
    """Who clicks twice sees the second answer alone: a change that closes what is strong closes the room it is in."""
    inside = await enter(idp, visitor, rooms.HOME) if isinstance(barred, Barred) else barred
    return Done() if isinstance(inside, Inside) and await _just_changed(idp, inside) else barred


async def change_password(idp: Idp, visitor: Visitor, *, new: str) -> Done | Weak | TooOften | Outside:
    """Set another password. Every other session ends, and every grant, those made in this one too."""
    inside = await enter(idp, visitor, rooms.PASSWORD)
    if not isinstance(inside, Inside):
        return await _repeated(idp, visitor, inside)
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
            may = permission(idp, again)
            await settle(conn, again, may, why="password")
            changed = PasswordChanged(hold=round(may.closed.total_seconds()) or None)
            await audits.add(conn, changed, now=again.now, account_id=account.id)
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
