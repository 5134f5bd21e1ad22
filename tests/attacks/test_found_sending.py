"""What an attack on sending found once and must not find again."""

import asyncio
import gzip
import json
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import httpx
import pytest

from idp.flows.delivery import deliver, suppressions
from idp.flows.operate.authenticators import remove_authenticator
from idp.flows.operate.finding import find_user
from idp.flows.operate.passwords import set_password
from idp.flows.operate.people import set_user_disabled
from idp.model.mail import Mailbox, MailServer, is_address
from idp.model.regions import ByRegion
from idp.sms import Channel, Outcome, Reason, Sent
from idp.sms.smspm import SmspmGateway
from idp.sms.smtp import SmtpGateway
from idp.sms.vonage import VonageGateway
from idp.sms.wire import Answer, new_client, post
from idp.store.delivery import breakers, denials
from idp.testing import FakeGateway, a_message
from idp.testing.provider import fake_provider
from tests.world.asking import forget_limits
from tests.world.mailing import allow_mail
from tests.world.provider import ALICE_PHONE, BANK_URI, BOB_PHONE, Browser, Provider, parameters
from tests.world.sending import asks_for_a_code, deliver_all, states, use


@asynccontextmanager
async def answering(raw: bytes, asked: list[bytes] | None = None) -> AsyncIterator[str]:
    """A provider that says this to whoever asks."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(head.lower())
        writer.write(raw)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("javascript:1", id="no path"),
        pytest.param("http:x", id="no host"),
        pytest.param("http://xn--a.example", id="a name that is none"),
        pytest.param("//[::1", id="half an address"),
        pytest.param("http://\xff..a/", id="no letters"),
    ],
)
async def test_a_provider_that_sends_us_nowhere_raises_nothing(location: str) -> None:
    """Nobody follows it, yet httpx reads where it leads, and what it stumbles over there is no request error."""
    raw = f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode("latin-1")
    async with answering(raw) as url, new_client() as client:
        answer = await post(client, url, json_body={"to": "1"})
    assert isinstance(answer, Sent)
    assert answer.outcome is Outcome.AMBIGUOUS
    assert answer.reason in {Reason.BAD_RESPONSE, Reason.NETWORK}


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", gzip.compress(b'{"id": "1"}'), id="once"),
        pytest.param("gzip, deflate", zlib.compress(gzip.compress(b'{"id": "1"}')), id="twice"),
    ],
)
async def test_an_answer_that_was_pressed_together_is_not_unpacked(encoding: str, body: bytes) -> None:
    """A megabyte, pressed twice, filled 1 GB of the worker's memory, and its loop stood still for 10 s."""
    asked: list[bytes] = []
    raw = f"HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    async with answering(raw, asked) as url, new_client() as client:
        assert await post(client, url, json_body={"to": "1"}) == Answer(200, None)
    assert b"\r\naccept-encoding: identity\r\n" in asked[0]


async def test_what_a_provider_wants_remembered_is_forgotten() -> None:
    """One client for all: what one provider sets would be kept for ever, and go along with the code to another."""
    asked: list[bytes] = []
    cookies = "".join(f"set-cookie: c{n}=1; Path=/\r\n" for n in range(50))
    raw = f"HTTP/1.1 200 OK\r\n{cookies}content-length: 2\r\n\r\n{{}}".encode()
    async with answering(raw, asked) as url, new_client() as client:
        assert await post(client, url, json_body={"to": "1"}) == Answer(200, {})
        assert await post(client, url, json_body={"to": "2"}) == Answer(200, {})
        assert isinstance(client, httpx.AsyncClient)
        assert len(client.cookies.jar) == 0
    assert len(asked) == 2
    assert b"cookie" not in asked[1]


@pytest.fixture
async def provider(bare: Provider) -> Provider:
    """One of its own for each test: what is counted here reaches over many days."""
    await bare.add_client("bank", BANK_URI)
    await bare.add_person("alice", number=ALICE_PHONE)
    await bare.add_person("bob", number=BOB_PHONE)
    return bare


def smspm(client: httpx.AsyncClient, url: str) -> SmspmGateway:
    return SmspmGateway(client, account="a", token="b", senders=ByRegion("Acme"), url=url)


