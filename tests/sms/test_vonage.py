"""Vonage: what goes over the wire, what each of its statuses means, and which receipts are believed."""

import asyncio
import hashlib
import hmac
import json
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from idp.errors import SettingsError
from idp.model.regions import ByRegion
from idp.settings import Settings
from idp.sms import BadSignature, Callback, Delivery, Message, Outcome, Reason, Receipt, Sent
from idp.sms.vonage import VonageGateway, create
from idp.testing import MOMENT, HttpGatewayContract, Provider, a_callback, a_message

URL = "https://vonage.example/sms/json"
PART = {
    "to": "37256789045",
    "message-id": "aaaaaaaa-bbbb",
    "status": "0",
    "message-price": "0.0333",
    "network": "24801",
}


def over(
    client: httpx.AsyncClient, *, signature: str | None = "sig-s3cret", senders: ByRegion[str] | None = None
) -> VonageGateway:
    senders = senders or ByRegion("Acme")
    return VonageGateway(client, key="k3y", secret="s3cret", signature=signature, senders=senders, url=URL)


def sends(provider: Provider, message: Message | None = None, senders: ByRegion[str] | None = None) -> Sent:
    async def send() -> Sent:
        async with httpx.AsyncClient(transport=httpx.MockTransport(provider)) as client:
            return await over(client, senders=senders).send(message or a_message())

    return asyncio.run(send())


def answers(body: object, status: int = 200) -> Sent:
    return sends(lambda _: httpx.Response(status, json=body))


def asked(message: Message, senders: ByRegion[str] | None = None) -> dict[str, str]:
    requests: list[httpx.Request] = []

    def provider(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"message-count": "1", "messages": [PART]})

    assert sends(provider, message, senders).outcome is Outcome.ACCEPTED
    assert (requests[0].method, str(requests[0].url)) == ("POST", URL)
    return dict(parse_qsl(requests[0].content.decode(), strict_parsing=True))


