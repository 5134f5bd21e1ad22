"""For plug-in authors and for us: a clock that stands still, a gateway that remembers, the tests a gateway must pass.

The contract needs pytest to find it and nothing else; it starts its own event loop for each test.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx

from idp.sms import BadSignature, Callback, Channel, Gateway, Message, Outcome, Reason, Receipt, Sent

NUMBER = "+37256789045"
ADDRESS = "ada@example.com"
CODE = "482913"
MOMENT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
RECEIPTS = "https://login.example.com/receipts/x/6f1c1c0e/K5vZ0m1dQ2"


@dataclass(slots=True)
class FrozenClock:
    """A `Clock` that stands still until it is moved."""

    time: datetime = MOMENT

    def now(self) -> datetime:
        """The time it was set to."""
        return self.time

    def move(self, by: timedelta) -> datetime:
        """Move it, forward or back, and tell the new time."""
        self.time += by
        return self.time


@dataclass(slots=True)
class FakeGateway:
    """A gateway that keeps what it is given. `answers` are used up first, one for each try; then it accepts."""

    name: str = "fake"
    channels: frozenset[Channel] = frozenset({Channel.SMS})
    idempotent: bool = False
    sent: list[Message] = field(default_factory=list)
    answers: list[Sent] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    async def send(self, message: Message) -> Sent:
        """Remember the message, and answer as told."""
        self.sent.append(message)
        return self.answers.pop(0) if self.answers else Sent(Outcome.ACCEPTED, str(message.attempt_id))

    def receipt(self, callback: Callback) -> list[Receipt]:  # noqa: ARG002 - whatever comes, it says what it was told
        """What the test put into `receipts`."""
        return list(self.receipts)

    def codes(self) -> list[str]:
        """The codes sent so far, oldest first."""
        return [message.code for message in self.sent if message.code is not None]


def a_message(**changes: object) -> Message:
    """A message with a code, as one leaves; `changes` replace its fields."""
    fields: dict[str, object] = {
        "attempt_id": UUID("6f1c1c0e-6b0e-4a57-9d0c-4d9f6f2a7b31"),
        "to": NUMBER,
        "text": f"{CODE} is your Acme code.\n\n@login.example.com #{CODE}",
        "at": MOMENT,
        "code": CODE,
        "locale": "en",
        "ttl": timedelta(minutes=5),
        "receipt_url": RECEIPTS,
    }
    return Message(**(fields | changes))  # type: ignore[arg-type] # names and types are the caller's, in tests only


def a_callback(method: str = "POST", **changes: object) -> Callback:
    """A request to a receipt URL, received at `MOMENT`; `changes` replace its fields."""
    fields: dict[str, object] = {"method": method, "url": RECEIPTS, "received_at": MOMENT}
    return Callback(**(fields | changes))  # type: ignore[arg-type] # names and types are the caller's, in tests only


class GatewayContract:
    """What every gateway must keep. Subclass it, name the class `Test…`, and write `gateway`.

    Set `signs_receipts` if your provider signs what it calls back with: then nothing unsigned may be believed.
    """

    signs_receipts = False

    def gateway(self) -> Gateway:
        """A gateway of yours that accepts."""
        raise NotImplementedError

    def message(self) -> Message:
        """What it is given to send: by e-mail, if it carries no text messages."""
        if Channel.SMS in self.gateway().channels:
            return a_message()
        return a_message(channel=Channel.EMAIL, to=ADDRESS, subject="Your Acme account")

    def test_it_names_itself_and_what_it_carries(self) -> None:
        """The name goes into settings, URLs and the audit trail."""
        gateway = self.gateway()
        assert gateway.name
        assert gateway.name.isascii()
        assert gateway.name == gateway.name.lower()
        assert "/" not in gateway.name
        assert gateway.channels

    def test_an_accepted_message_has_the_providers_id(self) -> None:
        """Receipts are matched by it."""
        sent = asyncio.run(self.gateway().send(self.message()))
        assert sent.outcome is Outcome.ACCEPTED
        assert sent.provider_id

    def test_whatever_calls_back_is_read_or_refused_and_never_breaks(self) -> None:
        """The receipt URL is open to the world."""
        deep = b"[" * 100_000
        for body in (b"", b"{}", b"[]", b"null", b"\xff\xfe", deep, b'{"messageId":{},"status":[]}', b'{"id":NaN}'):
            for method in ("GET", "POST", "PUT"):
                callback = a_callback(method, query={"id": "\x00"}, body=body)
                try:
                    assert self.gateway().receipt(callback) == []
                except BadSignature:
                    continue

    def test_a_receipt_that_nobody_signed_is_refused(self) -> None:
        """Whoever knows the URL cannot say that a message arrived."""
        for callback in (a_callback(), a_callback("GET"), a_callback(body=b'{"data":{"id":"x","status":"delivered"}}')):
            try:
                believed = self.gateway().receipt(callback)
            except BadSignature:
                continue
            assert not self.signs_receipts, believed

    def test_its_repr_tells_no_secret(self) -> None:
        """Gateways end up in log lines and tracebacks."""
        shown = repr(self.gateway())
        assert not [secret for secret in self.secrets() if secret in shown]

    def secrets(self) -> tuple[str, ...]:
        """The credentials that `gateway` was made with."""
        return ()


Provider = Callable[[httpx.Request], httpx.Response]


class HttpGatewayContract(GatewayContract):
    """For gateways that speak HTTP. Write `over` and `accepts`; `secrets` if there are credentials."""

    def over(self, client: httpx.AsyncClient) -> Gateway:
        """Your gateway on this client."""
        raise NotImplementedError

    def accepts(self, request: httpx.Request) -> httpx.Response:
        """What the provider answers when it takes a message."""
        raise NotImplementedError

    def gateway(self) -> Gateway:
        """The gateway before a provider that accepts."""
        return self.over(httpx.AsyncClient(transport=httpx.MockTransport(self.accepts)))

    def sends(self, provider: Provider, message: Message | None = None) -> Sent:
        """Send one message to a provider that answers so."""

        async def send() -> Sent:
            async with httpx.AsyncClient(transport=httpx.MockTransport(provider)) as client:
                return await self.over(client).send(message or a_message())

        return asyncio.run(send())

    def test_what_never_left_is_not_sent(self) -> None:
        """It may be tried again freely."""
        for error in (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            sent = self.sends(_failing(error))
            assert sent.outcome is Outcome.NOT_SENT, error
            assert sent.reason in {Reason.NETWORK, Reason.TIMEOUT}

    def test_what_may_have_arrived_is_ambiguous(self) -> None:
        """It counts as spent."""
        for error in (httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            assert self.sends(_failing(error)).outcome is Outcome.AMBIGUOUS, error

    def test_a_server_error_is_ambiguous(self) -> None:
        """The provider may have sent it before failing."""
        for status in (500, 502, 503, 504):
            for body in (b"", b"oops", b"{}", b"[]"):
                sent = self.sends(_answering(status, body))
                assert sent.outcome is Outcome.AMBIGUOUS, (status, body)

    def test_success_without_an_id_is_ambiguous(self) -> None:
        """There is nothing to match a receipt with, and no telling what happened."""
        deep = b'{"a":' * 20_000
        for body in (b"", b"OK", b"{}", b"[]", b"null", b"1", b'"x"', b"\xff", deep, b"x" * 200_000):
            assert self.sends(_answering(200, body)).outcome is Outcome.AMBIGUOUS, body[:20]

    def test_too_many_requests_is_not_sent_and_says_when(self) -> None:
        """429 was never processed; Retry-After is handed on."""
        sent = self.sends(lambda _: httpx.Response(429, headers={"retry-after": "7"}))
        assert (sent.outcome, sent.reason) == (Outcome.NOT_SENT, Reason.RATE_LIMITED)
        assert sent.retry_after == timedelta(seconds=7)

    def test_wrong_credentials_are_our_fault(self) -> None:
        """The gateway is tripped and somebody is told."""
        sent = self.sends(_answering(401, b""))
        assert (sent.outcome, sent.reason) == (Outcome.MISCONFIGURED, Reason.AUTH)

    def test_an_idempotent_gateway_says_which_attempt_it_is(self) -> None:
        """Only by that can the provider know a second try from a second message."""
        message, asked = a_message(), list[bytes]()

        def remember(request: httpx.Request) -> httpx.Response:
            asked.append(b"\n".join(value for pair in request.headers.raw for value in pair) + request.content)
            return self.accepts(request)

        self.sends(remember, message)
        self.sends(remember, message)
        if self.gateway().idempotent:
            assert [str(message.attempt_id).encode() in each for each in asked] == [True, True]

    def test_a_redirect_is_not_followed(self) -> None:
        """It would carry number, code and credentials to whoever it names."""
        asked: list[str] = []

        def elsewhere(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return httpx.Response(307, headers={"location": "https://elsewhere.example/"})

        assert self.sends(elsewhere).outcome is not Outcome.ACCEPTED
        assert len(asked) == 1

    def test_nothing_secret_is_in_the_url_or_in_any_log(self) -> None:
        """URLs end up in everybody's logs; ours are checked at DEBUG."""
        message = a_message()
        seen: list[str] = []

        def refuse(request: httpx.Request) -> httpx.Response:
            seen.append(str(request.url))
            said = {"error": f"cannot send {message.text!r} to {message.to}", "message": message.to}
            return httpx.Response(400, json=said)

        with _every_log_line() as lines:
            sent = self.sends(refuse, message)
            self.sends(self.accepts, message)
        told = "\n".join((*seen, *lines, repr(sent)))
        secrets = (message.to, message.to.removeprefix("+"), CODE, *self.secrets())
        assert not [secret for secret in secrets if secret in told]


def _answering(status: int, body: bytes) -> Provider:
    return lambda _: httpx.Response(status, content=body)


def _failing(error: type[httpx.RequestError]) -> Provider:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("no", request=request)

    return fail


class _Lines(logging.Handler):
    """Collects every line that any logger writes while it is in use."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: list[str] = []
        self._level = logging.WARNING

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the formatted line."""
        self._lines.append(self.format(record))

    def __enter__(self) -> list[str]:
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self)
        return self._lines

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level)


def _every_log_line() -> _Lines:
    return _Lines()
