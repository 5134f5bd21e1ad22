"""Twilio: what goes over the wire, what each of its answers means, and which receipts are believed."""

import asyncio
import base64
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from idp.errors import SettingsError
from idp.model.regions import ByRegion
from idp.settings import Settings
from idp.sms import BadSignature, Delivery, Message, Outcome, Reason, Receipt, Sent, signing
from idp.sms.twilio import TwilioGateway, create
from idp.testing import RECEIPTS, HttpGatewayContract, Provider, a_callback, a_message

ACCOUNT, TOKEN = "AC" + "1" * 32, "t0k-s3cret"
SERVICE = "MG" + "2" * 32
URL = "https://twilio.example"
CREATED = {
    "sid": "SM" + "3" * 32,
    "status": "queued",
    "num_segments": "1",
    "price": None,
    "price_unit": "USD",
    "error_code": None,
}


def over(client: httpx.AsyncClient, senders: ByRegion[str] | None = None) -> TwilioGateway:
    senders = senders or ByRegion("Acme")
    return TwilioGateway(client, account=ACCOUNT, user=ACCOUNT, secret=TOKEN, token=TOKEN, senders=senders, url=URL)


def sends(provider: Provider, message: Message | None = None, senders: ByRegion[str] | None = None) -> Sent:
    async def send() -> Sent:
        async with httpx.AsyncClient(transport=httpx.MockTransport(provider)) as client:
            return await over(client, senders).send(message or a_message())

    return asyncio.run(send())


def answers(status: int, body: object) -> Sent:
    return sends(lambda _: httpx.Response(status, json=body))


