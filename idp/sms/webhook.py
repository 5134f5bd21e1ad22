"""A gateway of the operator's own behind HTTP, signed both ways as Standard Webhooks say. What it does is theirs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC

import httpx

from idp.crypto import webhook_key
from idp.errors import SettingsError
from idp.settings import Settings, missing_for
from idp.sms import BadSignature, Callback, Channel, Delivery, Message, Outcome, Reason, Receipt, Sent, signing
from idp.sms.wire import Answer, an_id, by_status, json_object, parse_json, post

# What a refusal means, by its reason; all others refuse this number or text.
_OUTCOMES: Mapping[Reason, Outcome] = {
    Reason.SENDER_INVALID: Outcome.MISCONFIGURED,
    Reason.NO_FUNDS: Outcome.MISCONFIGURED,
    Reason.AUTH: Outcome.MISCONFIGURED,
    Reason.RATE_LIMITED: Outcome.NOT_SENT,
    Reason.NETWORK: Outcome.NOT_SENT,
    Reason.TIMEOUT: Outcome.AMBIGUOUS,
    Reason.PROVIDER_ERROR: Outcome.AMBIGUOUS,
    Reason.BAD_RESPONSE: Outcome.AMBIGUOUS,
}


@dataclass(frozen=True, slots=True)
class WebhookGateway:
    """One URL. The attempt's id goes along as an idempotency key, so that a try that is repeated is sent once."""

    client: httpx.AsyncClient = field(repr=False)
    url: str = field(repr=False)
    key: bytes = field(repr=False)
    name: str = "webhook"
    channels: frozenset[Channel] = frozenset({Channel.SMS})
    idempotent: bool = True

    async def send(self, message: Message) -> Sent:
        """Try once; see `Gateway.send`."""
        event_id, timestamp = str(message.attempt_id), str(int(message.at.timestamp()))
        data = {
            "id": event_id,
            "channel": message.channel,
            "to": message.to,
            "text": message.text,
            "code": message.code,
            "locale": message.locale,
            "ttl_seconds": max(1, int(message.ttl.total_seconds())),
            "receipt_url": message.receipt_url,
        }
        at = message.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = json.dumps({"type": "message.send", "timestamp": at, "data": data}).encode()
        headers = {
            "content-type": "application/json",
            "webhook-id": event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signing.webhook(self.key, event_id=event_id, timestamp=timestamp, body=body),
            "idempotency-key": event_id,
        }
        answer = await post(self.client, self.url, content=body, headers=headers)
        return answer if isinstance(answer, Sent) else _judge(answer)

    def receipt(self, callback: Callback) -> list[Receipt]:
        """Read a signed event `message.status`. Others may come, and say nothing to us."""
        if not signing.webhook_signed(self.key, callback.headers, callback.body, now=callback.received_at):
            raise BadSignature("The receipt is not signed with IDP_WEBHOOK_SECRET, or too long ago.")
        event = parse_json(callback.body)
        data = event.get("data") if isinstance(event, dict) and event.get("type") == "message.status" else None
        if not isinstance(data, dict) or (provider_id := an_id(data.get("id"))) is None:
            return []
        status, reason = data.get("status"), _reason(data.get("reason"))
        delivery = next((each for each in Delivery if each == status), Delivery.UNKNOWN)
        return [Receipt(provider_id, delivery, reason, reason)]


def create(settings: Settings, client: httpx.AsyncClient) -> WebhookGateway:
    """The gateway of `IDP_WEBHOOK_*`. Raises `SettingsError` that names what is missing."""
    url, secret = settings.webhook_url, settings.webhook_secret
    key = None if secret is None else webhook_key(secret.get_secret_value())
    if url is None or key is None:
        raise SettingsError(missing_for("webhook", settings))
    return WebhookGateway(client, url, key)


def _judge(answer: Answer) -> Sent:
    body = json_object(answer)
    reason = _reason(body.get("reason")) if 400 <= answer.status < 500 else None
    if reason is not None:
        outcome = _OUTCOMES.get(reason, Outcome.REJECTED)
        return Sent(outcome, reason=reason, provider_code=reason, retry_after=answer.retry_after)
    if (plain := by_status(answer)) is not None:
        return plain
    if answer.status >= 400:
        return Sent(Outcome.REJECTED, reason=Reason.UNKNOWN)
    provider_id = an_id(body.get("id"))
    if provider_id is None:
        return Sent(Outcome.AMBIGUOUS, reason=Reason.BAD_RESPONSE)
    return Sent(Outcome.ACCEPTED, provider_id)


def _reason(word: object) -> Reason | None:
    return next((reason for reason in Reason if reason == word), None)
