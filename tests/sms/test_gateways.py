"""Finding gateways, the console, the order of receipts, and what `idp.testing` offers."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint

import httpx
import pytest

from idp import sms
from idp.errors import SettingsError
from idp.settings import Settings
from idp.sms import Delivery, Outcome, Sent, latest, open_gateways, registered
from idp.sms.console import ConsoleGateway
from idp.testing import CODE, NUMBER, FakeGateway, FrozenClock, GatewayContract, a_message


class TestConsoleKeepsTheContract(GatewayContract):
    def gateway(self) -> ConsoleGateway:
        return ConsoleGateway(io.StringIO())


class TestFakeKeepsTheContract(GatewayContract):
    def gateway(self) -> FakeGateway:
        return FakeGateway()


def test_the_console_prints_the_text_under_a_masked_number() -> None:
    stream = io.StringIO()
    asyncio.run(ConsoleGateway(stream).send(a_message()))
    assert a_message().text in stream.getvalue()
    assert "+372•••••045" in stream.getvalue()
    assert NUMBER not in stream.getvalue()


def test_gateways_open_in_the_order_asked() -> None:
    settings = Settings.model_validate({"smspm_hash": "h", "smspm_token": "t"})
    opened = open_gateways(("smspm", "console"), settings=settings, client=httpx.AsyncClient())
    assert [gateway.name for gateway in opened] == ["smspm", "console"]


def test_every_unknown_gateway_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        open_gateways(("console", "pigeon", "smoke"), settings=Settings.model_validate({}), client=httpx.AsyncClient())
    assert len(caught.value.problems) == 2
    assert "'pigeon' is not installed (there are: console, smspm" in caught.value.problems[0]


def test_a_plug_in_adds_a_gateway_but_cannot_take_the_name_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = [
        EntryPoint("pigeon", "somewhere.pigeon:create", sms.GROUP),
        EntryPoint("smspm", "somewhere.evil:create", sms.GROUP),
    ]
    monkeypatch.setattr(sms, "entry_points", lambda group: installed if group == "idp.sms_gateways" else [])
    found = registered()
    assert set(found) == {"console", "smspm", "smtp", "twilio", "vonage", "webhook", "pigeon"}
    assert found["smspm"].value == "idp.sms.smspm:create"


@pytest.mark.parametrize(
    ("known", "reported", "believed"),
    [
        (None, Delivery.UNKNOWN, Delivery.UNKNOWN),
        (Delivery.UNKNOWN, Delivery.QUEUED, Delivery.QUEUED),
        (Delivery.QUEUED, Delivery.SENT, Delivery.SENT),
        (Delivery.SENT, Delivery.QUEUED, Delivery.SENT),
        (Delivery.SENT, Delivery.DELIVERED, Delivery.DELIVERED),
        (Delivery.DELIVERED, Delivery.SENT, Delivery.DELIVERED),
        (Delivery.DELIVERED, Delivery.UNDELIVERED, Delivery.DELIVERED),
        (Delivery.EXPIRED, Delivery.DELIVERED, Delivery.EXPIRED),
        (Delivery.UNDELIVERED, Delivery.UNKNOWN, Delivery.UNDELIVERED),
    ],
)
def test_delivery_only_moves_forward(known: Delivery | None, reported: Delivery, believed: Delivery) -> None:
    assert latest(known, reported) is believed


def test_a_message_shows_neither_number_nor_text_nor_code_nor_receipt_key() -> None:
    message = a_message()
    assert message.receipt_url
    shown = repr(message)
    assert not [secret for secret in (NUMBER, CODE, "Acme", message.receipt_url) if secret in shown]


def test_the_fake_remembers_and_answers_as_told() -> None:
    fake = FakeGateway(answers=[Sent(Outcome.NOT_SENT)])
    assert asyncio.run(fake.send(a_message())).outcome is Outcome.NOT_SENT
    assert asyncio.run(fake.send(a_message(code="000042"))).outcome is Outcome.ACCEPTED
    assert fake.codes() == [CODE, "000042"]


def test_a_frozen_clock_moves_only_when_moved() -> None:
    clock = FrozenClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now()
    assert clock.move(timedelta(hours=1)) == datetime(2026, 1, 1, 1, tzinfo=UTC) == clock.now()
