"""Every gateway against the fake provider over real HTTP: down, slow, failing, redirecting; and its receipts."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest

from idp.settings import read_settings
from idp.sms import BadSignature, Callback, Delivery, Gateway, Outcome, Reason, Receipt, Sent, open_gateways
from idp.sms.wire import new_client
from idp.testing import CODE, MOMENT, FrozenClock, a_message
from idp.testing.faults import REFUSED, Fault, number_for
from idp.testing.http import Request, Response, served
from idp.testing.orders import API_SECRET, AUTH_TOKEN, HASH, SIGNATURE, TOKEN, WEBHOOK_KEY, WEBHOOK_SECRET
from idp.testing.provider import FakeProvider, Pace, fake_provider
from tests.world.waiting import NEVER

NAMES = ("smspm", "twilio", "vonage", "webhook")
SECRETS = (HASH, TOKEN, AUTH_TOKEN, API_SECRET, SIGNATURE, WEBHOOK_SECRET, repr(WEBHOOK_KEY)[2:-1])
BLINK = timedelta(milliseconds=50)
QUICK = Pace(receipt=timedelta(0), late=BLINK, slow=BLINK, silence=timedelta(seconds=60))
IMPATIENT = timedelta(seconds=2)  # with those who say nothing; others are waited for

TLS = httpx.create_ssl_context()  # slow to make, and never used here

every_gateway = pytest.mark.parametrize("name", NAMES)


@dataclass
class Place:
    """The fake provider, the gateways that send to it, and our receipt URL, which keeps what is called."""

    provider: FakeProvider
    gateways: dict[str, Gateway]
    receipt_url: str
    client: httpx.AsyncClient
    called: list[Callback] = field(default_factory=list)

    async def send(self, name: str, fault: Fault = Fault.NONE, **changes: object) -> Sent:
        self.client.timeout = IMPATIENT.total_seconds() if fault is Fault.SILENCE else NEVER
        return await self.gateways[name].send(a_message(**{"to": number_for(fault), "receipt_url": None, **changes}))

    async def send_with_receipt(self, name: str, fault: Fault) -> Sent:
        return await self.send(name, fault, receipt_url=f"{self.receipt_url}/{name}", attempt_id=uuid4())

    def receipts(self, name: str) -> list[list[Receipt]]:
        return [self.gateways[name].receipt(callback) for callback in self.called]


@asynccontextmanager
async def place_with(changes: Mapping[str, str] | None = None) -> AsyncIterator[Place]:
    called: list[Callback] = []

    async def receive(request: Request) -> Response:
        query = f"?{urlencode(request.query)}" if request.query else ""
        url = f"http://{request.headers['host']}{request.path}{query}"
        called.append(Callback(request.method, url, request.query, request.headers, request.body, received_at=MOMENT))
        return Response(204)

    async with (
        served(receive) as receipt_url,
        fake_provider(pace=QUICK, clock=FrozenClock()) as provider,
        httpx.AsyncClient(timeout=NEVER, verify=TLS) as client,
    ):
        given = read_settings({**provider.settings(), **(changes or {})})
        opened = open_gateways(NAMES, settings=given, client=client)
        yield Place(provider, {gateway.name: gateway for gateway in opened}, receipt_url, client, called)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with place_with() as made:
        yield made


@every_gateway
async def test_a_message_arrives_as_it_was_sent(name: str, place: Place) -> None:
    message = a_message(receipt_url=None)
    sent = await place.gateways[name].send(message)
    (taken,) = place.provider.inbox
    assert (sent.outcome, sent.provider_id) == (Outcome.ACCEPTED, taken.id)
    assert (taken.gateway, taken.to, taken.text) == (name, message.to, message.text)


THROTTLED = (Outcome.NOT_SENT, Reason.RATE_LIMITED)
INVALID = (Outcome.REJECTED, Reason.INVALID_NUMBER)
BLOCKED = (Outcome.REJECTED, Reason.BLOCKED)
UNROUTABLE = (Outcome.REJECTED, Reason.UNROUTABLE)
NOT_MOBILE = (Outcome.REJECTED, Reason.NOT_MOBILE)
OPTED_OUT = (Outcome.REJECTED, Reason.OPTED_OUT)
COUNTRY = (Outcome.REJECTED, Reason.COUNTRY_DISABLED)
FRAUD = (Outcome.REJECTED, Reason.FRAUD_BLOCKED)
MEANINGS: dict[Fault, tuple[tuple[Outcome, Reason], ...]] = {
    # smspm, twilio, vonage, webhook: not everybody says it as precisely
    Fault.INVALID: (INVALID, INVALID, INVALID, INVALID),
    Fault.LANDLINE: (INVALID, NOT_MOBILE, UNROUTABLE, NOT_MOBILE),
    Fault.OPTED_OUT: (BLOCKED, OPTED_OUT, BLOCKED, OPTED_OUT),
    Fault.COUNTRY: (BLOCKED, COUNTRY, UNROUTABLE, COUNTRY),
    Fault.FRAUD: (BLOCKED, FRAUD, BLOCKED, FRAUD),
    Fault.BLOCKED: (BLOCKED,) * 4,
    Fault.FUNDS: ((Outcome.MISCONFIGURED, Reason.NO_FUNDS),) * 4,
    Fault.SENDER: ((Outcome.MISCONFIGURED, Reason.SENDER_INVALID),) * 4,
    Fault.CREDENTIALS: ((Outcome.MISCONFIGURED, Reason.AUTH),) * 4,
    Fault.THROTTLED: (THROTTLED,) * 4,
    Fault.SERVER_ERROR: ((Outcome.AMBIGUOUS, Reason.PROVIDER_ERROR),) * 4,
    Fault.SILENCE: ((Outcome.AMBIGUOUS, Reason.TIMEOUT),) * 4,
    Fault.HANG_UP: ((Outcome.AMBIGUOUS, Reason.NETWORK),) * 4,
    Fault.MALFORMED: ((Outcome.AMBIGUOUS, Reason.BAD_RESPONSE),) * 4,
    Fault.HUGE: ((Outcome.AMBIGUOUS, Reason.BAD_RESPONSE),) * 4,
    Fault.REDIRECT: ((Outcome.MISCONFIGURED, Reason.BAD_RESPONSE),) * 4,
}


@every_gateway
@pytest.mark.parametrize("fault", MEANINGS)
async def test_every_way_to_fail_means_what_it_should_and_tells_no_secret(
    name: str, fault: Fault, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for quiet in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, quiet)
    sent = await place.send(name, fault)
    assert (sent.outcome, sent.reason) == MEANINGS[fault][NAMES.index(name)]
    assert sent.provider_id is None
    assert sent.retry_after == (timedelta(seconds=7) if fault is Fault.THROTTLED else None)
    assert caplog.records, "httpx and httpcore tell what they do"
    told = "\n".join([caplog.text, repr(sent), repr(place.gateways[name])])
    number = number_for(fault)
    assert not [secret for secret in (CODE, number, number[1:], *SECRETS) if secret in told]


def test_every_fault_is_either_a_failure_or_a_fate_of_an_accepted_message() -> None:
    fates = {Fault.NONE, Fault.SLOW, Fault.UNDELIVERED, Fault.EXPIRED, Fault.NO_RECEIPT}
    fates |= {Fault.TWICE, Fault.EARLY, Fault.LATE, Fault.FORGED}
    assert set(MEANINGS) | fates == set(Fault)
    assert set(REFUSED) < set(MEANINGS)


@every_gateway
async def test_a_slow_provider_is_waited_for(name: str, place: Place) -> None:
    assert (await place.send(name, Fault.SLOW)).outcome is Outcome.ACCEPTED


@every_gateway
async def test_after_silence_the_provider_has_the_message(name: str, place: Place) -> None:
    assert (await place.send(name, Fault.SILENCE)).outcome is Outcome.AMBIGUOUS
    assert len(place.provider.inbox) == 1


@every_gateway
async def test_a_provider_that_is_down_never_got_it(name: str) -> None:
    async with place_with() as place:
        gone = place.provider.url
    settings = read_settings({**place.provider.settings(), "IDP_ISSUER": "http://localhost:8000"})
    assert gone in str(settings)
    async with new_client() as client:
        (gateway,) = open_gateways((name,), settings=settings, client=client)
        assert await gateway.send(a_message()) == Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)


@every_gateway
async def test_a_redirect_carries_nothing_to_another_server(name: str, place: Place) -> None:
    arrived: list[Request] = []

    async def thief(request: Request) -> Response:
        arrived.append(request)
        return Response(200, b'{"id": "stolen"}')

    async with served(thief) as elsewhere:
        place.provider.elsewhere = f"{elsewhere}/"
        assert (await place.send(name, Fault.REDIRECT)).outcome is Outcome.MISCONFIGURED
        assert arrived == []


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("smspm", {"IDP_SMSPM_TOKEN": "another"}),
        ("smspm", {"IDP_SMSPM_HASH": "another"}),
        ("twilio", {"IDP_TWILIO_AUTH_TOKEN": "another"}),
        ("twilio", {"IDP_TWILIO_API_KEY": "SK" + "0" * 32, "IDP_TWILIO_API_SECRET": "another"}),
        ("vonage", {"IDP_VONAGE_API_SECRET": "another"}),
        ("webhook", {"IDP_WEBHOOK_SECRET": "whsec_" + "QUJD" * 10}),
    ],
)
async def test_wrong_credentials_are_told_apart_from_everything_else(name: str, wrong: dict[str, str]) -> None:
    async with place_with(wrong) as place:
        sent = await place.send(name)
        assert (sent.outcome, sent.reason) == (Outcome.MISCONFIGURED, Reason.AUTH)
        assert place.provider.inbox == []


@every_gateway
async def test_only_an_idempotent_gateway_sends_a_repeated_attempt_once(name: str, place: Place) -> None:
    message = a_message(receipt_url=None)
    first, second = [await place.gateways[name].send(message) for _ in range(2)]
    assert first.outcome is second.outcome is Outcome.ACCEPTED
    assert (first.provider_id == second.provider_id) is place.gateways[name].idempotent
    assert len(place.provider.inbox) == (1 if place.gateways[name].idempotent else 2)


# Receipts

FATES = {
    Fault.NONE: (Delivery.DELIVERED,),
    Fault.UNDELIVERED: (Delivery.UNDELIVERED,),
    Fault.EXPIRED: (Delivery.EXPIRED,),
    Fault.NO_RECEIPT: (),
    Fault.TWICE: (Delivery.DELIVERED, Delivery.DELIVERED),
    Fault.EARLY: (Delivery.DELIVERED,),
    Fault.LATE: (Delivery.DELIVERED,),
}


@every_gateway
@pytest.mark.parametrize("fault", FATES)
async def test_receipts_come_and_are_believed(name: str, fault: Fault, place: Place) -> None:
    sent = await place.send_with_receipt(name, fault)
    assert (len(place.called) == 1) or fault is not Fault.EARLY, "before the answer"
    await place.provider.settled()
    found = place.receipts(name)
    assert [[(each.provider_id, each.status) for each in receipts] for receipts in found] == [
        [(sent.provider_id, status)] for status in FATES[fault]
    ]
    assert place.provider.inbox[0].receipts == [204] * len(found)


@every_gateway
async def test_a_forged_receipt_is_not_believed(name: str, place: Place) -> None:
    sent = await place.send_with_receipt(name, Fault.FORGED)
    await place.provider.settled()
    if name == "smspm":  # they sign nothing: what nobody can know is the id
        assert sent.provider_id not in [receipt.provider_id for (receipt,) in place.receipts(name)]
        return
    with pytest.raises(BadSignature):
        place.receipts(name)


@pytest.mark.parametrize("name", ["vonage", "webhook"])
async def test_a_receipt_played_back_later_is_not_believed(name: str, place: Place) -> None:
    await place.send_with_receipt(name, Fault.NONE)
    await place.provider.settled()
    (callback,) = place.called
    assert place.gateways[name].receipt(callback)
    late = Callback(
        callback.method,
        callback.url,
        callback.query,
        callback.headers,
        callback.body,
        received_at=MOMENT + timedelta(minutes=6),
    )
    with pytest.raises(BadSignature):
        place.gateways[name].receipt(late)


async def test_a_receipt_url_where_nobody_answers_is_noted(place: Place) -> None:
    await place.send("webhook", receipt_url="http://127.0.0.1:9/")
    await place.provider.settled()
    assert place.provider.inbox[0].receipts == [0]


# The inbox


async def test_the_inbox_is_there_for_programs_and_for_people(place: Place) -> None:
    await place.send("twilio", text="482913 <script>alert(1)</script>")
    async with new_client() as client:
        (shown,) = json.loads((await client.get(f"{place.provider.url}/inbox.json")).content)
        page = await client.get(f"{place.provider.url}/")
        assert (await client.get(f"{place.provider.url}/elsewhere")).status_code == 404
    assert (shown["gateway"], shown["to"], shown["at"]) == ("twilio", number_for(Fault.NONE), MOMENT.isoformat())
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


NO_HTTP = (b"", b"\r\n\r\n", b"POST /smspm HTTP/1.1\r\ncontent-length: -1\r\n\r\n", b"\xff" * 70_000)


@pytest.mark.parametrize("raw", NO_HTTP, ids=["nothing", "no request", "a wrong length", "no end"])
async def test_what_is_no_http_does_not_stop_it(raw: bytes, place: Place) -> None:
    host, _, port = place.provider.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw)
    writer.write_eof()
    with suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    assert (await place.send("smspm")).outcome is Outcome.ACCEPTED
