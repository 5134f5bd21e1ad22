"""Vonage (rest.nexmo.com, once Nexmo): form by POST, always answered 200, a status for each part. No SDK.

Receipts are signed where the account has a signature secret; without one only the key in our URL says who it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import httpx

from idp.errors import SettingsError
from idp.model.regions import ByRegion
from idp.settings import Settings, missing_for
from idp.sms import BadSignature, Callback, Channel, Delivery, Message, Outcome, Reason, Receipt, Sent, signing
from idp.sms.phone import region
from idp.sms.text import gsm7_septets
from idp.sms.wire import (
    Answer,
    Meaning,
    an_id,
    by_status,
    code_word,
    json_object,
    money,
    parse_form,
    parse_json,
    post,
    spell,
)

ERRORS: Mapping[str, Meaning] = {
    **dict.fromkeys(("1", "10"), (Outcome.NOT_SENT, Reason.RATE_LIMITED)),
    "3": (Outcome.REJECTED, Reason.INVALID_NUMBER),
    "4": (Outcome.MISCONFIGURED, Reason.AUTH),
    "5": (Outcome.AMBIGUOUS, Reason.PROVIDER_ERROR),
    "6": (Outcome.REJECTED, Reason.UNROUTABLE),
    "7": (Outcome.REJECTED, Reason.BLOCKED),
    "9": (Outcome.MISCONFIGURED, Reason.NO_FUNDS),
    "15": (Outcome.MISCONFIGURED, Reason.SENDER_INVALID),
    "29": (Outcome.MISCONFIGURED, Reason.NO_FUNDS),  # a trial account sends to its owner only until it is paid for
    **dict.fromkeys(("8", "11", "14", "32"), (Outcome.MISCONFIGURED, Reason.AUTH)),  # barred, not enabled, unsigned
    "12": (Outcome.REJECTED, Reason.CONTENT_REJECTED),
}
_STATUSES: Mapping[str, tuple[Delivery, Reason | None]] = {
    "accepted": (Delivery.SENT, None),
    "buffered": (Delivery.SENT, None),
    "delivered": (Delivery.DELIVERED, None),
    "expired": (Delivery.EXPIRED, Reason.EXPIRED),
    "failed": (Delivery.UNDELIVERED, Reason.UNKNOWN),
    "rejected": (Delivery.UNDELIVERED, Reason.BLOCKED),
    "unknown": (Delivery.UNKNOWN, None),
}
# err-code of a receipt, where it says more than its status
_FAILURES: Mapping[str, Reason] = {
    **dict.fromkeys(("2", "3", "7", "12", "15"), Reason.UNREACHABLE),
    **dict.fromkeys(("4", "6", "13", "14"), Reason.BLOCKED),
    **dict.fromkeys(("5", "11"), Reason.UNROUTABLE),
    "9": Reason.INVALID_NUMBER,
    "10": Reason.CONTENT_REJECTED,
}
_TTL = (20_000, 604_800_000)  # milliseconds: the least and the most they take


@dataclass(frozen=True, slots=True)
class VonageGateway:
    """One account. There is no idempotency key: after an AMBIGUOUS answer the same text may arrive twice."""

    client: httpx.AsyncClient = field(repr=False)
    key: str
    secret: str = field(repr=False)
    signature: str | None = field(repr=False)
    senders: ByRegion[str]
    url: str
    name: str = "vonage"
    channels: frozenset[Channel] = frozenset({Channel.SMS})
    idempotent: bool = False

    async def send(self, message: Message) -> Sent:
        """Try once; see `Gateway.send`."""
        form = {
            "api_key": self.key,
            "api_secret": self.secret,
            "from": self.senders.of(region(message.to)).removeprefix("+"),
            "to": message.to.removeprefix("+"),
            "text": message.text,
            "ttl": str(max(_TTL[0], min(_TTL[1], int(message.ttl.total_seconds()) * 1000))),
            "client-ref": str(message.attempt_id),
        }
        if gsm7_septets(message.text) is None:
            form["type"] = "unicode"
        if message.receipt_url is not None:
            form["callback"] = message.receipt_url
        answer = await post(self.client, self.url, form=form)
        return answer if isinstance(answer, Sent) else _judge(answer)

    def receipt(self, callback: Callback) -> list[Receipt]:
        """Read a query, a form or a JSON object: the account's owner chooses which of them Vonage sends."""
        said = _said(callback)
        if self.signature is not None:
            given = said.get("sig", "").lower()
            wanted = signing.vonage(self.signature, said, like=given)
            if wanted is None or not signing.same(given, wanted):
                raise BadSignature("The receipt is not signed with IDP_VONAGE_SIGNATURE_SECRET (SHA-256 or SHA-512).")
            if not signing.recent(said.get("timestamp", ""), callback.received_at):
                raise BadSignature("The receipt was signed too long ago.")
        provider_id, status = an_id(said.get("messageId")), said.get("status")
        if provider_id is None or status is None:
            return []
        delivery, reason = _STATUSES.get(status.lower(), (Delivery.UNKNOWN, None))
        code = code_word(said.get("err-code"))
        if delivery is Delivery.UNDELIVERED:
            reason = _FAILURES.get(code or "", reason)
        return [Receipt(provider_id, delivery, reason, code)]


def create(settings: Settings, client: httpx.AsyncClient) -> VonageGateway:
    """The gateway of `IDP_VONAGE_*`. Raises `SettingsError` that names what is missing."""
    key, secret, senders = settings.vonage_api_key, settings.vonage_api_secret, settings.vonage_from
    if key is None or secret is None or senders is None:
        raise SettingsError(missing_for("vonage", settings))
    signature = settings.vonage_signature_secret
    return VonageGateway(
        client,
        key=key,
        secret=secret.get_secret_value(),
        signature=None if signature is None else signature.get_secret_value(),
        senders=senders,
        url=settings.vonage_url,
    )


def _said(callback: Callback) -> dict[str, str]:
    if callback.method == "GET":
        return dict(callback.query)
    found = parse_json(callback.body)
    if isinstance(found, dict):
        return {str(name): spelt for name, value in found.items() if (spelt := spell(value)) is not None}
    return dict(parse_form(callback.body))


def _judge(answer: Answer) -> Sent:
    if (plain := by_status(answer)) is not None:
        return plain
    if answer.status >= 400:
        return Sent(Outcome.REJECTED, reason=Reason.UNKNOWN)
    found = json_object(answer).get("messages")
    parts = [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []
    statuses = {code_word(spell(part.get("status"))) for part in parts}
    failed = sorted(status or "" for status in statuses - {"0"})
    if not failed and parts and (provider_id := an_id(parts[0].get("message-id"))):
        prices = [money(part.get("message-price")) for part in parts]
        cost = sum((price for price in prices if price is not None), Decimal(0)) if None not in prices else None
        return Sent(
            Outcome.ACCEPTED, provider_id, segments=len(parts), cost=cost, currency=None if cost is None else "EUR"
        )
    # Without a status, or with some parts of the text on their way and some not, nobody knows what arrives.
    if not failed or failed == [""] or "0" in statuses:
        return Sent(Outcome.AMBIGUOUS, reason=Reason.BAD_RESPONSE)
    outcome, reason = ERRORS.get(failed[0], (Outcome.REJECTED, Reason.UNKNOWN))
    return Sent(outcome, reason=reason, provider_code=failed[0] or None, retry_after=answer.retry_after)
