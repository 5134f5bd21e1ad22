"""Numbers that nothing is sent to: added when a provider says so, lifted by an operator. `spending` asks for them."""

from uuid import UUID

from idp.audit import NumberSuppressed, NumberUnblocked
from idp.flows.idp import Idp
from idp.sms.phone import Phone, mask
from idp.store.delivery import suppressions


async def suppress(idp: Idp, number: str, *, reason: str, gateway: str, account_id: UUID) -> bool:
    """Send nothing to this number any more. True when that is new."""
    audit = NumberSuppressed(phone=mask(number), reason=reason, gateway=gateway, account=str(account_id))
    number_key = idp.secrets.index(number, purpose=suppressions.PURPOSE)
    return await suppressions.add(idp.db, number_key, reason=reason, audit=audit, now=idp.clock.now())


async def unblock(idp: Idp, phone: Phone) -> str | None:
    """Let messages go to this number again; why none did, or None if nothing was in the way."""
    number_keys = idp.secrets.indexes(phone.e164, purpose=suppressions.PURPOSE)
    audit = NumberUnblocked(phone=phone.masked)
    return await suppressions.remove(idp.db, number_keys, audit=audit, now=idp.clock.now())
