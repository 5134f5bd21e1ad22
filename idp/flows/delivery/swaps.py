"""Whether the SIM of a number was changed lately: asked by the sender before a code is tried, never by a request."""

import structlog

from idp import metrics
from idp.audit import SimSwapped
from idp.flows.delivery.outgoing import CODE
from idp.flows.idp import Idp
from idp.flows.sealed import PHONE_INDEX
from idp.model import Swap
from idp.sms import Channel, intel
from idp.sms.phone import mask
from idp.store.delivery import swaps
from idp.store.delivery.messages import Outgoing

_log = structlog.get_logger("idp.swaps")
DENIED_BY = swaps.DENIED_BY


async def check(idp: Idp, message: Outgoing, number: str) -> Swap | None:
    """What is known of the SIM now. None where nobody is asked: not configured, or nothing secret in the message.

    What was seen changed stays changed while the answer is missing, or whoever stops us from asking would be believed.
    """
    if idp.intel is None or message.channel != Channel.SMS or message.kind != CODE:
        return None
    began = idp.clock.now()
    age = idp.settings.sim_swap_age
    verdict, broke = await intel.ask(idp.intel, number, age)
    metrics.observe_swap(verdict, (idp.clock.now() - began).total_seconds())
    if broke is not None:
        _log.error("number intel broke", name=idp.intel.name, error=broke)
    seen = message.swapped_at
    if verdict is Swap.UNKNOWN and seen is not None and seen > began - age:
        return Swap.SWAPPED
    return verdict


async def deny(idp: Idp, message: Outgoing, number: str, *, region: str | None) -> str:
    """No code to this number, and none that went to it counts any more. The message's state afterwards."""
    event = SimSwapped(message=str(message.id), phone=mask(number))
    state = await swaps.deny(
        idp.db,
        message,
        number_keys=idp.secrets.indexes(number, purpose=PHONE_INDEX),
        region=region,
        audit=event,
        now=idp.clock.now(),
    )
    _log.warning("sim swapped", message=event.message, masked=event.phone)
    return state
