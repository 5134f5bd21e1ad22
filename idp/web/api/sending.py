"""Messages and money by the API: gateways, deliveries, spending, numbers and blocks that are closed."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec

from idp.flows.operate.deliveries import unblock_number
from idp.flows.operate.people import parse_phone
from idp.flows.operate.sending import STATES, Sending, closed_blocks, deliveries_page, open_block, sending_now
from idp.flows.operate.spending import explain_number, spending_counters
from idp.policy import Act
from idp.sms.phone import spelled
from idp.store.delivery.denials import Denials, Traffic
from idp.store.delivery.messages import Logged
from idp.web.api.endpoints import Asked, Body, Done, Endpoint, Paged, key_in
from idp.web.api.reading import invalid


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message and one try to send it, to a masked address; without a gateway none was made."""

    message: UUID
    kind: str
    channel: str
    to: str
    asked_at: datetime
    state: str
    denied_by: str | None
    sim_swap: str | None
    at: datetime | None
    gateway: str | None
    region: str | None
    outcome: str | None
    reason: str | None
    provider_id: str | None
    provider_code: str | None
    delivery: str | None
    delivery_reason: str | None
    delivery_at: datetime | None
    segments: int | None
    cost: str | None
    currency: str | None


class Deliveries(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of the last 24 hours, newest first, one line for each try."""

    messages: list[Delivery]
    next: str | None


class DeliverySearch(Paged, frozen=True, kw_only=True):
    """Which messages."""

    person: Annotated[str, msgspec.Meta(max_length=200, description="The username.")] | None = None
    state: Annotated[str, msgspec.Meta(max_length=20, description=f"One of {', '.join(STATES)}.")] | None = None


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """The last 24 hours: what was denied or would have been, what never-verified numbers got, and the money."""

    denied: list[Denials]
    traffic: list[Traffic]
    closed_blocks: int
    spent: dict[str, Decimal]


class BlockShown(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers in a row that are closed. `id` does not tell which."""

    id: str
    region: str
    closed_until: datetime


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """The blocks that are closed now to who never verified a number of theirs."""

    blocks: list[BlockShown]


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The country of a block that is open again."""

    region: str


class Number(Body, frozen=True, kw_only=True):
    """A phone number."""

    phone: Annotated[str, msgspec.Meta(max_length=60, description="With its country code, as in +37251234567.")]


class Ruled(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule finds, and what its mode makes of it."""

    rule: str
    mode: str
    found: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen to a code, and why."""

    answer: str
    rules: list[Ruled]


class NumberExplained(msgspec.Struct, frozen=True, kw_only=True):
    """The rules for one number, masked, for who never verified it and for who did."""

    phone: str
    region: str | None
    never_verified: Verdict
    verified_before: Verdict


class Unblocked(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a number was closed, and why."""

    phone: str
    unblocked: bool
    reason: str | None


def delivery(to: str, one: Logged) -> Delivery:
    """A message as `idp sms log --json` shows it."""
    return Delivery(
        message=one.message.id,
        kind=one.message.kind,
        channel=one.message.channel,
        to=to,
        asked_at=one.message.created_at,
        state=one.state,
        denied_by=one.denied_by,
        sim_swap=one.swap,
        at=one.started_at,
        gateway=one.gateway,
        region=one.region,
        outcome=one.outcome,
        reason=one.reason,
        provider_id=one.provider_id,
        provider_code=one.provider_code,
        delivery=one.delivery,
        delivery_reason=one.delivery_reason,
        delivery_at=one.delivery_at,
        segments=one.segments,
        cost=one.cost,
        currency=one.currency,
    )


async def _now(asked: Asked) -> Done:
    return Done(await sending_now(asked.idp))


async def _deliveries(asked: Asked) -> Done:
    query: DeliverySearch = asked.query
    try:
        after = None if query.after is None else UUID(query.after)
    except ValueError:
        raise invalid("There is no such place to go on from: begin again at the first page.") from None
    page = await deliveries_page(asked.idp, username=query.person, state=query.state, after=after, limit=query.limit)
    lines = [delivery(to, one) for to, one in page.lines]
    return Done(Deliveries(messages=lines, next=None if page.after is None else str(page.after)))


async def _spending(asked: Asked) -> Done:
    found = await spending_counters(asked.idp)
    spent = {period.value: money for period, money in found.spent.items()}
    body = Money(denied=list(found.denied), traffic=list(found.traffic), closed_blocks=found.closed_blocks, spent=spent)
    return Done(body)


async def _blocks(asked: Asked) -> Done:
    found = await closed_blocks(asked.idp)
    shown = [BlockShown(id=one.key.hex(), region=one.region, closed_until=one.closed_until) for one in found]
    return Done(Blocks(blocks=shown))


async def _open_block(asked: Asked) -> Done:
    return Done(Opened(region=await open_block(asked.idp, key_in(asked.path["block"]))))


async def _explain(asked: Asked) -> Done:
    number: Number = asked.body
    typed = spelled(number.phone)
    if not typed.lstrip("+(")[:1].isdecimal():
        raise invalid("It must be a phone number with its country code, as in +37251234567.")
    found = await explain_number(asked.idp, typed)

    def verdict(answer: str, rulings: object) -> Verdict:
        assert isinstance(rulings, list)
        rules = [Ruled(rule=each.rule.value, mode=each.mode.value, found=each.found) for each in rulings]
        return Verdict(answer=answer, rules=rules)

    body = NumberExplained(
        phone=found.phone,
        region=found.region,
        never_verified=verdict(found.answer, found.unverified),
        verified_before=verdict(found.answer_verified, found.verified),
    )
    return Done(body)


async def _unblock(asked: Asked) -> Done:
    number: Number = asked.body
    phone = parse_phone(number.phone, region=asked.idp.settings.sms_region)
    why = await unblock_number(asked.idp, phone)
    return Done(Unblocked(phone=phone.masked, unblocked=why is not None, reason=why))


_SEE, _CHANGE = Act.SEE_SENDING, Act.CHANGE_SENDING

ENDPOINTS = (
    Endpoint("GET", "/sending", "show_sending", _SEE, _now, "Gateways, hours and the queue", answers=Sending),
    Endpoint(
        "GET",
        "/sending/deliveries",
        "list_deliveries",
        _SEE,
        _deliveries,
        "What became of messages",
        query=DeliverySearch,
        answers=Deliveries,
    ),
    Endpoint("GET", "/sending/spending", "show_spending", _SEE, _spending, "Money and denials", answers=Money),
    Endpoint(
        "POST",
        "/sending/explain",
        "explain_number",
        _SEE,
        _explain,
        "What would happen to a code for a number",
        "Nothing is sent, booked or counted.",
        takes=Number,
        answers=NumberExplained,
    ),
    Endpoint("GET", "/sending/blocks", "list_blocks", _SEE, _blocks, "Closed blocks of numbers", answers=Blocks),
    Endpoint(
        "POST", "/sending/blocks/{block}/open", "open_block", _CHANGE, _open_block, "Open a block", answers=Opened
    ),
    Endpoint(
        "POST",
        "/sending/numbers/open",
        "open_number",
        _CHANGE,
        _unblock,
        "Let messages go to a number again",
        takes=Number,
        answers=Unblocked,
    ),
)
