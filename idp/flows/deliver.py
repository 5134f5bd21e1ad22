"""Sending what waits in the outbox, outside all transactions: claim, derive the text, call the gateway, note it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from idp.errors import SealBroken
from idp.factors import sms as codes
from idp.flows.idp import Idp
from idp.flows.sealed import CODE_KEY, NUMBER, bound
from idp.sms import Gateway, Message, Outcome, Sent
from idp.sms.phone import mask
from idp.sms.text import Notice, code_text, notice_text
from idp.store import messages
from idp.store.messages import Outgoing

CODE = "code"
RETRY_AFTER = timedelta(seconds=2)
SHOWN_FOR = timedelta(hours=1)  # in the development inbox


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one try: the message, the gateway that was called, its answer, and the message's state now."""

    message_id: UUID
    gateway: str
    sent: Sent
    state: str


async def deliver_one(idp: Idp, gateways: tuple[Gateway, ...]) -> Delivered | None:
    """Send the oldest waiting message. None if there is none.

    The try is recorded before the gateway is called, so a killed sender can cause one more of the same code at most.
    """
    attempt_id = uuid4()
    names = [gateway.name for gateway in gateways]
    message = await messages.claim(idp.db, attempt_id=attempt_id, gateways=names, now=idp.clock.now())
    if message is None:
        return None
    gateway = gateways[(message.tries - 1) % len(gateways)]
    try:
        outgoing = _outgoing(idp, message, attempt_id)
    except SealBroken:
        sent = Sent(Outcome.REJECTED)
    else:
        sent = await gateway.send(outgoing)
    now = idp.clock.now()
    final, again = _judge(sent, others=len(gateways) > 1)
    state = await messages.mark(
        idp.db,
        attempt_id=attempt_id,
        outcome=sent.outcome,
        sent=sent.outcome is Outcome.ACCEPTED,
        final=final,
        now=now,
        again_at=None if final else now + again,
        reason=sent.reason,
        provider_code=sent.provider_code,
        provider_id=sent.provider_id,
        segments=sent.segments,
        cost=None if sent.cost is None else str(sent.cost),
        currency=sent.currency,
    )
    return Delivered(message.id, gateway.name, sent, state or "gone")


def _judge(sent: Sent, *, others: bool) -> tuple[bool, timedelta]:
    """Whether that was the last try, and else when the next one may be: at once where it goes to another gateway."""
    match sent.outcome:
        case Outcome.ACCEPTED | Outcome.REJECTED:
            return True, timedelta(0)
        case Outcome.NOT_SENT | Outcome.AMBIGUOUS | Outcome.MISCONFIGURED:
            return False, timedelta(0) if others else max(RETRY_AFTER, sent.retry_after or RETRY_AFTER)
        case never:
            assert_never(never)


def _outgoing(idp: Idp, message: Outgoing, attempt_id: UUID) -> Message:
    number = number_of(idp, message)
    text, code = text_of(idp, message)
    now = idp.clock.now()
    return Message(
        attempt_id=attempt_id,
        to=number,
        text=text,
        at=now,
        code=code,
        locale=message.locale,
        ttl=max(timedelta(seconds=1), message.expires_at - now),
    )


def number_of(idp: Idp, message: Outgoing) -> str:
    """The number a message goes to. Raises `SealBroken`."""
    if message.sealed_number is None:
        raise SealBroken("A phone without a number.")
    where = bound(message.account_id, message.authenticator_id)
    return idp.secrets.unseal(message.sealed_number, purpose=NUMBER, bound_to=where).decode()


def text_of(idp: Idp, message: Outgoing) -> tuple[str, str | None]:
    """The text of a message, and its code if it carries one; both derived now, neither is stored anywhere."""
    brand = idp.settings.brand
    if message.kind != CODE:
        return notice_text(Notice(message.kind), brand=brand), None
    assert message.nonce is not None
    assert message.key_id is not None
    assert message.purpose is not None
    key = idp.secrets.subkey(CODE_KEY, message.key_id)
    code = codes.code(key=key, nonce=message.nonce, purpose=message.purpose)
    host = urlsplit(idp.issuer).hostname or ""
    ttl = message.expires_at - message.created_at
    return code_text(code=code, brand=brand, host=host, ttl=ttl), code


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of the development inbox."""

    to: str
    message: Outgoing
    text: str
    code: str | None


async def inbox(idp: Idp) -> list[Shown]:
    """What was sent in the last hour, with its text. Only for development: see `Settings.dev`."""
    shown = []
    for message in await messages.recent(idp.db, since=idp.clock.now() - SHOWN_FOR):
        try:
            text, code = text_of(idp, message)
            shown.append(Shown(mask(number_of(idp, message)), message, text, code))
        except SealBroken:
            continue
    return shown


_DELIVERY = {"waiting": "sending", "sent": "sent", "failed": "failed", "expired": "failed"}


async def delivery_of(idp: Idp, interaction_id: UUID) -> str:
    """How far the latest text message of an interaction got: unknown, sending, sent or failed."""
    found = await messages.state_of(idp.db, interaction_id=interaction_id)
    return "unknown" if found is None else _DELIVERY[found[0]]
