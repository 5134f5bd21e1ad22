"""Sending with real processes: two workers, a provider on the wire, and a kill -9 at every step of a sender.

What is claimed by a dead sender is taken over when its lease ends. So is what a living one is too slow for, on a busy
machine: then the same code leaves once more, which is right, and told apart by the times of the tries.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import bindparam, func, select

from idp.crypto import KeyChain
from idp.spending import Period
from idp.store.delivery import denials, messages
from idp.store.delivery.messages import Telling
from idp.store.people import accounts
from idp.store.schema.base import Time
from idp.store.schema.records import message, message_attempt
from tests.world.asking import ask_second_factor, forget_limits
from tests.world.composed import Statement
from tests.world.databases import empty
from tests.world.parallel import at_once
from tests.world.provider import ISSUER, Provider
from tests.world.running import running as on
from tests.world.running import settings_for
from tests.world.served import LEASE, Killer, Served, keys_text, killer_before, people, served
from tests.world.waiting import News, comes, until

pytestmark = pytest.mark.xdist_group("processes")

# What only these statements of a sender hold.
BEGIN, MARK = b"INSERT INTO message_attempt", b"SET finished_at"
JUDGE, BOOK, STOLEN = b"FROM suppressed_number", b"INSERT INTO spending_money", b"denied_by = 'sim_swap'"
PRICE = Decimal("0.10")
TRIES = Statement(
    select(message.c.state, message.c.tries, func.count(message_attempt.c.id))
    .outerjoin_from(message, message_attempt, message_attempt.c.message_id == message.c.id)
    .group_by(message.c.id)
    .order_by(message.c.created_at)
)
WAITING = Statement(
    select(message.c.id).where(message.c.state == "waiting", message.c.expires_at > bindparam("at", type_=Time))
)
STARTED = Statement(
    select(message_attempt.c.message_id, message_attempt.c.started_at, message_attempt.c.outcome).order_by(
        message_attempt.c.message_id, message_attempt.c.started_at
    )
)


@dataclass(slots=True)
class Smspm:
    """A provider that takes everything, as SMSPM would, until it is told to be down. It knows of SIMs, too."""

    url: str = ""
    texts: list[str] = field(default_factory=list)
    checks: int = 0
    down: bool = False
    swapped: bool = False
    refused: int = 0
    news: News = field(default_factory=News)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                said = json.loads(await reader.readexactly(length))
                if head.startswith(b"post /check "):
                    self.checks += 1
                    self.news()
                    told = b'{"swapped":%s}' % str(self.swapped).lower().encode()
                    writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))
                    continue
                status, answer = (429, b"{}") if self.down else (200, b'{"messages":[{"id":"%s"}]}')
                self.refused += self.down
                if not self.down:
                    self.texts.append(said["text"])
                    answer %= uuid4().hex.encode()
                self.news()
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(answer), answer))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.transport.abort()

    def calls(self) -> dict[str, int]:
        """How often each code was sent."""
        codes = [text[:6] for text in self.texts]
        return {code: codes.count(code) for code in codes}


@asynccontextmanager
async def smspm() -> AsyncIterator[Smspm]:
    made = Smspm()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


@dataclass(slots=True)
class Running:
    """Two workers, what may kill them, their provider; and somebody who asks for codes elsewhere, on their database."""

    workers: Served
    killer: Killer
    provider: Smspm
    local: Provider


@pytest.fixture(scope="module")
async def running(
    database_url: str, key_chain: KeyChain, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """Two workers that reach their database through a killer, and a provider."""
    home = tmp_path_factory.mktemp("senders")
    await empty(database_url)
    async with AsyncExitStack() as stack:
        killer = await stack.enter_async_context(killer_before(database_url))
        provider = await stack.enter_async_context(smspm())
        made = await stack.enter_async_context(people(database_url, key_chain, home))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
        environ |= {"IDP_ISSUER": ISSUER, "IDP_METRICS": "off", "IDP_LOG_LEVEL": "error"}
        environ |= {"IDP_SMS_GATEWAYS": "smspm", "IDP_SMSPM_URL": provider.url}
        environ |= {"IDP_SMSPM_HASH": "hash", "IDP_SMSPM_TOKEN": "token"}
        environ |= {"IDP_NUMBER_INTEL": "camara", "IDP_CAMARA_URL": provider.url, "IDP_CAMARA_TOKEN": "token"}
        environ |= {"IDP_DATABASE_URL": killer.url, "IDP_SECRET_KEYS": keys_text(key_chain)}
        workers = await stack.enter_async_context(served(made, environ, home))
        killer.workers = workers.workers
        local = await stack.enter_async_context(on(database_url, key_chain, settings_for(home)))
        local.idp.clock = workers.idp.clock
        yield Running(workers, killer, provider, local)


async def asks(running: Running) -> str:
    """Somebody asks for a code: which one it is."""
    await forget_limits(running.local)
    await ask_second_factor(running.local)
    (code,) = await running.workers.deliver()
    return code


async def killed_at(running: Running, only: bytes, *, answer: bool) -> str:
    """Somebody asks for a code, and a sender dies at this statement. The code."""
    running.killer.at(1, answer=answer, only=only)
    code = await asks(running)
    await running.killer.done()
    assert await asyncio.to_thread(until, lambda: len(running.workers.workers()) == 2)
    return code


async def booked(workers: Served) -> Decimal:
    """What was spent this month."""
    return (await denials.spent(workers.idp.db, now=workers.idp.clock.now()))[Period.MONTH]


async def tries(workers: Served) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await workers.rows(TRIES)]


async def tried(workers: Served) -> int:
    """How many tries there were of all messages."""
    return sum(spent for _, spent, _ in await tries(workers))


async def all_sent(workers: Served) -> None:
    """Until nothing waits any more: whatever was to leave twice has left. Nobody sends a code that is over."""

    async def so() -> bool:
        return not await workers.rows(WAITING, at=workers.idp.clock.now() + messages.MARGIN)

    await comes(so)


async def repeated_rightly(workers: Served) -> None:
    """Nobody sends what another sends under a lease: a next try comes after the lease, or after the end of the last."""
    for (message_id, begun, outcome), (next_id, again, _) in pairwise(await workers.rows(STARTED)):
        if message_id == next_id and outcome in {None, "accepted"}:
            assert again >= begun + LEASE


async def test_a_killed_sender_costs_one_more_of_the_same_code_at_most(running: Running) -> None:
    workers, provider = running.workers, running.provider
    killed = [
        await killed_at(running, only, answer=answer)
        # claimed and not begun, begun and not called, called and not marked
        for only, answer in ((BEGIN, False), (BEGIN, True), (MARK, False))
    ]
    untouched = await asks(running)
    await all_sent(workers)
    assert [spent for _, spent, _ in await tries(workers)] == [noted for _, _, noted in await tries(workers)]
    # A try is a call, but for the one that was begun and not called; and for those that were on their way at a kill,
    # because a lease was outlasted. Without any there are six.
    count = await tried(workers)
    if count == 6:
        await provider.news.until(lambda: len(provider.texts) == 5)
    assert count >= 6
    assert len(provider.texts) < count
    assert provider.calls().keys() <= {*killed, untouched}
    if all(state == "sent" for state, _, _ in await tries(workers)):  # in less than the five minutes of a code
        assert provider.calls().keys() == {*killed, untouched}
    await repeated_rightly(workers)
    # Who died between the verdict and the try has cost nothing: it was asked again.
    assert provider.checks > count


async def test_what_a_killed_sender_booked_is_never_less_than_what_was_sent(running: Running) -> None:
    """One price too many at most for each kill: what was booked and not begun is nobody's to give back."""
    workers, provider = running.workers, running.provider
    before, tried_before = await booked(workers), await tried(workers)
    killed = [
        await killed_at(running, only, answer=answer)
        for only, answer in ((JUDGE, False), (BOOK, False), (BOOK, True), (MARK, True))
    ]
    await provider.news.until(lambda: provider.calls().keys() >= set(killed))
    await all_sent(workers)
    calls = await tried(workers) - tried_before
    assert calls >= len(killed)
    # At a kill other messages may be on their way, too, if earlier ones had to wait for so long that it is their turn.
    most = calls + sum(range(1, len(killed) + 1))

    async def all_settled() -> bool:
        return calls < (await booked(workers) - before) / PRICE <= most

    await comes(all_settled)
    await repeated_rightly(workers)


