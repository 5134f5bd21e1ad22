"""Sending with real processes: two workers, a provider on the wire, and a kill -9 at every step of a sender.

What is claimed by a dead sender is taken over when its lease ends, so this waits for that once.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from idp.crypto import KeyChain
from idp.spending import Period
from idp.store import accounts, denials, leases, messages
from idp.store.engine import Statement
from idp.store.schema import message, message_attempt
from tests.conftest import empty, settings_for
from tests.conftest import running as on
from tests.served import Killer, Served, keys_text, killer_before, people, served
from tests.store.asking import ask_second_factor, forget_limits
from tests.store.parallel import at_once
from tests.support import ISSUER, Provider

pytestmark = pytest.mark.xdist_group("processes")

# What only these statements of a sender hold.
BEGIN, MARK = b"INSERT INTO message_attempt", b"SET finished_at"
JUDGE, BOOK, STOLEN = b"suppressed_number.hash", b"INSERT INTO spending_money", b"denied_by='sim_swap'"
PRICE = Decimal("0.10")
TAKEN_OVER = leases.LEASE.total_seconds() + 10
TRIES = Statement(
    select(message.c.state, message.c.tries, func.count(message_attempt.c.id))
    .outerjoin_from(message, message_attempt, message_attempt.c.message_id == message.c.id)
    .group_by(message.c.id)
    .order_by(message.c.created_at)
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

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                said = json.loads(await reader.readexactly(length))
                if head.startswith(b"post /check "):
                    self.checks += 1
                    told = b'{"swapped":%s}' % str(self.swapped).lower().encode()
                    writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))
                    continue
                status, answer = (429, b"{}") if self.down else (200, b'{"messages":[{"id":"%s"}]}')
                self.refused += self.down
                if not self.down:
                    self.texts.append(said["text"])
                    answer %= uuid4().hex.encode()
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


async def until(what: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        await asyncio.wait([asyncio.create_task(asyncio.to_thread(os.sched_yield))], timeout=0.05)
    return True


async def asks(running: Running) -> str:
    """Somebody asks for a code: which one it is."""
    await forget_limits(running.local)
    await ask_second_factor(running.local)
    (code,) = await running.workers.deliver()
    return code


async def killed_at(running: Running, only: bytes, *, answer: bool) -> str:
    """Somebody asks for a code, and its sender dies at this statement. The code."""
    running.killer.at(1, answer=answer, only=only)
    code = await asks(running)
    assert await until(lambda: running.killer.killed is not None, 10), only
    running.killer.rest()
    assert await until(lambda: len(running.workers.workers()) == 2, 20)
    return code


async def booked(workers: Served) -> Decimal:
    """What was spent this month."""
    return (await denials.spent(workers.idp.db, now=workers.idp.clock.now()))[Period.MONTH]


async def tries(workers: Served) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await workers.rows(TRIES)]


async def test_a_killed_sender_costs_one_more_of_the_same_code_at_most(running: Running) -> None:
    workers, killer, provider = running.workers, running.killer, running.provider
    killed: dict[str, str] = {}
    for what, (only, answer) in {
        "claimed, not begun": (BEGIN, False),
        "begun, not called": (BEGIN, True),
        "called, not marked": (MARK, False),
    }.items():
        killer.at(1, answer=answer, only=only)
        killed[what] = await asks(running)
        assert await until(lambda: killer.killed is not None, 10), what
        killer.rest()
        assert await until(lambda: len(workers.workers()) == 2, 20)
    # the one that was called, and nothing else
    assert provider.calls() == {killed["called, not marked"]: 1}
    untouched = await asks(running)
    assert await until(lambda: provider.calls().get(untouched) == 1, 10)
    assert await until(lambda: len(provider.texts) >= 5, TAKEN_OVER)
    told = [("sent", 1, 1), ("sent", 2, 2), ("sent", 2, 2), ("sent", 1, 1)]
    for _ in range(200):
        if await tries(workers) == told:
            break
        await asyncio.to_thread(os.sched_yield)
    assert await tries(workers) == told
    # Who died between the verdict and the try has cost nothing: it was asked again.
    assert provider.checks == 7
    assert provider.calls() == {
        killed["claimed, not begun"]: 1,
        killed["begun, not called"]: 1,
        killed["called, not marked"]: 2,
        untouched: 1,
    }


async def test_what_a_killed_sender_booked_is_never_less_than_what_was_sent(running: Running) -> None:
    """One price too many at most for each kill: what was booked and not begun is nobody's to give back."""
    workers, provider = running.workers, running.provider
    before, tried = await booked(workers), sum(spent for _, spent, _ in await tries(workers))
    killed = [
        await killed_at(running, only, answer=answer)
        for only, answer in ((JUDGE, False), (BOOK, False), (BOOK, True), (MARK, True))
    ]
    assert await until(lambda: all(provider.calls().get(code) == 1 for code in killed), TAKEN_OVER)
    assert await until_all_sent(workers)
    calls = sum(spent for _, spent, _ in await tries(workers)) - tried
    assert calls == len(killed)
    assert await booked(workers) - before == PRICE * (calls + 1)


