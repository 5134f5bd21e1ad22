"""The phones there are: look at one, name it, put it first, remove it. Adding one is in `new_phone`."""

from dataclasses import dataclass
from uuid import UUID

from idp.audit import AuthenticatorRemoved
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.flows.people import rooms
from idp.flows.people.account import Done
from idp.flows.people.apps import just_removed
from idp.flows.people.enrol import LONGEST_LABEL, Slip, label_of
from idp.flows.people.leaving import Last, Loses, without
from idp.flows.people.recovery import Nothing
from idp.flows.people.rooms import Inside, Outside, enter, permission, settle, still
from idp.flows.signin.authorize import ToClient
from idp.flows.signin.destinations import phones_of
from idp.model import Factor, Notice
from idp.store import audits
from idp.store.people import authenticators


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone of a person who may change it. `first`: codes go there first; `others`: there are more."""

    inside: Inside
    hint: str
    label: str
    first: bool
    others: bool
    loss: Last | Loses


async def phone(idp: Idp, visitor: Visitor, phone_id: UUID) -> Phone | Nothing | Outside:
    """The phone, for whoever could remove it."""
    inside = await enter(idp, visitor, rooms.phone(phone_id))
    return _phone(idp, inside, phone_id) if isinstance(inside, Inside) else inside


def _phone(idp: Idp, inside: Inside, phone_id: UUID) -> Phone | Nothing:
    theirs = phones_of(inside.loaded.authenticators)
    found = next((each for each in theirs if each.id == phone_id), None)
    if found is None:
        return Nothing()
    loss = without(idp, inside, phone_id)
    return Phone(inside, found.hint, found.label, first=theirs[0] is found, others=len(theirs) > 1, loss=loss)


async def rename(
    idp: Idp, visitor: Visitor, phone_id: UUID, *, label: str
) -> Done | tuple[Phone, Slip] | Nothing | Outside:
    """Give a phone another name."""
    found = await phone(idp, visitor, phone_id)
    if not isinstance(found, Phone):
        return found
    label = label_of(label)
    if not 0 < len(label) <= LONGEST_LABEL:
        return found, Slip.LABEL_TOO_LONG if label else Slip.NO_LABEL
    account_id = found.inside.account.id
    renamed = await authenticators.rename(idp.db, authenticator_id=phone_id, account_id=account_id, label=label)
    return Done() if renamed else Nothing()


async def prefer(idp: Idp, visitor: Visitor, phone_id: UUID) -> Done | Nothing | Outside:
    """Let codes go to this phone first."""
    found = await phone(idp, visitor, phone_id)
    if not isinstance(found, Phone):
        return found
    account_id, now = found.inside.account.id, found.inside.now
    put = await authenticators.prefer(idp.db, authenticator_id=phone_id, account_id=account_id, now=now)
    return Done() if put else Nothing()


async def remove(idp: Idp, visitor: Visitor, phone_id: UUID) -> Done | Last | Nothing | Outside:
    """Close a phone for ever. Every other session ends, and every grant that was not made in this one.

    Exactly one of any number of callers does; one right behind it hears `Done`. The last way to sign in stays.
    """
    found = await _remove(idp, visitor, phone_id)
    if not isinstance(found, Done | Last) and await just_removed(idp, visitor, phone_id):
        return Done()  # who clicks twice sees the second answer alone
    return found


async def _remove(idp: Idp, visitor: Visitor, phone_id: UUID) -> Done | Last | Nothing | Outside:
    room = rooms.phone(phone_id)
    found = await phone(idp, visitor, phone_id)
    if not isinstance(found, Phone):
        return found
    account_id = found.inside.account.id
    async with idp.db.transaction() as conn:
        again = await still(conn, idp, visitor, room, account_id=account_id)
        if again is None:
            return ToClient(room, ())
        now_it_is = _phone(idp, again, phone_id)
        if isinstance(now_it_is, Nothing):
            return now_it_is
        if isinstance(now_it_is.loss, Last):
            return now_it_is.loss
        if not await authenticators.close(
            conn, authenticator_id=phone_id, account_id=account_id, now=again.now, hold=None
        ):
            return Nothing()
        may = permission(idp, again)
        await settle(conn, again, may, why="authenticator")
        if may.hold:
            # Whoever removes one with a stolen other must not silence the person: threats 1 and 8.
            await authenticators.keep_telling(
                conn, authenticator_id=phone_id, account_id=account_id, until=again.now + may.hold
            )
        removed = AuthenticatorRemoved(Factor.SMS, str(phone_id))
        await audits.add(conn, removed, now=again.now, account_id=account_id)
        language = message_language(idp, visitor, again.account)
        notice = Notice.AUTHENTICATOR_REMOVED
        await tell(idp, conn, again.account, notice, locale=language, now=again.now, also=phone_id)
    return Done()
