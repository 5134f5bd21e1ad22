"""Sending one message, outside all transactions: claim it, choose a gateway, write the try down, call, note the end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID, uuid4

from idp.audit import MessageSent
from idp.errors import SealBroken
from idp.flows.delivery import receipts, spending, swaps
from idp.flows.delivery.outgoing import address_of, masked, subject_of, text_of
from idp.flows.delivery.spending import Cleared
from idp.flows.delivery.suppressions import refuse_mailbox, suppress
from idp.flows.idp import Idp
from idp.model import Swap
from idp.sms import Channel, Gateway, Message, Outcome, Reason, Sent, phone, routing, told
from idp.sms.routing import Later, Over, Tried, Use
from idp.spending import Denied
from idp.store.delivery import breakers, leases, messages
from idp.store.delivery.messages import Outgoing

CALL = timedelta(seconds=12)  # a gateway has 10 s; whoever takes longer is not waited for, as the lease runs
LOST = timedelta(seconds=2)  # until another look at a gateway that somebody else probes


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a claimed message: its state now, and the try if one was made. `opened`: it opened the breaker."""

    message_id: UUID
    state: str
    region: str = breakers.NOWHERE
    gateway: str | None = None
    sent: Sent | None = None
    opened: bool = False
    broke: str | None = None


async def deliver_one(idp: Idp, gateways: Sequence[Gateway]) -> Delivered | None:
    """Claim one waiting message and try to send it once. None if there is none."""
    message = await claim(idp, gateways)
    return None if message is None else await send(idp, gateways, message)


async def claim(idp: Idp, gateways: Sequence[Gateway]) -> Outgoing | None:
    """Take one waiting message that one of these gateways could carry, for as long as the lease runs."""
    channels = sorted({channel.value for gateway in gateways for channel in gateway.channels})
    return await leases.claim(idp.db, channels=channels, now=idp.clock.now())


@dataclass(slots=True)
class _Ways:
    """What leads to one number: gateways in order of preference, what was tried, and which are left alone how long."""

    to: str = field(repr=False)
    region: str | None
    order: Sequence[str]
    tries: list[Tried]
    closed: dict[str, timedelta]

    @property
    def place(self) -> str:
        """The region as breakers and figures call it."""
        return self.region or breakers.NOWHERE


async def send(idp: Idp, gateways: Sequence[Gateway], message: Outgoing) -> Delivered:
    """Try to send a claimed message once, if it may be sent and if a gateway is there for it.

    The try is written down before the gateway is called, so a killed sender causes one more of the same code at most.
    """
    now = idp.clock.now()
    if not message.wanted:
        return Delivered(message.id, await leases.let_go(idp.db, message, "expired", now=now))
    try:
        to, (text, code) = address_of(idp, message), text_of(idp, message)
    except SealBroken as error:
        state = await leases.let_go(idp.db, message, "failed", now=now)
        return Delivered(message.id, state, broke=type(error).__name__)
    ways = _ways(idp, gateways, message, to)
    match await _choose(idp, message, ways):
        case Over():
            state = await leases.let_go(idp.db, message, "failed", region=ways.region, now=now)
            return Delivered(message.id, state, ways.place)
        case Later(wait):
            again_at = now + max(wait, LOST)
            state = await leases.let_go(idp.db, message, "waiting", region=ways.region, again_at=again_at, now=now)
            return Delivered(message.id, state, ways.place)
        case Use(name, probe):
            cleared = await _cleared(idp, message, to, now=now)
            if isinstance(cleared, Denied):
                state = await leases.let_go(
                    idp.db, message, "denied", region=ways.region, denied_by=cleared.rule, now=now
                )
                await _untried(idp, message, ways, name, probe=probe, since=now)
                return Delivered(message.id, state, ways.place)
            swap = await swaps.check(idp, message, to)
            if swap is Swap.SWAPPED:
                await _settle(idp, cleared, Sent(Outcome.NOT_SENT))
                await _untried(idp, message, ways, name, probe=probe, since=now)
                return Delivered(message.id, await swaps.deny(idp, message, to, region=ways.region), ways.place)
            gateway = next(each for each in gateways if each.name == name)
            outgoing = Message(
                attempt_id=uuid4(),
                to=to,
                text=text,
                at=now,
                channel=Channel(message.channel),
                code=code,
                locale=message.locale,
                subject=subject_of(idp, message, text),
                ttl=max(timedelta(seconds=1), message.expires_at - now),
            )
            return await _try(idp, gateway, message, ways, outgoing, cleared, swap=swap, probe=probe)
        case never:
            assert_never(never)