class TestVonageKeepsTheContract(HttpGatewayContract):
    signs_receipts = True

    def over(self, client: httpx.AsyncClient) -> VonageGateway:
        return over(client)

    def accepts(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        return httpx.Response(200, json={"messages": [PART]})

    def secrets(self) -> tuple[str, ...]:
        return ("s3cret",)


class TestVonageWithoutSignaturesKeepsTheContract(TestVonageKeepsTheContract):
    signs_receipts = False

    def over(self, client: httpx.AsyncClient) -> VonageGateway:
        return over(client, signature=None)


def test_a_message_goes_as_a_form() -> None:
    message = a_message()
    assert asked(message) == {
        "api_key": "k3y",
        "api_secret": "s3cret",
        "from": "Acme",
        "to": "37256789045",
        "text": message.text,
        "ttl": "300000",
        "callback": message.receipt_url,
        "client-ref": str(message.attempt_id),
    }


def test_a_text_beyond_gsm_7_is_marked_as_unicode() -> None:
    assert "type" not in asked(a_message(text="No: {} €"))
    assert asked(a_message(text="Ваш код 482913"))["type"] == "unicode"


def test_the_sender_is_that_of_the_country_and_has_no_plus() -> None:
    senders = ByRegion("Acme", (("US", "+12025550100"),))
    assert asked(a_message(), senders)["from"] == "Acme"
    assert asked(a_message(to="+12025550123", receipt_url=None), senders)["from"] == "12025550100"


@pytest.mark.parametrize(
    ("ttl", "milliseconds"),
    [(timedelta(seconds=90.9), "90000"), (timedelta(seconds=3), "20000"), (timedelta(days=30), "604800000")],
)
def test_vonage_is_told_how_long_the_code_lives(ttl: timedelta, milliseconds: str) -> None:
    assert asked(a_message(ttl=ttl))["ttl"] == milliseconds


def test_segments_and_price_are_told() -> None:
    one = Sent(Outcome.ACCEPTED, "aaaaaaaa-bbbb", segments=1, cost=Decimal("0.0333"), currency="EUR")
    assert answers({"messages": [PART]}) == one
    two = Sent(Outcome.ACCEPTED, "aaaaaaaa-bbbb", segments=2, cost=Decimal("0.0666"), currency="EUR")
    assert answers({"messages": [PART, PART | {"message-id": "c"}]}) == two
    unpriced = {name: value for name, value in PART.items() if name != "message-price"}
    assert answers({"messages": [unpriced]}) == Sent(Outcome.ACCEPTED, "aaaaaaaa-bbbb", segments=1)


UNCLEAR = (Outcome.AMBIGUOUS, Reason.BAD_RESPONSE)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("1", (Outcome.NOT_SENT, Reason.RATE_LIMITED)),
        ("10", (Outcome.NOT_SENT, Reason.RATE_LIMITED)),
        ("3", (Outcome.REJECTED, Reason.INVALID_NUMBER)),
        ("4", (Outcome.MISCONFIGURED, Reason.AUTH)),
        ("5", (Outcome.AMBIGUOUS, Reason.PROVIDER_ERROR)),
        ("6", (Outcome.REJECTED, Reason.UNROUTABLE)),
        ("7", (Outcome.REJECTED, Reason.BLOCKED)),
        ("9", (Outcome.MISCONFIGURED, Reason.NO_FUNDS)),
        ("15", (Outcome.MISCONFIGURED, Reason.SENDER_INVALID)),
        ("29", (Outcome.MISCONFIGURED, Reason.NO_FUNDS)),
        ("14", (Outcome.MISCONFIGURED, Reason.AUTH)),
        (6, (Outcome.REJECTED, Reason.UNROUTABLE)),
        ("77", (Outcome.REJECTED, Reason.UNKNOWN)),
        (None, UNCLEAR),
        ("sorry, not to +37256789045", UNCLEAR),
        ({}, UNCLEAR),
    ],
)
def test_what_each_status_means(status: object, meaning: tuple[Outcome, Reason]) -> None:
    sent = answers({"messages": [{"status": status, "error-text": "Not to +37256789045"}]})
    assert (sent.outcome, sent.reason) == meaning
    assert sent.provider_id is None
    assert sent.provider_code == (str(status) if meaning is not UNCLEAR else None)


@pytest.mark.parametrize(
    "body",
    [{}, {"messages": []}, {"messages": {}}, {"messages": ["0"]}, {"messages": [PART | {"message-id": None}]}, []],
)
def test_an_answer_without_an_id_is_unclear(body: object) -> None:
    sent = answers(body)
    assert (sent.outcome, sent.reason) == UNCLEAR


def test_a_text_of_which_only_some_parts_went_is_unclear() -> None:
    assert answers({"messages": [PART, {"status": "3"}]}).outcome is Outcome.AMBIGUOUS


def test_an_http_error_before_their_gateway_is_read_by_its_status() -> None:
    assert (answers({}, 400).outcome, answers({"messages": [PART]}, 503).outcome) == (
        Outcome.REJECTED,
        Outcome.AMBIGUOUS,
    )


# Receipts

SAID = {"messageId": "m-1", "status": "delivered", "err-code": "0", "timestamp": "1768478400", "msisdn": "37256789045"}


def signed(fields: dict[str, str], secret: str = "sig-s3cret", algorithm: str = "sha256") -> dict[str, str]:
    text = "".join(f"&{name}={value.replace('&', '_').replace('=', '_')}" for name, value in sorted(fields.items()))
    return fields | {"sig": hmac.new(secret.encode(), text.encode(), algorithm).hexdigest()}


def read(callback: Callback, signature: str | None = "sig-s3cret") -> list[Receipt]:
    return over(httpx.AsyncClient(), signature=signature).receipt(callback)


