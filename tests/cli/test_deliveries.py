"""`idp sms log`, `idp sms unblock`, and what `idp doctor` says about sending."""

import asyncio
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from idp.flows.delivery import deliver
from idp.flows.delivery.suppressions import suppress
from idp.model.regions import ByRegion
from idp.serving.place import database, opened, prepare
from idp.settings import read_settings
from idp.sms import Channel, Outcome, Reason, Sent
from idp.store.delivery import breakers
from idp.testing import FakeGateway
from tests.world.commands import PASSWORD, Run


def test_what_was_sent_to_a_person_is_shown_masked_and_a_number_is_unblocked(
    idp: Run, person: str, served_dir: Path
) -> None:

    shown = idp("user", "show", person, "--json").json
    gateway = FakeGateway(answers=[Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)] * 50)

    async def send(url: str) -> None:
        async with opened(await prepare(settings, url, migrate=False)) as running:
            running.settings = settings.model_copy(update={"sms_gateways": ByRegion(("fake",))})
            while await deliver.deliver_one(running, (gateway,)) is not None:
                pass
            account_id = UUID(shown["id"])
            await suppress(running, "+37256789045", reason="opted_out", gateway="fake", account_id=account_id)

    assert "Nothing was sent" in idp("sms", "log", person).out
    assert idp("user", "recovery", person).status == 0
    settings = read_settings(os.environ)
    with database(settings) as url:
        asyncio.run(send(url))
    (line,) = idp("sms", "log", person, "--json").json["messages"]
    assert (line["kind"], line["gateway"], line["outcome"], line["reason"]) == (
        *("recovery_added", "fake", "not_sent", "network"),
    )
    ran = idp("sms", "log", person)
    assert "not sent (network)" in ran.out
    assert "•••" in ran.out
    assert gateway.sent[0].to not in ran.out
    assert idp("sms", "log", "nobody-there").status == 1
    assert idp("sms", "log", "--json").json["messages"][0]["to"] == line["to"]
    assert idp("sms", "blocks").out == "No block of numbers is closed.\n"
    assert idp("sms", "blocks", "--json").json == {"blocks": []}
    assert idp("sms", "blocks", "--open", "what").status == 2
    assert idp("sms", "blocks", "--open", "00ff").err == "This block of numbers is not closed.\n"
    assert idp("sms", "unblock", "+37256789045", "--json").json["reason"] == "opted_out"
    assert idp("sms", "unblock", "+37256789045", "--json").json["unblocked"] is False
    assert "Nothing was in the way" in idp("sms", "unblock", "+37256789045").out
    assert idp("sms", "unblock", "12").status == 1


def test_a_refused_mailbox_is_no_invalid_number(idp: Run, settings: pytest.MonkeyPatch, served_dir: Path) -> None:
    settings.setenv("IDP_SMTP_URL", "smtp://localhost?starttls=never")
    settings.setenv("IDP_SMTP_FROM", "no-reply@acme.example")
    added = ("user", "add", "maila", "--no-phone", "--email", "maila@acme.example", "--email-verified")
    assert idp(*added, "--password-stdin", stdin=PASSWORD).status == 0
    refused = Sent(Outcome.REJECTED, reason=Reason.INVALID_NUMBER)
    postoffice = FakeGateway(name="smtp", channels=frozenset({Channel.EMAIL}), answers=[refused] * 50)

    async def send(url: str) -> None:
        async with opened(await prepare(read_settings(os.environ), url, migrate=False)) as running:
            while await deliver.deliver_one(running, (postoffice,)) is not None:
                pass

    assert idp("user", "recovery", "maila").status == 0
    with database(read_settings(os.environ)) as url:
        asyncio.run(send(url))
    assert idp("sms", "log", "maila", "--json").json["messages"][0]["reason"] == "invalid_number"
    assert "rejected (no such mailbox)" in idp("sms", "log", "maila").out


def test_the_doctor_says_how_the_queue_stands_and_which_gateway_is_left_alone(
    idp: Run, person: str, served_dir: Path
) -> None:

    assert idp("user", "recovery", person).status == 0
    settings = read_settings(os.environ)

    async def trip(url: str, now: datetime) -> None:
        async with opened(await prepare(settings, url, migrate=False)) as running:
            await breakers.trip(running.db, gateway="pigeon", now=now)

    async def close(url: str) -> None:
        async with opened(await prepare(settings, url, migrate=False)) as running:
            await breakers.close(running.db, gateway="pigeon", regions=["*"], now=running.clock.now())

    with database(settings) as url:
        asyncio.run(trip(url, datetime(2099, 1, 1, tzinfo=UTC)))
        try:
            found = {one["check"]: one for one in idp("doctor", "--json").json["checks"]}
        finally:
            asyncio.run(close(url))
    assert found["gateway"]["state"] == "warn"
    assert "pigeon fails, and is left alone" in found["gateway"]["found"]
    assert re.match(r"empty$|1 message waits, |([2-9]|[1-9][0-9]+) messages wait, ", found["outbox"]["found"])
    assert "gateway" not in {one["check"] for one in idp("doctor", "--json").json["checks"]}
