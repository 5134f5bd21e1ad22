"""Numbers and mailboxes that nothing is sent to: because a provider says so. An operator lifts one of a number."""

from uuid import UUID

from idp.audit import MailboxRefused, NumberSuppressed, NumberUnblocked
from idp.flows.delivery.outgoing import masked
from idp.flows.idp import Idp
from idp.sms.phone import Phone, mask
from idp.store.delivery import suppressions
from idp.store.engine import Connection


async def suppress(idp: Idp, number: str, *, reason: str, gateway: str, account_id: UUID) -> bool:
    """Send nothing to this number any more. True when that is new."""
    audit = NumberSuppressed(phone=mask(number), reason=reason, gateway=gateway, account=str(account_id))
    number_key = idp.secrets.index(number, purpose=suppressions.PURPOSE)
    return await suppressions.add(idp.db, number_key, reason=reason, audit=audit, now=idp.clock.now())


async def refuse_mailbox(idp: Idp, address: str, *, reason: str, gateway: str, account_id: UUID) -> bool:
    """Send no mail to this address any more, if it is this person's still. True when that is new.

    Then what they are told goes to their phones, and no code is mailed, until the address is verified anew.
    """
    audit = MailboxRefused(email=masked(address), reason=reason, gateway=gateway)
    return await suppressions.refuse_mailbox(
        idp.db, account_id=account_id, address=address, audit=audit, now=idp.clock.now()
    )


async def unblock(conn: Connection, idp: Idp, phone: Phone) -> str | None:
    """Let messages go to this number again; why none did, or None if nothing was in the way."""
    number_keys = idp.secrets.indexes(phone.e164, purpose=suppressions.PURPOSE)
    audit = NumberUnblocked(phone=phone.masked)
    return await suppressions.remove(conn, number_keys, audit=audit, now=idp.clock.now())