def test_a_receipt_is_read_from_a_query_a_form_and_json() -> None:
    said = signed(SAID)
    receipt = [Receipt("m-1", Delivery.DELIVERED, None, "0")]
    assert read(a_callback("GET", query=said)) == receipt
    assert read(a_callback(body=urlencode(said).encode())) == receipt
    assert read(a_callback(body=json.dumps(said).encode())) == receipt
    assert read(a_callback(body=json.dumps(said | {"err-code": 0, "timestamp": 1768478400}).encode())) == receipt


@pytest.mark.parametrize(
    ("status", "code", "delivery", "reason"),
    [
        ("accepted", "0", Delivery.SENT, None),
        ("buffered", "0", Delivery.SENT, None),
        ("Delivered", "0", Delivery.DELIVERED, None),
        ("expired", "1", Delivery.EXPIRED, Reason.EXPIRED),
        ("failed", "1", Delivery.UNDELIVERED, Reason.UNKNOWN),
        ("failed", "2", Delivery.UNDELIVERED, Reason.UNREACHABLE),
        ("failed", "9", Delivery.UNDELIVERED, Reason.INVALID_NUMBER),
        ("rejected", "99", Delivery.UNDELIVERED, Reason.BLOCKED),
        ("rejected", "11", Delivery.UNDELIVERED, Reason.UNROUTABLE),
        ("unknown", "0", Delivery.UNKNOWN, None),
        ("dreaming", "0", Delivery.UNKNOWN, None),
    ],
)
def test_what_a_receipt_says(status: str, code: str, delivery: Delivery, reason: Reason | None) -> None:
    said = signed(SAID | {"status": status, "err-code": code})
    assert read(a_callback("GET", query=said)) == [Receipt("m-1", delivery, reason, code)]


def test_sha_512_and_capitals_are_as_good() -> None:
    said = signed(SAID, algorithm="sha512")
    assert read(a_callback("GET", query=said | {"sig": said["sig"].upper()}))


def test_a_receipt_that_vonage_did_not_sign_is_refused() -> None:
    for said in (
        SAID,
        SAID | {"sig": ""},
        signed(SAID, "another"),
        signed(SAID) | {"status": "failed"},
        signed(SAID) | {"more": "1"},
        signed({name: value for name, value in SAID.items() if name != "timestamp"}),
        signed(SAID, algorithm="sha1"),
        signed(SAID, algorithm="md5"),
        SAID | {"sig": hashlib.md5(b"&err-code=0", usedforsecurity=False).hexdigest()},
    ):
        with pytest.raises(BadSignature):
            read(a_callback("GET", query=said))


@pytest.mark.parametrize("late", [timedelta(seconds=301), timedelta(seconds=-301)])
def test_a_receipt_played_back_later_is_refused(late: timedelta) -> None:
    with pytest.raises(BadSignature):
        read(a_callback("GET", query=signed(SAID), received_at=MOMENT + late))
    assert read(a_callback("GET", query=signed(SAID), received_at=MOMENT + late * 300 / 301))


def test_without_a_signature_secret_the_key_in_our_url_has_to_do() -> None:
    assert read(a_callback("GET", query=SAID), signature=None) == [Receipt("m-1", Delivery.DELIVERED, None, "0")]
    assert read(a_callback("GET", query={}), signature=None) == []


def test_it_is_made_from_the_settings() -> None:
    given = {"vonage_api_key": "k3y", "vonage_api_secret": "s3cret", "vonage_from": "Acme", "vonage_url": URL}
    client = httpx.AsyncClient()
    assert create(Settings.model_validate(given), client) == over(client, signature=None)
    signing = Settings.model_validate(given | {"vonage_signature_secret": "sig-s3cret"})
    assert create(signing, client) == over(client)
    with pytest.raises(SettingsError, match="IDP_VONAGE_API_KEY is missing: the SMS gateway 'vonage' needs it"):
        create(Settings.model_validate({}), client)