async def test_twenty_resends_at_once_at_two_workers_are_one_message_on_the_phone(running: Running) -> None:
    workers, provider = running.workers, running.provider
    await forget_limits(workers)
    asked = await ask_second_factor(workers)
    (code,) = await workers.deliver()
    assert await until(lambda: provider.calls().get(code) == 1, 10)
    await forget_limits(workers)
    await asked.browser.get(f"/i/{asked.interaction_id}/sms")
    form = asked.browser.form("/sms/send")
    data = {each.name: each.value for each in form.fields if each.name}
    answers = await at_once(20, lambda _: asked.browser.http.post(form.action, data=data))
    assert sorted(each.status_code for each in answers) == [303, *[429] * 19]
    # whose clock was read a moment before the winner's waits for that moment, too, and every second begun counts
    assert all(0 < int(each.headers["retry-after"]) <= 61 for each in answers if each.status_code == 429)
    assert await until(lambda: provider.calls().get(code) == 2, 10)


async def test_a_hundred_messages_leave_two_workers_once_each(running: Running) -> None:
    workers, provider = running.workers, running.provider
    person = await accounts.by_username(workers.idp.db, username="alice")
    assert person is not None
    before = len(provider.texts)
    now = workers.idp.clock.now()
    for _ in range(100):
        await messages.notice(
            workers.idp.db,
            account_id=person[0].id,
            kind="password_changed",
            fields={},
            locale=None,
            now=now,
            expires_at=now + timedelta(hours=1),
        )
    assert await until(lambda: len(provider.texts) >= before + 100, 30)
    assert await until_all_sent(workers)
    assert len(provider.texts) == before + 100


async def until_all_sent(workers: Served) -> bool:
    """Nothing waits any more: whatever was to leave twice has left."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if all(state == "sent" for state, _, _ in await tries(workers)):
            return True
    return False


async def test_what_was_asked_for_while_the_provider_was_down_arrives_once_it_is_back(running: Running) -> None:
    workers, provider = running.workers, running.provider
    provider.down = True
    code = await asks(running)
    assert await until(lambda: provider.refused > 0, 30)
    provider.down = False
    assert await until(lambda: provider.calls().get(code) == 1, 15)
    assert await until_all_sent(workers)
    assert any(state == "sent" and spent > 1 for state, spent, _ in await tries(workers))


async def test_a_sender_that_dies_over_a_changed_sim_sends_nothing_and_keeps_no_money(running: Running) -> None:
    workers, provider = running.workers, running.provider
    before, sent = await booked(workers), len(provider.texts)
    provider.swapped = True
    try:
        for answer in (False, True):
            await killed_at(running, STOLEN, answer=answer)
        end = time.monotonic() + TAKEN_OVER
        while time.monotonic() < end and any(state == "waiting" for state, _, _ in await tries(workers)):
            await asyncio.to_thread(os.sched_yield)
    finally:
        provider.swapped = False
    assert [state for state, _, _ in await tries(workers)][-2:] == ["denied", "denied"]
    assert (await booked(workers), len(provider.texts)) == (before, sent)
