"""An operator's look at what was sent to a person, and the list of numbers that nothing is sent to."""

from uuid import UUID

from idp.errors import SealBroken
from idp.flows.delivery import suppressions
from idp.flows.delivery.outgoing import address_of, masked
from idp.flows.idp import Idp
from idp.flows.operate.confirming import at_work
from idp.flows.operate.finding import find_user
from idp.flows.operate.permitting import permit
from idp.policy import Act
from idp.sms.phone import Phone
from idp.store.delivery import messages
from idp.store.delivery.messages import Logged


async def sent_to(idp: Idp, who: str | UUID, *, limit: int) -> list[tuple[str, Logged]]:
    """The latest messages of a person, newest first, each try with its masked address. Raises `NotThere`."""
    person = await find_user(idp, who, to=Act.SEE_SENDING)
    found = await messages.log(idp.db, account_id=person.account.id, limit=limit)
    return [(masked_address(idp, logged), logged) for logged in found]


def masked_address(idp: Idp, logged: Logged) -> str:
    """Where it went, as far as it is told."""
    try:
        return masked(address_of(idp, logged.message))
    except SealBroken:
        return "?"


async def unblock_number(idp: Idp, phone: Phone) -> str | None:
    """Let messages go to a suppressed number again; why none did, or None if it was not suppressed."""
    permit(idp, Act.CHANGE_SENDING)
    async with idp.db.transaction() as conn:
        why = await suppressions.unblock(conn, idp, phone)
        await at_work(conn, idp)
    return why