@pytest.mark.parametrize(
    "cost",
    ["1E+999999", "1E-999999", "1E+200000", "1E+30", "-1E+30", "9" * 60_000, "0." + "1" * 60_000, "0E+999999", "NaN"],
    ids=lambda text: text[:12],
)
async def test_an_absurd_price_neither_sends_twice_nor_takes_the_budget(provider: Provider, cost: str) -> None:
    """The database refused the number, so nobody wrote down that the message was sent, and it was sent again."""
    asked: list[bytes] = []
    said = json.dumps({"status": "success", "messageId": "m1", "cost": cost, "currency": "EUR"}).encode()
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(said) + said
    await asks_for_a_code(provider)
    async with answering(raw, asked) as url, new_client() as client:
        gateways = use(provider, smspm(client, url))
        done = await deliver_all(provider, *gateways)
        provider.clock.move(timedelta(minutes=1))
        done += await deliver_all(provider, *gateways)
    assert [each.state for each in done] == ["sent"]
    assert len(asked) == 1
    price = provider.idp.spending.price("EE")
    assert set((await denials.spent(provider.idp.db, now=provider.clock.now())).values()) == {price}


@pytest.mark.parametrize("cost", [Decimal("NaN"), Decimal("Infinity"), Decimal("1E+999999"), Decimal("1E+30")])
async def test_nor_does_that_of_somebody_elses_gateway(provider: Provider, cost: Decimal) -> None:
    await asks_for_a_code(provider)
    provider.gateway.answers.append(Sent(Outcome.ACCEPTED, "m1", cost=cost, currency="EUR"))
    assert len(await provider.deliver()) == 1
    provider.clock.move(timedelta(minutes=1))
    assert len(await provider.deliver()) == 1
    assert await states(provider) == ["sent"]
    price = provider.idp.spending.price("EE")
    assert set((await denials.spent(provider.idp.db, now=provider.clock.now())).values()) == {price}


async def test_prices_that_cannot_be_added_up_do_not_break_a_gateway() -> None:
    part = {"message-id": "m1", "status": "0", "message-price": "9E+999999"}
    said = json.dumps({"messages": [part, part]}).encode()
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(said) + said
    async with answering(raw) as url, new_client() as client:
        gateway = VonageGateway(client, key="k", secret="s", signature=None, senders=ByRegion("Acme"), url=url)
        sent = await gateway.send(a_message())
    assert (sent.outcome, sent.provider_id, sent.cost) == (Outcome.ACCEPTED, "m1", None)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Sent(Outcome.ACCEPTED, "m\x00"), id="an id with a NUL"),
        pytest.param(Sent(Outcome.ACCEPTED, "m" * 100_000), id="an id without an end"),
        pytest.param(Sent(Outcome.ACCEPTED, "m", provider_code="\ud800"), id="a code that is no text"),
        pytest.param(Sent(Outcome.ACCEPTED, "m", segments=10**12), id="very many parts"),
        pytest.param(Sent(Outcome.ACCEPTED, "m", currency="+37256789045\x00"), id="a number for a currency"),
    ],
)
async def test_what_a_plug_in_says_of_a_sent_message_does_not_make_it_leave_again(
    provider: Provider, answer: Sent
) -> None:
    await asks_for_a_code(provider)
    provider.gateway.answers.append(answer)
    assert len(await provider.deliver()) == 1
    provider.clock.move(timedelta(minutes=1))
    assert len(await provider.deliver()) == 1
    assert await states(provider) == ["sent"]


async def _removed(provider: Provider, browser: Browser) -> None:
    del browser
    person = await find_user(provider.idp, "bob")
    await remove_authenticator(provider.idp, "bob", str(person.authenticators[0].id))


async def _disabled(provider: Provider, browser: Browser) -> None:
    del browser
    await set_user_disabled(provider.idp, "bob", disabled=True)


async def _signed_out_everywhere(provider: Provider, browser: Browser) -> None:
    del browser
    await set_password(provider.idp, "bob", "another passphrase altogether")


async def _cancelled(provider: Provider, browser: Browser) -> None:
    del provider
    assert (await browser.submit("/cancel")).status_code == 303


async def _three_wrong_codes(provider: Provider, browser: Browser) -> None:
    del provider
    for code in ("000000", "000001", "000002"):
        await browser.submit("/sms", code=code)


@pytest.mark.parametrize(
    "change", [_removed, _disabled, _signed_out_everywhere, _cancelled, _three_wrong_codes], ids=lambda it: it.__name__
)
async def test_a_code_that_is_good_for_nothing_any_more_is_not_paid_for(
    provider: Provider, change: Callable[[Provider, Browser], Awaitable[None]]
) -> None:
    """A phone that was taken away, and cancelled requests by the dozen: each message was sent all the same."""
    browser = await asks_for_a_code(provider, "bob")
    await change(provider, browser)
    assert await provider.deliver() == []
    assert (await states(provider))[0] == "expired"


