"""The authenticator apps and passkeys there are: look at one, give it another name, remove it. Adding is elsewhere."""

from dataclasses import dataclass
from uuid import UUID

from idp.audit import AuthenticatorRemoved
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.flows.people import rooms
from idp.flows.people.account import TWICE
from idp.flows.people.enrol import LONGEST_LABEL, Slip, label_of
from idp.flows.people.leaving import Last, Loses, without
from idp.flows.people.recovery import Nothing
from idp.flows.people.rooms import Inside, Outside, enter, permission, settle, still
from idp.flows.signin.authorize import ToClient
from idp.model import STRONG, Factor, Notice
from idp.store import audits
from idp.store.people import authenticators


@dataclass(frozen=True, slots=True)
class App:
    """One authenticator app or passkey of a person who may change it. `last`: there is no other of either."""

    inside: Inside
    factor: Factor
    label: str
    last: bool
    loss: Last | Loses


async def app(idp: Idp, visitor: Visitor, authenticator_id: UUID) -> App | Nothing | Outside:
    """The app, for whoever could remove it."""
    inside = await enter(idp, visitor, rooms.authenticator(authenticator_id))
    return _app(idp, inside, authenticator_id) if isinstance(inside, Inside) else inside


def _app(idp: Idp, inside: Inside, authenticator_id: UUID) -> App | Nothing:
    apps = {each.id: each for each in inside.loaded.authenticators if each.factor in STRONG and each.closed_at is None}
    found = apps.get(authenticator_id)
    if found is None:
        return Nothing()
    loss = without(idp, inside, authenticator_id)
    return App(inside, found.factor, found.label, last=len(apps) == 1, loss=loss)


async def rename(
    idp: Idp, visitor: Visitor, authenticator_id: UUID, *, label: str
) -> Factor | tuple[App, Slip] | Nothing | Outside:
    """Give an app or a passkey another name; which of the two it is."""
    found = await app(idp, visitor, authenticator_id)
    if not isinstance(found, App):
        return found
    label = label_of(label)
    if not 0 < len(label) <= LONGEST_LABEL:
        return found, Slip.LABEL_TOO_LONG if label else Slip.NO_LABEL
    account_id = found.inside.account.id
    renamed = await authenticators.rename(idp.db, authenticator_id=authenticator_id, account_id=account_id, label=label)
    return found.factor if renamed else Nothing()


async def remove(idp: Idp, visitor: Visitor, authenticator_id: UUID) -> Factor | Last | Nothing | Outside:
    """Close an app or a passkey for ever; which of the two it was.

    Every other session ends, and every grant that was not made in this one.

    Exactly one of any number of callers does; one right behind it hears the same.
    """
    found = await _remove(idp, visitor, authenticator_id)
    if isinstance(found, Factor | Last):
        return found
    return await just_removed(idp, visitor, authenticator_id) or found  # who clicks twice sees the second answer alone


async def just_removed(idp: Idp, visitor: Visitor, authenticator_id: UUID) -> Factor | None:
    """What kind of theirs was closed a moment ago, by the first of two presses; None if that one was not."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return None
    for each in inside.loaded.authenticators:
        if each.id == authenticator_id and each.closed_at is not None and each.closed_at > inside.now - TWICE:
            return each.factor
    return None


async def _remove(idp: Idp, visitor: Visitor, authenticator_id: UUID) -> Factor | Last | Nothing | Outside:
    room = rooms.authenticator(authenticator_id)
    found = await app(idp, visitor, authenticator_id)
    if not isinstance(found, App):
        return found
    account_id, factor = found.inside.account.id, found.factor
    async with idp.db.transaction() as conn:
        again = await still(conn, idp, visitor, room, account_id=account_id)
        if again is None:
            return ToClient(room, ())
        may = permission(idp, again)
        there = _app(idp, again, authenticator_id)
        if isinstance(there, App) and isinstance(there.loss, Last):
            return there.loss
        if isinstance(there, Nothing) or not await authenticators.close(
            conn,
            authenticator_id=authenticator_id,
            account_id=account_id,
            now=again.now,
            hold=may.hold or None,
        ):
            return Nothing()
        await settle(conn, again, may, why="authenticator")
        removed = AuthenticatorRemoved(factor, str(authenticator_id))
        await audits.add(conn, removed, now=again.now, account_id=account_id)
        language = message_language(idp, visitor, again.account)
        await tell(
            idp,
            conn,
            again.account,
            Notice.AUTHENTICATOR_REMOVED,
            locale=language,
            now=again.now,
            about=authenticator_id,
        )
    return factor