def asked(message: Message, senders: ByRegion[str] | None = None) -> tuple[httpx.Request, dict[str, str]]:
    requests: list[httpx.Request] = []

    def provider(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(201, json=CREATED)

    assert sends(provider, message, senders).outcome is Outcome.ACCEPTED
    return requests[0], dict(parse_qsl(requests[0].content.decode(), strict_parsing=True))


class TestTwilioKeepsTheContract(HttpGatewayContract):
    signs_receipts = True

    def over(self, client: httpx.AsyncClient) -> TwilioGateway:
        return over(client)

    def accepts(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        return httpx.Response(201, json=CREATED)

    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)


def test_a_message_goes_as_a_form_under_basic() -> None:
    message = a_message()
    request, form = asked(message)
    assert (request.method, str(request.url)) == ("POST", f"{URL}/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert request.headers["authorization"] == "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form == {
        "To": message.to,
        "From": "Acme",
        "Body": message.text,
        "StatusCallback": message.receipt_url,
        "ValidityPeriod": "300",
    }


def test_a_messaging_service_takes_the_place_of_a_sender() -> None:
    _, form = asked(a_message(receipt_url=None), ByRegion(SERVICE))
    assert form["MessagingServiceSid"] == SERVICE
    assert "From" not in form
    assert "StatusCallback" not in form


def test_the_sender_is_that_of_the_country() -> None:
    senders = ByRegion("Acme", (("US", "+12025550100"), ("IN", SERVICE)))
    assert asked(a_message(), senders)[1]["From"] == "Acme"
    assert asked(a_message(to="+12025550123"), senders)[1]["From"] == "+12025550100"
    assert asked(a_message(to="+14165550123"), senders)[1]["From"] == "Acme", "Canada shares +1"
    assert asked(a_message(to="+919876543210"), senders)[1]["MessagingServiceSid"] == SERVICE


@pytest.mark.parametrize(
    ("ttl", "seconds"), [(timedelta(seconds=90.9), "90"), (timedelta(0), "1"), (timedelta(days=2), "36000")]
)
def test_twilio_is_told_how_long_the_code_lives(ttl: timedelta, seconds: str) -> None:
    assert asked(a_message(ttl=ttl))[1]["ValidityPeriod"] == seconds


def test_segments_and_price_are_told() -> None:
    assert answers(201, CREATED | {"price": "-0.0075"}) == Sent(
        Outcome.ACCEPTED, CREATED["sid"], segments=1, cost=Decimal("0.0075"), currency="USD"
    )


INVALID = (Outcome.REJECTED, Reason.INVALID_NUMBER)
NOT_MOBILE = (Outcome.REJECTED, Reason.NOT_MOBILE)
COUNTRY = (Outcome.REJECTED, Reason.COUNTRY_DISABLED)
FRAUD = (Outcome.REJECTED, Reason.FRAUD_BLOCKED)
SENDER = (Outcome.MISCONFIGURED, Reason.SENDER_INVALID)
AUTH = (Outcome.MISCONFIGURED, Reason.AUTH)
FUNDS = (Outcome.MISCONFIGURED, Reason.NO_FUNDS)
THROTTLED = (Outcome.NOT_SENT, Reason.RATE_LIMITED)
BROKEN = (Outcome.AMBIGUOUS, Reason.PROVIDER_ERROR)
REFUSED = (Outcome.REJECTED, Reason.UNKNOWN)
UNCLEAR = (Outcome.AMBIGUOUS, Reason.BAD_RESPONSE)


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, 21211, INVALID),
        (400, 30005, INVALID),
        (400, 21614, NOT_MOBILE),
        (400, 30006, NOT_MOBILE),
        (400, 21610, (Outcome.REJECTED, Reason.OPTED_OUT)),
        (400, 21408, COUNTRY),
        (400, 60605, COUNTRY),
        (400, 30450, FRAUD),
        (400, 30453, FRAUD),
        (403, 60410, FRAUD),
        (400, 21212, SENDER),
        (400, 21606, SENDER),
        (400, 30034, SENDER),
        (401, 20003, AUTH),
        (403, 20003, AUTH),
        (403, 20005, FUNDS),
        (400, 10001, FUNDS),
        (400, 90010, FUNDS),
        (400, 30002, FUNDS),
        (429, 20429, THROTTLED),
        (500, 20500, BROKEN),
        (400, 20500, BROKEN),
        (500, 21211, BROKEN),
        (400, 21617, (Outcome.REJECTED, Reason.CONTENT_REJECTED)),
        (400, 99999, REFUSED),
        (400, "21211", INVALID),
        (400, True, REFUSED),
        (400, [21211], REFUSED),
        (400, None, REFUSED),
        (404, 20404, (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE)),
        (302, 21211, (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE)),
    ],
)
def test_what_each_code_means(status: int, code: object, meaning: tuple[Outcome, Reason]) -> None:
    sent = answers(status, {"code": code, "message": "The 'To' number +37256789045 is wrong.", "status": status})
    assert (sent.outcome, sent.reason) == meaning
    assert sent.provider_id is None


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        (CREATED | {"status": "failed", "error_code": 30006}, NOT_MOBILE),
        (CREATED | {"status": "failed", "error_code": 30008}, REFUSED),
        (CREATED | {"status": "undelivered"}, REFUSED),
        (CREATED | {"sid": None}, UNCLEAR),
        (CREATED | {"sid": "a sentence about +37256789045"}, UNCLEAR),
        ([CREATED], UNCLEAR),
    ],
)
def test_a_201_may_be_a_failure(body: object, meaning: tuple[Outcome, Reason]) -> None:
    sent = answers(201, body)
    assert (sent.outcome, sent.reason) == meaning


def test_a_code_is_kept_and_a_sentence_never() -> None:
    assert answers(400, {"code": 21211}).provider_code == "21211"
    assert answers(400, {"code": "not to +37256789045"}).provider_code is None


# Receipts


def posted(
    fields: dict[str, str],
    *,
    token: str = TOKEN,
    signed: str = RECEIPTS,
    url: str = RECEIPTS,
    body: bytes | None = None,
) -> list[Receipt]:
    headers = {"x-twilio-signature": signing.twilio(token, signed, fields.items())}
    callback = a_callback(url=url, headers=headers, body=urlencode(fields).encode() if body is None else body)
    return over(httpx.AsyncClient()).receipt(callback)


