"""Whether a claimed message may be sent, asked after the claim and before the try; and what it cost afterwards.

The request that asked for the code knows nothing of it: a denied request looks like any other.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import assert_never
from uuid import UUID

import structlog

from idp import metrics
from idp.audit import BudgetReached, CountryClosed, MessageDenied
from idp.flows.idp import Idp
from idp.flows.sealed import PHONE_INDEX
from idp.sentences import sentence
from idp.sms import Outcome, Sent
from idp.sms.phone import Described, describe, mask
from idp.spending import Allowed, Closes, Denied, Facts, Mode, Objection, Period, Rule, decide
from idp.spending.table import BLOCK_DIGITS
from idp.store.batches import BATCH
from idp.store.delivery import bookings, denials, suppressions
from idp.store.delivery import spending as standings
from idp.store.delivery.messages import Outgoing
from idp.store.delivery.spending import Recipient

_log = structlog.get_logger("idp.spending")
CODE = "code"
BELIEVED = 100  # times what a message is thought to cost: a slip of the provider must not use up the month
ROUNDS = 5  # somebody else was faster; each round sees what they took
NEAR, USED_UP, STOP = 1, 2, 3
_WORDS = {NEAR: "near", USED_UP: "used_up", STOP: "stop"}
_UNUSED = frozenset({Outcome.NOT_SENT, Outcome.REJECTED, Outcome.MISCONFIGURED})


@dataclass(frozen=True, slots=True)
class Cleared:
    """It may be sent, and is paid for. Hand it to `settle` when the try is over."""

    recipient: Recipient
    price: Decimal
    slot: bool
    booked_at: datetime


async def check(idp: Idp, message: Outgoing, number: str, *, now: datetime) -> Cleared | Denied:
    """Judge one message by all rules and book it: two statements. Never over a hard limit, however many ask at once."""
    phone = describe(number)
    assert message.authenticator_id is not None  # every text message has one
    recipient = recipient_of(
        idp,
        account_id=message.account_id,
        authenticator_id=message.authenticator_id,
        number=number,
        phone=phone,
    )
    for _ in range(ROUNDS):
        facts = await facts_of(idp, recipient, phone, asks=message.kind == CODE, now=now)
        match decide(facts, idp.spending):
            case Denied() as denied:
                await _deny(idp, message, recipient, number, denied, facts, now=now)
                return denied
            case Allowed(shadow=shadow):
                cleared = await _book(idp, recipient, facts, now=now)
                if cleared is not None:
                    await _note(idp, message, recipient, number, shadow, now=now)
                    return cleared
            case never:
                assert_never(never)
    crowded = Denied(Objection(Rule.MONEY, sentence("too many senders at once")))
    await _deny(idp, message, recipient, number, crowded, Facts(), now=now)
    return crowded


def recipient_of(
    idp: Idp, *, account_id: UUID, authenticator_id: UUID, number: str, phone: Described | None
) -> Recipient:
    """A phone as the counters know it."""
    return Recipient(
        account_id=account_id,
        authenticator_id=authenticator_id,
        number_key=idp.secrets.index(number, purpose=PHONE_INDEX),
        block_key=idp.secrets.index(number[:-BLOCK_DIGITS], purpose="sms-block"),
        region=(phone.region if phone else None) or "",
        suppressed_keys=tuple(idp.secrets.indexes(number, purpose=suppressions.PURPOSE)),
    )


async def facts_of(idp: Idp, recipient: Recipient, phone: Described | None, *, asks: bool, now: datetime) -> Facts:
    """What the rules look at, in one statement."""
    found = await standings.standing(idp.db, recipient, per=idp.spending.neighbours.per, now=now)
    return Facts(
        readable=phone is not None,
        region=phone.region if phone else None,
        textable=phone is not None and phone.textable,
        suppressed=found.suppressed,
        known=found.known,
        asks=asks,
        neighbours=found.neighbours,
        block_closed=found.block_closed,
        sends=found.sends,
        verified=found.verified,
        region_closed=found.region_closed,
        spent=found.spent,
    )


async def _book(idp: Idp, recipient: Recipient, facts: Facts, *, now: datetime) -> Cleared | None:
    """Take what the message needs. None when somebody else took the last of it since the facts were read."""
    table = idp.spending
    slot = facts.asks and not facts.known
    price = table.price(facts.region)
    enforced = table.modes[Rule.MONEY] is Mode.ENFORCE
    caps = {period: table.money.cap(period, known=facts.known) if enforced else None for period in Period}
    most = table.neighbours.numbers - 1 if table.modes[Rule.NEIGHBOURS] is Mode.ENFORCE else None
    booked = await bookings.book(
        idp.db, recipient, slot=slot, most=most, price=price, caps=caps, per=table.neighbours.per, now=now
    )
    cleared = Cleared(recipient, price, slot, now)
    if not booked.paid:
        if booked.placed:
            await bookings.leave_block(idp.db, recipient)
        return None
    for period in Period:
        if booked.spent[period] >= table.money.told_at(period) and booked.told[period] < NEAR:
            await _tell(idp, period, NEAR, now=now)
    return cleared


async def settle(idp: Idp, cleared: Cleared, sent: Sent) -> None:
    """What a try came to: nothing was sent, and all is given back; or the gateway told the price."""
    if sent.outcome in _UNUSED:
        await bookings.adjust(
            idp.db, cleared.recipient, slot=cleared.slot, difference=-cleared.price, booked_at=cleared.booked_at
        )
    elif sent.cost is not None and sent.currency == idp.spending.money.currency and sent.cost != cleared.price:
        difference = abs(sent.cost) - cleared.price
        if difference > BELIEVED * max(cleared.price, Decimal(1)):
            _log.warning("sms price not believed", region=cleared.recipient.region)
            return
        await bookings.adjust(idp.db, cleared.recipient, slot=False, difference=difference, booked_at=cleared.booked_at)


async def _deny(
    idp: Idp, message: Outgoing, recipient: Recipient, number: str, denied: Denied, facts: Facts, *, now: datetime
) -> None:
    """Count and audit it, close what it closes, and tell when it was the money."""
    await _note(idp, message, recipient, number, denied.shadow, now=now)
    await _object(idp, message, recipient, number, denied.objection, Mode.ENFORCE, now=now)
    if denied.rule is Rule.MONEY and denied.objection.period is not None:
        await _tell(idp, denied.objection.period, STOP if facts.known else USED_UP, now=now)


async def _note(
    idp: Idp, message: Outgoing, recipient: Recipient, number: str, shadow: tuple[Objection, ...], *, now: datetime
) -> None:
    for objection in shadow:
        await _object(idp, message, recipient, number, objection, Mode.SHADOW, now=now)


async def _object(
    idp: Idp, message: Outgoing, recipient: Recipient, number: str, objection: Objection, mode: Mode, *, now: datetime
) -> None:
    event = MessageDenied(
        message=str(message.id),
        phone=mask(number),
        rule=objection.rule.value,
        mode=mode.value,
        region=recipient.region or None,
    )
    await denials.record(idp.db, recipient, event, now=now)
    metrics.observe_denied(objection.rule, mode)
    _log.info("sms denied", message=str(message.id), masked=event.phone, rule=event.rule, mode=event.mode)
    match objection.closes:
        case None:
            return
        case Closes.BLOCK:
            await denials.close_block(idp.db, recipient, until=now + idp.spending.neighbours.closed, now=now)
        case Closes.REGION:
            until = now + idp.spending.conversion.closed
            closed = CountryClosed(region=recipient.region, mode=mode.value, until=until.isoformat())
            if await denials.close_region(idp.db, closed, until=until, now=now):
                _log.warning("sms country closed", region=recipient.region, mode=mode.value, until=until.isoformat())


async def _tell(idp: Idp, period: Period, level: int, *, now: datetime) -> None:
    """One log line and one audit row for each crossing, however many messages cross."""
    money = idp.spending.money
    event = BudgetReached(
        period=period.value, reached=_WORDS[level], budget=str(money.budgets[period]), currency=money.currency
    )
    if await denials.tell(idp.db, event, level=level, now=now):
        metrics.observe_budget(period, _WORDS[level])
        _log.warning("sms budget", **event.fields())


async def observe(idp: Idp, *, now: datetime) -> None:
    """Add what was verified to the buckets, and set the figures that `/metrics` shows."""
    while await denials.settle(idp.db) == BATCH:
        continue
    for traffic in await denials.traffic(idp.db, now=now):
        metrics.set_verified(traffic.region, traffic.verified / traffic.sends if traffic.sends else 1.0)
    spent = await denials.spent(idp.db, now=now)
    for period in Period:
        metrics.set_money(period, spent=float(spent[period]), budget=float(idp.spending.money.budgets[period]))
