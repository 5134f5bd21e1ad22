"""The browsers that a person signed in from: look at one, name it, forget it."""

from dataclasses import dataclass

from idp.audit import AccountChanged, DeviceForgotten
from idp.flows.idp import Idp, Visitor
from idp.flows.people import rooms
from idp.flows.people.account import Done
from idp.flows.people.enrol import LONGEST_LABEL, Slip, label_of
from idp.flows.people.recovery import Nothing
from idp.flows.people.rooms import Inside, Outside, enter
from idp.store import audits
from idp.store.people import devices
from idp.store.people.devices import Known
from idp.store.signin import sessions


@dataclass(frozen=True, slots=True)
class Device:
    """One browser of a person; `here`: the very one that asks."""

    inside: Inside
    known: Known
    here: bool


async def device(idp: Idp, visitor: Visitor, key: bytes) -> Device | Nothing | Outside:
    """The browser of this key, for the person whose it is."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    found = await devices.one(idp.db, account_id=inside.account.id, key=key, now=inside.now)
    if found is None:
        return Nothing()
    return Device(inside, found, here=inside.loaded.device is not None and inside.loaded.device.key == key)


async def rename(
    idp: Idp, visitor: Visitor, key: bytes, *, label: str
) -> Done | tuple[Device, Slip] | Nothing | Outside:
    """Give a browser another name; none is the one that it tells of itself."""
    found = await device(idp, visitor, key)
    if not isinstance(found, Device):
        return found
    label = label_of(label)
    if len(label) > LONGEST_LABEL:
        return found, Slip.LABEL_TOO_LONG
    account_id = found.inside.account.id
    async with idp.db.transaction() as conn:
        if not await devices.rename(conn, account_id=account_id, key=key, label=label):
            return Nothing()
        renamed = AccountChanged(change=f"device renamed: {key.hex()}", by="person")
        await audits.add(conn, renamed, now=found.inside.now, account_id=account_id)
    return Done()


async def forget(idp: Idp, visitor: Visitor, key: bytes) -> Done | Outside:
    """From now on the browser counts as one that nobody knows; it is signed out, unless it is the one that asks.

    Who presses twice sees the second answer alone: there is nothing left to do.
    """
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    account_id, now = inside.account.id, inside.now
    async with idp.db.transaction() as conn:
        if await devices.forget(conn, account_id=account_id, key=key):
            for session_id in await devices.signed_in(conn, account_id=account_id, key=key):
                if session_id != inside.session.id:
                    await sessions.end_elsewhere(conn, session_id=session_id, account_id=account_id, now=now)
            await audits.add(conn, DeviceForgotten(device=key.hex()), now=now, account_id=account_id)
    return Done()
