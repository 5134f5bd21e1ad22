"""Which second factor a person wants to be asked for first. It orders what is offered, and offers nothing."""

from collections.abc import Sequence

from idp.audit import AccountChanged
from idp.flows.idp import Idp, Visitor
from idp.flows.people import rooms
from idp.flows.people.account import Done
from idp.flows.people.recovery import Nothing
from idp.flows.people.rooms import Inside, Outside, enter
from idp.model import SECOND, TRAITS, Factor
from idp.store import audits
from idp.store.people import accounts


def choices(idp: Idp, inside: Inside) -> Sequence[Factor]:
    """What this person can be asked for first: what they have that counts for them, and does not get used up."""
    counting = idp.policy.of(inside.account.groups).factors
    held = {each.factor for each in inside.loaded.authenticators if each.closed_at is None}
    if inside.account.mailbox is not None:
        held.add(Factor.EMAIL)
    return [each for each in SECOND if each in held and each in counting and not TRAITS[each].once]


async def prefer(idp: Idp, visitor: Visitor, factor: Factor | None) -> Done | Nothing | Outside:
    """Be asked for this one first wherever it will do; with None for what was used last in the browser."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    if factor is not None and factor not in choices(idp, inside):
        return Nothing()
    account_id = inside.account.id
    async with idp.db.transaction() as conn:
        if await accounts.set_prefers(conn, account_id=account_id, factor=factor):
            change = AccountChanged(change=f"asked first for: {factor or 'whatever fits'}", by="person")
            await audits.add(conn, change, now=inside.now, account_id=account_id)
    return Done()
