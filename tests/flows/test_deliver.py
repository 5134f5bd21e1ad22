"""Sending: one try at a time, to the next gateway where the one before could not, three tries at most."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from idp.flows import deliver
from idp.sms import Outcome, Reason, Sent
from idp.store.engine import Statement
from idp.store.schema import message, message_attempt
from idp.testing import FakeGateway
from tests.support import PASSWORD, Provider

ATTEMPTS = Statement(select(message_attempt.c.gateway, message_attempt.c.outcome))
STATES = Statement(select(message.c.state))


async def _asked(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username="alice", password=PASSWORD)


async def _rows(provider: Provider, statement: Statement) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await provider.idp.db.all(statement)]


async def test_the_next_gateway_is_tried_at_once_and_each_try_is_its_own_row(provider: Provider) -> None:
    await _asked(provider)
    first = FakeGateway(name="first", answers=[Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)])
    second = FakeGateway(name="second")
    assert await deliver.deliver_one(provider.idp, (first, second)) is not None
    assert await deliver.deliver_one(provider.idp, (first, second)) is not None
    assert sorted(await _rows(provider, ATTEMPTS)) == [("first", "not_sent"), ("second", "accepted")]
    assert first.codes() == second.codes()
    assert await _rows(provider, STATES) == [("sent",)]


async def test_one_gateway_is_asked_again_later_and_three_times_at_most(provider: Provider) -> None:
    await _asked(provider)
    broken = FakeGateway(answers=[Sent(Outcome.AMBIGUOUS, reason=Reason.TIMEOUT)] * 5)
    for tries in (1, 2, 3, 3, 3):
        await deliver.deliver_one(provider.idp, (broken,))
        assert len(broken.sent) == tries
        assert await deliver.deliver_one(provider.idp, (broken,)) is None
        provider.clock.move(timedelta(seconds=2))
    assert len(broken.sent) == 3
    assert len(set(broken.codes())) == 1
    assert await _rows(provider, STATES) == [("failed",)]


async def test_what_a_provider_refuses_is_not_tried_again(provider: Provider) -> None:
    await _asked(provider)
    refusing = FakeGateway(answers=[Sent(Outcome.REJECTED, reason=Reason.INVALID_NUMBER)])
    assert await deliver.deliver_one(provider.idp, (refusing, FakeGateway())) is not None
    assert await deliver.deliver_one(provider.idp, (refusing,)) is None
    assert await _rows(provider, STATES) == [("failed",)]
