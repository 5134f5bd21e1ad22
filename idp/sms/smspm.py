"""SMSPM (api.smspm.com), the default gateway. JSON by POST: their GET form puts secrets, number and code in a URL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from idp.errors import SettingsError
from idp.model.regions import ByRegion
from idp.settings import Settings, missing_for
from idp.sms import Callback, Channel, Delivery, Message, Outcome, Reason, Receipt, Sent
from idp.sms.phone import region
from idp.sms.wire import Answer, an_id, by_status, code_word, json_object, money, number, parse_json, post

_ERRORS: Mapping[str, tuple[Outcome, Reason]] = {
    "invalid_phone": (Outcome.REJECTED, Reason.INVALID_NUMBER),
    "destination_blocked": (Outcome.REJECTED, Reason.BLOCKED),
    "invalid_params": (Outcome.REJECTED, Reason.UNKNOWN),
    "low_balance": (Outcome.MISCONFIGURED, Reason.NO_FUNDS),
    "invalid_sender": (Outcome.MISCONFIGURED, Reason.SENDER_INVALID),
    "auth_failed": (Outcome.MISCONFIGURED, Reason.AUTH),
    "rate_limit": (Outcome.NOT_SENT, Reason.RATE_LIMITED),
    "server_error": (Outcome.AMBIGUOUS, Reason.PROVIDER_ERROR),
}
# Their older answers are sentences ("Token is required"). A sentence never suppresses a number: it may be misread.
_WORDS: Mapping[str, tuple[Outcome, Reason]] = {
    "token": (Outcome.MISCONFIGURED, Reason.AUTH),
    "hash": (Outcome.MISCONFIGURED, Reason.AUTH),
    "balance": (Outcome.MISCONFIGURED, Reason.NO_FUNDS),
    "sender": (Outcome.MISCONFIGURED, Reason.SENDER_INVALID),
    "fromnumber": (Outcome.MISCONFIGURED, Reason.SENDER_INVALID),
    "message text": (Outcome.REJECTED, Reason.CONTENT_REJECTED),
}
_STATUSES: Mapping[str, tuple[Delivery, Reason | None]] = {
    "queued": (Delivery.QUEUED, None),
    "pending": (Delivery.QUEUED, None),
    "submitted": (Delivery.SENT, None),
    "delivered": (Delivery.DELIVERED, None),
    "failed": (Delivery.UNDELIVERED, Reason.UNKNOWN),
    "undelivered": (Delivery.UNDELIVERED, Reason.UNKNOWN),
    "rejected": (Delivery.UNDELIVERED, Reason.BLOCKED),
    "expired": (Delivery.EXPIRED, Reason.EXPIRED),
}


@dataclass(frozen=True, slots=True)
class SmspmGateway:
    """One account. There is no idempotency key: after an AMBIGUOUS answer the same text may arrive twice."""

    client: httpx.AsyncClient = field(repr=False)
    account: str = field(repr=False)
    token: str = field(repr=False)
    senders: ByRegion[str]
    url: str
    name: str = "smspm"
    channels: frozenset[Channel] = frozenset({Channel.SMS})
    idempotent: bool = False

    async def send(self, message: Message) -> Sent:
        """Try once; see `Gateway.send`."""
        body = {
            "hash": self.account,
            "token": self.token,
            "toNumber": message.to.removeprefix("+"),
            "fromNumber": self.senders.of(region(message.to)),
            "text": message.text,
        }
        if message.receipt_url is not None:
            body["report"] = message.receipt_url
        answer = await post(self.client, self.url, json_body=body)
        return answer if isinstance(answer, Sent) else _judge(answer)

    def receipt(self, callback: Callback) -> list[Receipt]:
        """Read a GET query or a POSTed JSON object. They sign nothing: only the key in our URL says who it is."""
        said: object = callback.query if callback.method == "GET" else parse_json(callback.body)
        if not isinstance(said, Mapping):
            return []
        provider_id = an_id(said.get("messageId") or said.get("id"))
        status = said.get("status")
        if provider_id is None or not isinstance(status, str):
            return []
        delivery, reason = _STATUSES.get(status.lower(), (Delivery.UNKNOWN, None))
        return [Receipt(provider_id, delivery, reason, code_word(status))]


def create(settings: Settings, client: httpx.AsyncClient) -> SmspmGateway:
    """The gateway of `IDP_SMSPM_*`. Raises `SettingsError` that names what is missing."""
    if settings.smspm_hash is None or settings.smspm_token is None:
        raise SettingsError(missing_for("smspm", settings))
    return SmspmGateway(
        client,
        account=settings.smspm_hash.get_secret_value(),
        token=settings.smspm_token.get_secret_value(),
        senders=settings.smspm_from,
        url=settings.smspm_url,
    )


def _judge(answer: Answer) -> Sent:
    body = json_object(answer)
    messages = body.get("messages")
    # We send to one number, so only the first message is ours. It can fail inside a 200.
    first: Mapping[str, Any] = messages[0] if isinstance(messages, list) and messages and _is_map(messages[0]) else body
    status = body.get("status")
    said = body.get("error") or first.get("error") or (status if status != "success" else None)
    known = _ERRORS.get(said.lower()) if isinstance(said, str) else None
    if known is not None:
        return Sent(known[0], reason=known[1], provider_code=code_word(said), retry_after=answer.retry_after)
    if (plain := by_status(answer)) is not None:
        return plain
    if said and (first is body or first.get("error")):
        outcome, reason = _in_words(said)
        return Sent(outcome, reason=reason, provider_code=code_word(said))
    if answer.status >= 400:
        return Sent(Outcome.REJECTED, reason=Reason.UNKNOWN)
    provider_id = an_id(first.get("messageId") or first.get("id"))
    if provider_id is None:
        return Sent(Outcome.AMBIGUOUS, reason=Reason.BAD_RESPONSE)
    currency = body.get("currency")
    return Sent(
        Outcome.ACCEPTED,
        provider_id,
        segments=number(body.get("parts")),
        cost=money(body.get("cost")),
        currency=code_word(currency),
    )


def _is_map(value: object) -> bool:
    return isinstance(value, dict)


def _in_words(said: object) -> tuple[Outcome, Reason]:
    text = said.lower() if isinstance(said, str) else ""
    return next((meaning for word, meaning in _WORDS.items() if word in text), (Outcome.REJECTED, Reason.UNKNOWN))