SAID = {"MessageSid": "SM9", "MessageStatus": "delivered", "To": "+37256789045", "ErrorCode": "", "AccountSid": ACCOUNT}


@pytest.mark.parametrize(
    ("status", "error", "receipt"),
    [
        ("queued", "", Receipt("SM9", Delivery.QUEUED)),
        ("sending", "", Receipt("SM9", Delivery.QUEUED)),
        ("sent", "", Receipt("SM9", Delivery.SENT)),
        ("delivered", "", Receipt("SM9", Delivery.DELIVERED)),
        ("read", "", Receipt("SM9", Delivery.DELIVERED)),
        ("undelivered", "30005", Receipt("SM9", Delivery.UNDELIVERED, Reason.INVALID_NUMBER, "30005")),
        ("undelivered", "30003", Receipt("SM9", Delivery.UNDELIVERED, Reason.UNREACHABLE, "30003")),
        ("undelivered", "30007", Receipt("SM9", Delivery.UNDELIVERED, Reason.BLOCKED, "30007")),
        ("failed", "30036", Receipt("SM9", Delivery.EXPIRED, Reason.EXPIRED, "30036")),
        ("failed", "", Receipt("SM9", Delivery.UNDELIVERED, Reason.UNKNOWN)),
        ("dreaming", "", Receipt("SM9", Delivery.UNKNOWN)),
    ],
)
def test_a_signed_receipt_is_read(status: str, error: str, receipt: Receipt) -> None:
    assert posted(SAID | {"MessageStatus": status, "ErrorCode": error}) == [receipt]


def test_a_receipt_may_be_signed_with_or_without_the_port() -> None:
    host, path = "https://login.example.com", RECEIPTS.removeprefix("https://login.example.com")
    assert posted(SAID, signed=f"{host}:443{path}")
    assert posted(SAID, signed=f"{host}{path}", url=f"{host}:8443{path}")


def test_a_signed_callback_about_nothing_says_nothing() -> None:
    assert posted({"AccountSid": ACCOUNT}) == []
    assert posted({}) == []


def test_a_receipt_that_twilio_did_not_sign_is_refused() -> None:
    right = signing.twilio(TOKEN, RECEIPTS, SAID.items())
    changed = urlencode(SAID | {"MessageStatus": "undelivered"}).encode()
    attempts: tuple[Callable[[], list[Receipt]], ...] = (
        lambda: posted(SAID, token="another"),
        lambda: posted(SAID, signed=RECEIPTS + "x"),
        lambda: posted(SAID, url="https://login.example.com/receipts/x/of-another/K5vZ0m1dQ2"),
        lambda: posted(SAID, body=changed),
        lambda: posted(SAID, body=b""),
        lambda: over(httpx.AsyncClient()).receipt(a_callback(body=urlencode(SAID).encode())),
        lambda: over(httpx.AsyncClient()).receipt(a_callback("GET", query=SAID, headers={"x-twilio-signature": right})),
    )
    for attempt in attempts:
        with pytest.raises(BadSignature):
            attempt()


def test_it_is_made_from_the_settings() -> None:
    given = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN, "twilio_from": "Acme", "twilio_url": f"{URL}/"}
    client = httpx.AsyncClient()
    assert create(Settings.model_validate(given), client) == over(client)
    key = "SK" + "4" * 32
    with_key = create(Settings.model_validate(given | {"twilio_api_key": key, "twilio_api_secret": "k-s3cret"}), client)
    assert (with_key.user, with_key.secret, with_key.token) == (key, "k-s3cret", TOKEN)
    with pytest.raises(SettingsError, match="IDP_TWILIO_ACCOUNT_SID is missing: the SMS gateway 'twilio' needs it"):
        create(Settings.model_validate({}), client)
