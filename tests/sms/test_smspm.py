"""SMSPM: what goes over the wire, and what each of its answers means."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from idp.errors import SettingsError
from idp.model.regions import ByRegion
from idp.settings import Settings
from idp.sms import Delivery, Message, Outcome, Reason, Receipt, Sent
from idp.sms.smspm import SmspmGateway, create
from idp.testing import CODE, NUMBER, HttpGatewayContract, Provider, a_callback, a_message

URL = "https://sms.example/api"
QUEUED = {"messages": [{"id": "a7b3", "toNumber": "37256789045", "status": "Added to queue"}]}


def over(client: httpx.AsyncClient) -> SmspmGateway:
    return SmspmGateway(client, account="h4sh-s3cret", token="t0k-s3cret", senders=ByRegion("Acme"), url=URL)


def sends(provider: Provider, message: Message | None = None) -> Sent:
    async def send() -> Sent:
        async with httpx.AsyncClient(transport=httpx.MockTransport(provider)) as client:
            return await over(client).send(message or a_message())

    return asyncio.run(send())


def answers(status: int, body: object) -> Sent:
    return sends(lambda _: httpx.Response(status, json=body))


class TestSmspmKeepsTheContract(HttpGatewayContract):
    def over(self, client: httpx.AsyncClient) -> SmspmGateway:
        return over(client)

    def accepts(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        return httpx.Response(200, json=QUEUED)

    def secrets(self) -> tuple[str, ...]:
        return ("h4sh-s3cret", "t0k-s3cret")


def test_a_message_goes_as_json_by_post_to_the_configured_url() -> None:
    asked: list[httpx.Request] = []

    def provider(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=QUEUED)

    message = a_message()
    sends(provider, message)
    assert (asked[0].method, str(asked[0].url)) == ("POST", URL)
    assert asked[0].headers["content-type"] == "application/json"
    assert json.loads(asked[0].content) == {
        "hash": "h4sh-s3cret",
        "token": "t0k-s3cret",
        "toNumber": "37256789045",
        "fromNumber": "Acme",
        "text": message.text,
        "report": message.receipt_url,
    }


def test_without_a_receipt_url_none_is_asked_for() -> None:
    bodies: list[bytes] = []

    def provider(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200, json=QUEUED)

    sends(provider, a_message(receipt_url=None))
    assert "report" not in json.loads(bodies[0])


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        pytest.param(QUEUED, Sent(Outcome.ACCEPTED, "a7b3"), id="queued"),
        pytest.param({"messages": [{"id": 4711}]}, Sent(Outcome.ACCEPTED, "4711"), id="a number as id"),
        pytest.param(
            {"status": "success", "messageId": "m-1", "parts": 1, "cost": "0.045", "currency": "EUR"},
            Sent(Outcome.ACCEPTED, "m-1", segments=1, cost=Decimal("0.045"), currency="EUR"),
            id="with a price",
        ),
        pytest.param(
            {"status": "success", "messageId": "m-1", "parts": "1", "cost": "a lot", "currency": 7},
            Sent(Outcome.ACCEPTED, "m-1", segments=1),
            id="with an unreadable price",
        ),
        pytest.param(
            {"status": "success", "messageId": "m-1", "cost": "NaN"}, Sent(Outcome.ACCEPTED, "m-1"), id="NaN as price"
        ),
        pytest.param(
            {"status": "success", "messageId": "m-1", "cost": True}, Sent(Outcome.ACCEPTED, "m-1"), id="true as price"
        ),
    ],
)
def test_an_accepted_message(body: object, sent: Sent) -> None:
    assert answers(200, body) == sent


AUTH = (Outcome.MISCONFIGURED, Reason.AUTH)
SENDER = (Outcome.MISCONFIGURED, Reason.SENDER_INVALID)
FUNDS = (Outcome.MISCONFIGURED, Reason.NO_FUNDS)
UNCLEAR = (Outcome.AMBIGUOUS, Reason.BAD_RESPONSE)
REFUSED = (Outcome.REJECTED, Reason.UNKNOWN)


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, {"status": "invalid_phone"}, (Outcome.REJECTED, Reason.INVALID_NUMBER)),
        (200, {"status": "destination_blocked"}, (Outcome.REJECTED, Reason.BLOCKED)),
        (200, {"status": "low_balance"}, FUNDS),
        (200, {"status": "invalid_sender"}, SENDER),
        (400, {"status": "invalid_params"}, REFUSED),
        (401, {"status": "auth_failed"}, AUTH),
        (429, {"status": "rate_limit"}, (Outcome.NOT_SENT, Reason.RATE_LIMITED)),
        (500, {"status": "server_error"}, (Outcome.AMBIGUOUS, Reason.PROVIDER_ERROR)),
        (200, {"error": "Token is required"}, AUTH),
        (400, {"error": "Hash is required"}, AUTH),
        (200, {"error": "auth_failed"}, AUTH),
        (200, {"error": "Not enough balance"}, FUNDS),
        (400, {"error": "Sender ID is not approved"}, SENDER),
        (400, {"error": "Message text is required"}, (Outcome.REJECTED, Reason.CONTENT_REJECTED)),
        (400, {"error": f"Cannot send to {NUMBER}"}, REFUSED),
        (200, {"error": {"code": 7}}, REFUSED),
        (200, {"status": "refused"}, REFUSED),
        (
            200,
            {"messages": [{"toNumber": NUMBER, "error": "invalid_phone"}]},
            (Outcome.REJECTED, Reason.INVALID_NUMBER),
        ),
        (200, {"messages": [{"id": "a7b3", "error": "Something else"}]}, REFUSED),
        (400, {}, REFUSED),
        (403, {}, AUTH),
        (404, {}, (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE)),
        (408, {}, (Outcome.AMBIGUOUS, Reason.TIMEOUT)),
        (302, {}, (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE)),
        (503, QUEUED, (Outcome.AMBIGUOUS, Reason.PROVIDER_ERROR)),
        (400, QUEUED, REFUSED),
        (200, {"messages": []}, UNCLEAR),
        (200, {"messages": ["a7b3"]}, UNCLEAR),
        (200, {"messages": [{"status": "Added to queue"}]}, UNCLEAR),
        (200, {"messages": [{"id": True}]}, UNCLEAR),
        (200, {"status": "success"}, UNCLEAR),
    ],
)
def test_what_each_answer_means(status: int, body: object, meaning: tuple[Outcome, Reason]) -> None:
    sent = answers(status, body)
    assert (sent.outcome, sent.reason) == meaning
    assert sent.provider_id is None


def test_a_sentence_of_the_provider_is_never_kept() -> None:
    assert answers(200, {"error": f"Cannot send {CODE} to {NUMBER}"}).provider_code is None
    assert answers(200, {"status": "invalid_phone"}).provider_code == "invalid_phone"


@pytest.mark.parametrize(("header", "wait"), [("7", 7), ("999999", 86_400), ("soon", None), ("-1", None), ("１", None)])  # noqa: RUF001
def test_retry_after_is_believed_within_reason(header: str, wait: int | None) -> None:
    sent = sends(lambda _: httpx.Response(429, headers=[(b"retry-after", header.encode())]))
    assert sent.retry_after == (None if wait is None else timedelta(seconds=wait))


@pytest.mark.parametrize(
    ("word", "delivery"),
    [
        ("queued", Delivery.QUEUED),
        ("pending", Delivery.QUEUED),
        ("submitted", Delivery.SENT),
        ("Delivered", Delivery.DELIVERED),
        ("failed", Delivery.UNDELIVERED),
        ("undelivered", Delivery.UNDELIVERED),
        ("rejected", Delivery.UNDELIVERED),
        ("expired", Delivery.EXPIRED),
        ("lost", Delivery.UNKNOWN),
    ],
)
def test_receipts_come_as_query_or_as_json(word: str, delivery: Delivery) -> None:
    gateway = over(httpx.AsyncClient())
    query = a_callback("GET", query={"id": "a7b3", "status": word, "toNumber": "37256789045"})
    posted = a_callback("POST", body=json.dumps({"messageId": "a7b3", "status": word}).encode())
    (by_get,), (by_post,) = gateway.receipt(query), gateway.receipt(posted)
    assert by_get == by_post
    assert (by_get.provider_id, by_get.status, by_get.provider_code) == ("a7b3", delivery, word)


def test_a_receipt_says_why_it_failed() -> None:
    gateway = over(httpx.AsyncClient())
    callback = a_callback("GET", query={"id": "a7b3", "status": "expired"})
    assert gateway.receipt(callback) == [Receipt("a7b3", Delivery.EXPIRED, Reason.EXPIRED, "expired")]


def test_it_is_made_from_the_settings() -> None:
    given = {"smspm_hash": "h", "smspm_token": "t", "smspm_from": "Acme", "smspm_url": URL}
    settings = Settings.model_validate(given)
    client = httpx.AsyncClient()
    assert create(settings, client) == SmspmGateway(client, account="h", token="t", senders=ByRegion("Acme"), url=URL)
    with pytest.raises(SettingsError, match="IDP_SMSPM_HASH"):
        create(Settings.model_validate({}), client)


def test_an_answer_of_unreasonable_size_is_not_read_even_if_it_says_yes() -> None:
    sent = answers(200, QUEUED | {"padding": "x" * 100_000})
    assert (sent.outcome, sent.reason) == UNCLEAR