async def test_twenty_resends_at_once_at_two_workers_are_one_message_on_the_phone(running: Running) -> None:
    workers, provider = running.workers, running.provider
    await forget_limits(workers)
    asked = await ask_second_factor(workers)
    (code,) = await workers.deliver()
    await provider.news.until(lambda: code in provider.calls())
    await all_sent(workers)
    tried_before, had = await tried(workers), len(await tries(workers))
    await forget_limits(workers)
    await asked.browser.get(f"/i/{asked.interaction_id}/sms")
    form = asked.browser.form("/sms/send")
    data = {each.name: each.value for each in form.fields if each.name}
    began = workers.idp.clock.now()
    answers = await at_once(20, lambda _: asked.browser.http.post(form.action, data=data))
    took = workers.idp.clock.now() - began
    assert {each.status_code for each in answers} == {303}
    led = [each.headers["location"] for each in answers if "?note=" in each.headers["location"]]
    assert len(led) == 19
    refused = [await asked.browser.http.get(each) for each in led]
    assert {each.status_code for each in refused} == {429}
    # whose clock was read a moment before the winner's waits for that moment, too, and every second begun counts
    longest = 61 + took.total_seconds()
    assert all(0 < int(each.headers["retry-after"]) <= longest for each in refused)
    assert len(await tries(workers)) == had + 1
    await all_sent(workers)
    assert await tried(workers) > tried_before
    await provider.news.until(lambda: provider.calls()[code] >= 2)
    await repeated_rightly(workers)


