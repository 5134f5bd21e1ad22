"""Mail that came back, and complaints: the try is noted, and where they say so for good the mailbox is closed."""

from dataclasses import dataclass

from idp.flows.delivery.outgoing import masked
from idp.flows.delivery.suppressions import refuse_mailbox
from idp.flows.idp import Idp
from idp.sms import Delivery
from idp.sms.bounces import Returned
from idp.sms.routing import SUPPRESSES
from idp.store.delivery import receipts


@dataclass(frozen=True, slots=True)
class Taken:
    """What a report told us: about which (masked) address, why, and whether no mail goes there any more since now."""

    to: str
    reason: str
    closed: bool


async def take(idp: Idp, returned: Returned, *, gateway: str = "smtp") -> Taken | None:
    """Note a report. None when it is not about a mail that we sent, or tells nothing new."""
    reported = await receipts.report(
        idp.db,
        attempt_id=returned.attempt_id,
        gateway=gateway,
        provider_id=returned.provider_id,
        status=Delivery.UNDELIVERED,
        reason=returned.reason,
        provider_code=returned.code,
        now=idp.clock.now(),
    )
    if reported is None:
        return None
    closed = returned.reason in SUPPRESSES and await refuse_mailbox(
        idp, returned.to, reason=returned.reason, gateway=gateway, account_id=reported.account_id
    )
    return Taken(masked(returned.to), returned.reason, closed)