async def _try(
    idp: Idp,
    gateway: Gateway,
    message: Outgoing,
    ways: _Ways,
    outgoing: Message,
    cleared: Cleared | None,
    *,
    swap: Swap | None,
    probe: bool,
) -> Delivered:
    """One call of a provider, written down before and after."""
    lease = await leases.begin(
        idp.db,
        message,
        attempt_id=outgoing.attempt_id,
        gateway=gateway.name,
        region=ways.region,
        most=routing.MOST_TRIES,
        swap=swap,
        now=idp.clock.now(),
    )
    if lease is None:
        await _settle(idp, cleared, Sent(Outcome.NOT_SENT))
        await _untried(idp, message, ways, gateway.name, probe=probe, since=outgoing.at)
        return Delivered(message.id, "gone", ways.place)
    receipt_url = receipts.url(idp, gateway.name, outgoing.attempt_id)
    sent, broke = await _call(gateway, replace(outgoing, receipt_url=receipt_url))
    ways.tries.append(Tried(gateway.name, sent.outcome, sent.reason))
    # First: whoever did not come so far would have it sent again. What is not given back is only counted as spent.
    state = await _mark(idp, message, ways, outgoing.attempt_id, lease, sent)
    await _settle(idp, cleared, sent)
    probed = _probed(message, gateway.name, ways.place) if probe else ()
    opened = await _judge_gateway(idp, gateway.name, ways.place, sent, probe=probed)
    if sent.reason in routing.SUPPRESSES and sent.outcome is Outcome.REJECTED:
        close = suppress if message.channel == Channel.SMS else refuse_mailbox
        await close(idp, ways.to, reason=sent.reason, gateway=gateway.name, account_id=message.account_id)
    return Delivered(message.id, state, ways.place, gateway.name, sent, opened, broke)


async def _cleared(idp: Idp, message: Outgoing, to: str, *, now: datetime) -> Cleared | Denied | None:
    """The one place that forbids a message, after the claim and before any try. None for mail, which costs nothing."""
    return await spending.check(idp, message, to, now=now) if message.channel == Channel.SMS else None


async def _settle(idp: Idp, cleared: Cleared | None, sent: Sent) -> None:
    if cleared is not None:
        await spending.settle(idp, cleared, sent)


def _ways(idp: Idp, gateways: Sequence[Gateway], message: Outgoing, to: str) -> _Ways:
    able = [gateway.name for gateway in gateways if message.channel in gateway.channels]
    region = None
    if message.channel == Channel.SMS:  # mail is not a matter of countries
        region = phone.region(to)
        able = [name for name in idp.settings.gateways_for(region) if name in able]
    tries = [
        Tried(
            each.gateway,
            None if each.outcome is None else Outcome(each.outcome),
            None if each.reason is None else Reason(each.reason),
        )
        for each in message.tries
    ]
    ways = _Ways(to, region, able, tries, {})
    for gateway, where, wait in message.blocked:
        if where in {ways.place, breakers.EVERYWHERE}:
            ways.closed[gateway] = max(wait, ways.closed.get(gateway, wait))
    return ways


def _probed(message: Outgoing, gateway: str, place: str) -> tuple[str, ...]:
    """The regions of the open breakers that a try of this gateway would test."""
    return tuple(
        where for name, where, _ in message.blocked if name == gateway and where in {place, breakers.EVERYWHERE}
    )


async def _untried(idp: Idp, message: Outgoing, ways: _Ways, gateway: str, *, probe: bool, since: datetime) -> None:
    """A probe that came to nothing is somebody else's: messages that are denied must not use them up."""
    now = idp.clock.now()
    if probe and now < since + breakers.PROBE_FOR:
        await breakers.release(idp.db, gateway=gateway, regions=_probed(message, gateway, ways.place), now=now)


