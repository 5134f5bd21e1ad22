"""Promise 9 about text messages: a browser cannot tell by the clock what becomes of the one it asked for."""

import time

import asyncpg
import pytest

from idp.flows.delivery.suppressions import suppress
from idp.sms import Message, Outcome, Reason, Sent
from idp.store.people import accounts
from idp.testing import FakeGateway
from tests.world.asking import Asked, ask_second_factor, forget_limits
from tests.world.provider import ALICE_PHONE, Provider
from tests.world.sending import deliver_all, states, use
from tests.world.stage import own_token

NOT_THERE = "+37256789051"
# In Latvia the only gateway is down.
NUMBERS = {"fine": ALICE_PHONE, "suppressed": "+37256789050", "not there": NOT_THERE, "down": "+37121234567"}
USERNAMES = {what: "bob" if what == "fine" else what.replace(" ", "-") for what in NUMBERS}
ROUNDS = 60


class Provided(FakeGateway):
    """Refuses the number that is not there, and is down where it is called so."""

    async def send(self, message: Message) -> Sent:
        await super().send(message)
        if self.name == "down":
            return Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)
        if message.to == NOT_THERE:
            return Sent(Outcome.REJECTED, reason=Reason.INVALID_NUMBER)
        return Sent(Outcome.ACCEPTED, str(message.attempt_id))


@pytest.fixture
async def gateways(provider: Provider) -> tuple[Provided, Provided]:
    for what, number in NUMBERS.items():
        if what != "fine":
            await provider.add_person(USERNAMES[what], number=number)
    found = await accounts.by_username(provider.idp.db, username="suppressed")
    assert found is not None
    number, account_id = NUMBERS["suppressed"], found[0].id
    await suppress(provider.idp, number, reason="opted_out", gateway="up", account_id=account_id)
    up, down = Provided(name="up"), Provided(name="down")
    use(provider, up, LV=("down",))
    return up, down


async def test_asking_for_a_code_takes_as_long_whatever_becomes_of_it(
    provider: Provider, gateways: tuple[Provided, Provided], database_url: str
) -> None:
    people = {what: await ask_second_factor(provider, name) for what, name in USERNAMES.items()}
    spans: dict[str, list[float]] = {what: [] for what in people}
    faces: set[tuple[int, int]] = set()
    connection = await asyncpg.connect(database_url)
    try:
        # in turns, so that a busy machine is as busy for all of them
        for n in range(ROUNDS):
            await connection.execute("DELETE FROM rate_limit")
            for what, asked in people.items():
                status, spent = await _send(provider, asked)
                faces.add((status, len(provider.statements)))
                spans[what].append(spent)
            if n % 25 == 0:
                await deliver_all(provider, *gateways)
    finally:
        await connection.close()
    assert len(faces) == 1
    assert faces.pop()[0] == 303
    # what happened to them did differ
    assert {"sent", "denied", "failed", "waiting"} <= set(await states(provider))
    least = {what: min(taken) for what, taken in spans.items()}
    assert max(least.values()) < 1.5 * min(least.values()), least


async def _send(provider: Provider, asked: Asked) -> tuple[int, float]:
    path = f"/i/{asked.interaction_id}/sms/send"
    form = own_token(provider, asked.browser, path)
    provider.count()
    started = time.process_time()
    answer = await asked.browser.http.post(path, data=form)
    return answer.status_code, time.process_time() - started


async def test_password_and_waiting_page_ask_the_database_as_often_whatever_becomes_of_it(
    provider: Provider, gateways: tuple[Provided, Provided]
) -> None:
    counts = set()
    for _ in range(3):
        for name in USERNAMES.values():
            await forget_limits(provider)
            provider.count()
            asked = await ask_second_factor(provider, name)
            asked_for = len(provider.statements)
            await deliver_all(provider, *gateways)
            provider.count()
            page = await asked.browser.get(f"/i/{asked.interaction_id}/sms")
            counts.add((asked_for, len(provider.statements), page.status_code))
    assert len(counts) == 1
