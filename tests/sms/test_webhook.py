"""The operator's own gateway: what it is told, what its answers mean, and which receipts are believed."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from idp.crypto import webhook_key
from idp.errors import SettingsError
from idp.settings import Settings
from idp.sms import BadSignature, Callback, Delivery, Message, Outcome, Reason, Receipt, Sent, signing
from idp.sms.webhook import WebhookGateway, create
from idp.testing import CODE, MOMENT, HttpGatewayContract, Provider, a_callback, a_message

URL = "https://sms.example/send"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = webhook_key(SECRET) or b""


def over(client: httpx.AsyncClient) -> WebhookGateway:
    return WebhookGateway(client, URL, KEY)


def sends(provider: Provider, message: Message | None = None) -> Sent:
    async def send() -> Sent:
        async with httpx.AsyncClient(transport=httpx.MockTransport(provider)) as client:
            return await over(client).send(message or a_message())

    return asyncio.run(send())


def answers(status: int, body: object, headers: dict[str, str] | None = None) -> Sent:
    return sends(lambda _: httpx.Response(status, json=body, headers=headers))


class TestWebhookKeepsTheContract(HttpGatewayContract):
    signs_receipts = True

    def over(self, client: httpx.AsyncClient) -> WebhookGateway:
        return over(client)

    def accepts(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        return httpx.Response(202, json={"id": "m-1"})

    def secrets(self) -> tuple[str, ...]:
        return (SECRET, repr(KEY))


def test_an_event_goes_out_signed_as_standard_webhooks_say() -> None:
    requests: list[httpx.Request] = []

    def provider(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"id": "m-1"})

    message = a_message()
    assert sends(provider, message) == Sent(Outcome.ACCEPTED, "m-1")
    (request,) = requests
    assert (request.method, str(request.url)) == ("POST", URL)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == request.headers["idempotency-key"] == str(message.attempt_id)
    assert request.headers["webhook-timestamp"] == "1768478400"
    assert signing.webhook_signed(KEY, dict(request.headers), request.content, now=MOMENT)
    assert json.loads(request.content) == {
        "type": "message.send",
        "timestamp": "2026-01-15T12:00:00.000Z",
        "data": {
            "id": str(message.attempt_id),
            "channel": "sms",
            "to": message.to,
            "text": message.text,
            "code": CODE,
            "locale": "en",
            "ttl_seconds": 300,
            "receipt_url": message.receipt_url,
        },
    }


@pytest.mark.parametrize("status", [200, 201, 202])
def test_three_ways_to_accept(status: int) -> None:
    assert answers(status, {"id": 7}) == Sent(Outcome.ACCEPTED, "7")


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("invalid_number", Outcome.REJECTED),
        ("not_mobile", Outcome.REJECTED),
        ("unroutable", Outcome.REJECTED),
        ("opted_out", Outcome.REJECTED),
        ("fraud_blocked", Outcome.REJECTED),
        ("country_disabled", Outcome.REJECTED),
        ("sender_invalid", Outcome.MISCONFIGURED),
        ("no_funds", Outcome.MISCONFIGURED),
        ("auth", Outcome.MISCONFIGURED),
        ("rate_limited", Outcome.NOT_SENT),
        ("network", Outcome.NOT_SENT),
        ("timeout", Outcome.AMBIGUOUS),
        ("provider_error", Outcome.AMBIGUOUS),
    ],
)
def test_a_refusal_says_why_in_our_words(reason: str, outcome: Outcome) -> None:
    sent = answers(422, {"reason": reason})
    assert (sent.outcome, sent.reason, sent.provider_code) == (outcome, Reason(reason), reason)


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (400, {}, (Outcome.REJECTED, Reason.UNKNOWN)),
        (400, {"reason": "because of +37256789045"}, (Outcome.REJECTED, Reason.UNKNOWN)),
        (400, {"reason": ["auth"]}, (Outcome.REJECTED, Reason.UNKNOWN)),
        (401, {}, (Outcome.MISCONFIGURED, Reason.AUTH)),
        (404, {}, (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE)),
        (404, {"reason": "invalid_number"}, (Outcome.REJECTED, Reason.INVALID_NUMBER)),
        (500, {"reason": "invalid_number"}, (Outcome.AMBIGUOUS, Reason.PROVIDER_ERROR)),
        (307, {"id": "m-1"}, (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE)),
        (204, {}, (Outcome.AMBIGUOUS, Reason.BAD_RESPONSE)),
        (200, {"reason": "invalid_number"}, (Outcome.AMBIGUOUS, Reason.BAD_RESPONSE)),
    ],
)
def test_what_other_answers_mean(status: int, body: object, meaning: tuple[Outcome, Reason]) -> None:
    sent = answers(status, body)
    assert (sent.outcome, sent.reason) == meaning
    assert sent.provider_code in {None, "invalid_number"}


def test_retry_after_is_handed_on_with_a_reason_too() -> None:
    sent = answers(429, {"reason": "rate_limited"}, {"retry-after": "9"})
    assert (sent.outcome, sent.retry_after) == (Outcome.NOT_SENT, timedelta(seconds=9))


# Receipts


def posted(body: object, *, key: bytes = KEY, at: str = "1768478400") -> Callback:
    raw = json.dumps(body).encode()
    headers = {
        "webhook-id": "r-1",
        "webhook-timestamp": at,
        "webhook-signature": signing.webhook(key, event_id="r-1", timestamp=at, body=raw),
    }
    return a_callback("POST", headers=headers, body=raw)


def event(**data: object) -> dict[str, object]:
    return {"type": "message.status", "data": {"id": "m-1", "status": "delivered", **data}}


def read(callback: Callback) -> list[Receipt]:
    return over(httpx.AsyncClient()).receipt(callback)


@pytest.mark.parametrize("status", list(Delivery))
def test_a_signed_receipt_is_read(status: Delivery) -> None:
    assert read(posted(event(status=status))) == [Receipt("m-1", status)]


def test_a_receipt_says_why() -> None:
    said = event(status="undelivered", reason="unreachable")
    assert read(posted(said)) == [Receipt("m-1", Delivery.UNDELIVERED, Reason.UNREACHABLE, "unreachable")]
    assert read(posted(event(status="lost", reason="a sentence"))) == [Receipt("m-1", Delivery.UNKNOWN)]


@pytest.mark.parametrize(
    "body",
    [{}, [], None, {"type": "message.status"}, {"type": "other", "data": {"id": "m-1"}}, event(id=None), event(id={})],
)
def test_signed_events_about_nothing_say_nothing(body: object) -> None:
    assert read(posted(body)) == []


def test_a_receipt_that_nobody_signed_with_our_key_is_refused() -> None:
    right = posted(event())
    for callback in (
        posted(event(), key=b"another"),
        replace(right, body=right.body.replace(b"delivered", b"undelivered")),
        replace(right, headers={}),
        replace(right, headers={**right.headers, "webhook-id": "r-2"}),
        replace(right, received_at=MOMENT + timedelta(seconds=301)),
        replace(right, received_at=MOMENT - timedelta(seconds=301)),
    ):
        with pytest.raises(BadSignature):
            read(callback)
    assert read(right)


def test_it_is_made_from_the_settings() -> None:
    client = httpx.AsyncClient()
    settings = Settings.model_validate({"webhook_url": URL, "webhook_secret": SECRET})
    assert create(settings, client) == over(client)
    with pytest.raises(SettingsError, match="IDP_WEBHOOK_URL is missing: the SMS gateway 'webhook' needs it"):
        create(Settings.model_validate({}), client)