async def test_a_code_whose_question_is_open_is_mailed(provider: Provider) -> None:
    allow_mail(provider)
    await provider.add_person("mia", email="mia@example.com", email_verified=True)
    browser = await asks_for_a_code(provider, "mia")
    assert "code" in parameters(await browser.submit("/email", code=(await provider.deliver())[-1]))


async def test_a_message_that_is_denied_does_not_keep_others_from_a_gateway_that_works_again(
    provider: Provider,
) -> None:
    """Each took the one probe of a minute's rest and then sent nothing; whoever asks often enough stops everybody."""
    await suppressions.suppress(provider.idp, BOB_PHONE, reason="opted_out", gateway="busy", account_id=uuid4())
    gateway = FakeGateway("busy", answers=[Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)] * 5)
    gateways = use(provider, gateway)
    for n in range(5):
        await provider.add_person(f"early{n}", number=f"+3725{1000 + n}001")
        await asks_for_a_code(provider, f"early{n}")
        await deliver.deliver_one(provider.idp, gateways)
    assert [each.state for each in await breakers.states(provider.idp.db, now=provider.clock.now())] == ["open"]
    provider.clock.move(timedelta(minutes=2))
    await forget_limits(provider)
    await asks_for_a_code(provider, "bob")
    done = await deliver.deliver_one(provider.idp, gateways)
    assert done is not None
    assert done.state == "denied"
    await asks_for_a_code(provider, "alice")
    await deliver_all(provider, *gateways)
    assert ALICE_PHONE in {message.to for message in gateway.sent}


async def test_two_people_with_one_number_do_not_give_back_each_others_place_in_its_block(provider: Provider) -> None:
    """What the provider refused of the second took the place of the first with it, who had been texted."""
    for n in range(6):
        number = f"+3725123420{n}"
        await provider.add_person(f"first{n}", number=number)
        await provider.add_person(f"second{n}", number=number)
        await forget_limits(provider)
        await asks_for_a_code(provider, f"first{n}")
        await provider.deliver()
        await asks_for_a_code(provider, f"second{n}")
        provider.gateway.answers.append(Sent(Outcome.REJECTED, reason=Reason.CONTENT_REJECTED))
        await provider.deliver()
        provider.gateway.answers.clear()
    assert len({message.to for message in provider.gateway.sent}) == 3


def smtp(port: int) -> SmtpGateway:
    server = MailServer("127.0.0.1", port, "starttls")
    tls = ssl.create_default_context()
    return SmtpGateway(server, Mailbox("Acme", "no-reply@acme.example"), "Acme", tls, timedelta(seconds=2))


@pytest.mark.parametrize("greeting", ["", "220 here\r\n"], ids=["greeting", "EHLO"])
async def test_a_mail_server_that_never_stops_talking_is_left(greeting: str) -> None:
    """In the 10 s that it has it filled 1.4 GB; before STARTTLS that may be anybody on the way."""
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if greeting:
            writer.write(greeting.encode())
            await reader.readline()
        with suppress(OSError):
            for _ in range(1000):  # for ever, as far as we care
                writer.write(b"250-" + b"x" * 4000 + b"\r\n")
                await writer.drain()
            await reader.read()
        writer.close()
        left.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        gateway = smtp(server.sockets[0].getsockname()[1])
        sent = await gateway.send(a_message(channel=Channel.EMAIL, to="ada@example.com"))
        await left.wait()
    gateway.threads.shutdown()
    # it was left for what it said, and not because its time was over
    assert sent == Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)


@pytest.mark.parametrize("address", ["=?utf-8?q?a?=@x.example", "=?a@x.example", "a=?=b@x.example"])
async def test_an_address_that_no_header_can_hold_is_refused_and_raises_nothing(address: str) -> None:
    """One person with such an address looked like a mail server that fails, for everybody."""
    assert not is_address(address)
    gateway = smtp(9)
    sent = await gateway.send(a_message(channel=Channel.EMAIL, to=address))
    assert sent == Sent(Outcome.REJECTED, reason=Reason.INVALID_NUMBER)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "[", "", "127.0.0.1:x"]
)
async def test_a_page_whose_name_leads_here_does_not_read_the_codes_of_who_sits_here(bare: Provider, host: str) -> None:
    """DNS rebinding: to the browser it is the page's own site, to us a visitor from this machine."""
    shown = await bare.browser(address="127.0.0.1").get("/dev/outbox")
    assert shown.status_code == 200
    assert (await bare.browser(address="127.0.0.1", headers={"host": host}).get("/dev/outbox")).status_code == 404
    async with fake_provider() as fake, httpx.AsyncClient() as client:
        for path in ("/", "/inbox.json"):
            assert (await client.get(fake.url + path)).status_code == 200
            assert (await client.get(fake.url + path, headers={"host": host})).status_code == 404
