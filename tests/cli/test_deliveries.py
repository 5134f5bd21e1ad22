"""`idp sms log`, `idp sms unblock`, and what `idp doctor` says about sending."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from idp.cli.place import database, opened, prepare
from idp.flows import deliver
from idp.flows.suppressions import suppress
from idp.model.regions import ByRegion
from idp.settings import read_settings
from idp.sms import Outcome, Reason, Sent
from idp.store import breakers
from idp.testing import FakeGateway
from tests.cli.conftest import Run


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
    assert idp("sms", "unblock", "+37256789045", "--json").json["reason"] == "opted_out"
    assert idp("sms", "unblock", "+37256789045", "--json").json["unblocked"] is False
    assert "Nothing was in the way" in idp("sms", "unblock", "+37256789045").out
    assert idp("sms", "unblock", "12").status == 1


def test_the_doctor_says_how_the_queue_stands_and_which_gateway_is_left_alone(
    idp: Run, person: str, served_dir: Path
) -> None:

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
    assert "outbox" in found
    assert "gateway" not in {one["check"] for one in idp("doctor", "--json").json["checks"]}