async def test_a_hundred_messages_leave_two_workers_once_each(running: Running) -> None:
    workers, provider = running.workers, running.provider
    person = await accounts.by_username(workers.idp.db, username="alice")
    assert person is not None
    before, tried_before = len(provider.texts), await tried(workers)
    now = workers.idp.clock.now()
    for _ in range(100):
        telling = Telling(person[0].id, "password_changed", locale=None, expires_at=now + timedelta(hours=1))
        await messages.notice(workers.idp.db, telling, now=now)
    await provider.news.until(lambda: len(provider.texts) >= before + 100)
    await all_sent(workers)
    calls = await tried(workers) - tried_before
    assert before + 100 <= len(provider.texts) <= before + calls
    await repeated_rightly(workers)


async def test_what_was_asked_for_while_the_provider_was_down_arrives_once_it_is_back(running: Running) -> None:
    workers, provider = running.workers, running.provider
    provider.down = True
    code = await asks(running)
    await provider.news.until(lambda: provider.refused > 0)
    provider.down = False
    await provider.news.until(lambda: code in provider.calls())
    await all_sent(workers)
    assert any(state == "sent" and spent > 1 for state, spent, _ in await tries(workers))


async def test_a_sender_that_dies_over_a_changed_sim_sends_nothing_and_keeps_no_money(running: Running) -> None:
    workers, provider = running.workers, running.provider
    before, sent = await booked(workers), len(provider.texts)
    provider.swapped = True
    try:
        for answer in (False, True):
            await killed_at(running, STOLEN, answer=answer)

        async def judged() -> bool:
            return all(state != "waiting" for state, _, _ in await tries(workers))

        await comes(judged)
    finally:
        provider.swapped = False
    assert [state for state, _, _ in await tries(workers)][-2:] == ["denied", "denied"]
    assert (await booked(workers), len(provider.texts)) == (before, sent)