async def _choose(idp: Idp, message: Outgoing, ways: _Ways) -> Use | Later | Over:
    """A gateway for this message; one with an open breaker only after becoming its one probe."""
    while True:
        chosen = routing.choose(ways.order, ways.tries, ways.closed)
        if not isinstance(chosen, Use) or not chosen.probe:
            return chosen
        regions = _probed(message, chosen.gateway, ways.place)
        if await breakers.probe(idp.db, gateway=chosen.gateway, regions=regions, now=idp.clock.now()):
            return chosen
        ways.closed[chosen.gateway] = LOST


async def _call(gateway: Gateway, message: Message) -> tuple[Sent, str | None]:
    """One call, whatever the gateway does; and how it broke its contract, if it did."""
    try:
        async with asyncio.timeout(CALL.total_seconds()):
            answered = await gateway.send(message)
    except TimeoutError:
        return Sent(Outcome.AMBIGUOUS, reason=Reason.TIMEOUT), "TimeoutError"
    except Exception as error:  # noqa: BLE001 - somebody else's plug-in; nobody knows whether it sent
        return Sent(Outcome.AMBIGUOUS, reason=Reason.UNKNOWN), type(error).__name__
    sent = told.fit(answered)
    return (Sent(Outcome.AMBIGUOUS, reason=Reason.BAD_RESPONSE), "TypeError") if sent is None else (sent, None)


async def _mark(idp: Idp, message: Outgoing, ways: _Ways, attempt_id: UUID, lease: datetime, sent: Sent) -> str:
    now = idp.clock.now()
    audit = MessageSent(
        message=str(message.id),
        gateway=ways.tries[-1].gateway,
        provider_id=sent.provider_id,
        kind=message.kind,
        to=masked(ways.to),
    )
    state = await leases.mark(
        idp.db,
        attempt_id=attempt_id,
        lease=lease,
        outcome=sent.outcome,
        sent=sent.outcome is Outcome.ACCEPTED,
        final=routing.over(ways.order, ways.tries),
        audit=audit,
        now=now,
        again_at=now + routing.pause(sent, ways.order, ways.tries, ways.closed),
        reason=sent.reason,
        provider_code=sent.provider_code,
        provider_id=sent.provider_id,
        segments=sent.segments,
        cost=None if sent.cost is None else str(sent.cost),
        currency=sent.currency,
    )
    return state or "gone"


async def _judge_gateway(idp: Idp, gateway: str, place: str, sent: Sent, *, probe: Sequence[str]) -> bool:
    """What the answer says about the gateway rather than about the message. True when it opened the breaker."""
    now = idp.clock.now()
    if sent.outcome.value not in breakers.BAD:
        if probe:
            await breakers.close(idp.db, gateway=gateway, regions=probe, now=now)
        return False
    if probe:
        await breakers.reopen(idp.db, gateway=gateway, regions=probe, now=now)
    if sent.outcome is Outcome.MISCONFIGURED:
        return await breakers.trip(idp.db, gateway=gateway, now=now)
    return not probe and await breakers.count(idp.db, gateway=gateway, region=place, now=now)


_DELIVERY = {"waiting": "sending", "sent": "sent", "failed": "failed", "expired": "failed", "denied": "failed"}
_REPORTED = {"delivered": "delivered", "undelivered": "failed", "expired": "failed"}


async def delivery_of(idp: Idp, interaction_id: UUID, channel: Channel = Channel.SMS) -> str:
    """How far an interaction's latest code of a channel got: unknown, sending, sent, delivered, failed or swapped."""
    return how_far(await messages.state_of(idp.db, interaction_id=interaction_id, channel=channel), idp.clock.now())


def how_far(found: messages.Progress | None, now: datetime) -> str:
    """The same of a message that is known already."""
    if found is None:
        return "unknown"
    if found.denied_by == swaps.DENIED_BY:
        return "swapped"
    if found.state == "waiting" and found.expires_at <= now + messages.MARGIN:
        return "failed"  # nobody sends it any more
    known = _DELIVERY[found.state]
    return _REPORTED.get(found.reported or "", known) if known == "sent" else known
