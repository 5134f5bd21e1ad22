"""The loop that keeps sending: claims into free slots, woken by new messages or every second. Runs in every worker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from idp import metrics
from idp.errors import IdpError
from idp.flows.delivery import deliver
from idp.flows.delivery.deliver import Delivered
from idp.flows.idp import Idp
from idp.sms import Gateway, Outcome, Reason
from idp.store.delivery import breakers, messages
from idp.store.delivery.messages import Outgoing

_log = structlog.get_logger("idp.senders")
SLOTS = 16  # messages of one worker that are on their way at the same time
POLL = timedelta(seconds=1)
FINISH = timedelta(seconds=10)  # what was begun before the end
_ADVICE = {
    Reason.AUTH: "check its credentials in the settings, and at the provider that they are not revoked",
    Reason.NO_FUNDS: "its account is empty or suspended: pay the provider",
    Reason.SENDER_INVALID: "the provider does not accept the sender: register it there, or set another one",
}


@asynccontextmanager
async def sending(idp: Idp, gateways: Sequence[Gateway], wake: asyncio.Event) -> AsyncIterator[None]:
    """Send for as long as this lasts. At the end nothing new is claimed, and what is on its way may finish."""
    stop = asyncio.Event()
    under_way: set[asyncio.Task[None]] = set()
    loop = asyncio.create_task(_keep_sending(idp, gateways, wake, stop, under_way))
    try:
        yield
    finally:
        stop.set()
        wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH.total_seconds()):
                await asyncio.gather(loop, return_exceptions=True)
                await asyncio.gather(*under_way, return_exceptions=True)
        for task in (loop, *under_way):
            task.cancel()
        await asyncio.gather(loop, *under_way, return_exceptions=True)


async def _keep_sending(
    idp: Idp,
    gateways: Sequence[Gateway],
    wake: asyncio.Event,
    stop: asyncio.Event,
    under_way: set[asyncio.Task[None]],
) -> None:
    free = asyncio.Semaphore(SLOTS)
    while True:
        # Claimed is what can leave at once: a message in a queue of this worker would be nobody's if it died.
        await free.acquire()
        # Before looking: what comes in between wakes us again.
        wake.clear()
        message = None if stop.is_set() else await _claim(idp, gateways)
        if message is None:
            free.release()
            if stop.is_set():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL.total_seconds()):
                    await wake.wait()
            continue
        task = asyncio.create_task(_send(idp, gateways, message))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        task.add_done_callback(lambda _: free.release())


async def _claim(idp: Idp, gateways: Sequence[Gateway]) -> Outgoing | None:
    try:
        return await deliver.claim(idp, gateways)
    except IdpError as error:
        _log.warning("sender", error=type(error).__name__, detail=str(error))
    except Exception as error:  # noqa: BLE001 - the loop outlives whatever is wrong with one row
        _log.error("sender", error=type(error).__name__)
    return None


async def _send(idp: Idp, gateways: Sequence[Gateway], message: Outgoing) -> None:
    """One message. Whatever goes wrong, the lease ends and somebody looks again."""
    try:
        tell(await deliver.send(idp, gateways, message))
    except IdpError as error:
        _log.warning("sender", message=str(message.id), error=type(error).__name__, detail=str(error))
    except Exception as error:  # noqa: BLE001 - one message must not end the sending of all others
        _log.error("sender", message=str(message.id), error=type(error).__name__)


def tell(delivered: Delivered) -> None:
    """Count it and log it; what an operator has to mend is an error that says how."""
    sent, gateway = delivered.sent, delivered.gateway
    if delivered.broke is not None:
        _log.error("sender broke", message=str(delivered.message_id), gateway=gateway, error=delivered.broke)
    if sent is None or gateway is None:
        metrics.observe_unsent(delivered.state)
        _log.info("sms", message=str(delivered.message_id), region=delivered.region, state=delivered.state)
        return
    metrics.observe_sms(gateway, delivered.region, sent.outcome)
    if sent.outcome is Outcome.MISCONFIGURED:
        advice = _ADVICE.get(sent.reason or Reason.UNKNOWN, "check its settings, and its account at the provider")
        metrics.observe_misconfigured(gateway, sent.reason or Reason.UNKNOWN)
        _log.error(
            "gateway misconfigured",
            gateway=gateway,
            reason=sent.reason,
            provider_code=sent.provider_code,
            advice=advice,
        )
    elif delivered.opened:
        _log.error(
            "gateway fails",
            gateway=gateway,
            region=delivered.region,
            reason=sent.reason,
            advice="it is left alone for a minute, then tried again; is the provider up, and reachable from here?",
        )
    _log.info(
        "sms",
        message=str(delivered.message_id),
        gateway=gateway,
        region=delivered.region,
        outcome=sent.outcome,
        reason=sent.reason,
        state=delivered.state,
    )


async def read_figures(idp: Idp) -> None:
    """How the queue and the breakers stand, for /metrics."""
    now = idp.clock.now()
    waiting, oldest = await messages.backlog(idp.db, now=now)
    metrics.set_waiting(waiting, timedelta(0) if oldest is None else max(timedelta(0), now - oldest))
    for breaker in await breakers.states(idp.db, now=now):
        metrics.set_breaker(breaker.gateway, breaker.region, breaker.state)
