"""A gateway that fails is left alone for a minute, in the country where it fails; then exactly one message tries it."""

from datetime import timedelta

import structlog
from prometheus_client import generate_latest

from idp import metrics
from idp.flows.delivery import deliver, senders
from idp.sms import Gateway, Outcome, Reason, Sent
from idp.store.delivery import breakers
from idp.testing import FakeGateway
from tests.world.asking import forget_limits
from tests.world.provider import Provider
from tests.world.sending import DOWN, asks_for_a_code, attempts, broken, deliver_all, states, use


async def fail(provider: Provider, *gateways: Gateway, times: int) -> None:
    """So many messages are sent while the first gateway is down."""
    for _ in range(times):
        await forget_limits(provider)
        await asks_for_a_code(provider)
        await deliver_all(provider, *gateways)


async def stands(provider: Provider) -> dict[tuple[str, str], str]:
    found = await breakers.states(provider.idp.db, now=provider.clock.now())
    return {(each.gateway, each.region): each.state for each in found}


async def test_after_five_bad_tries_a_gateway_is_left_alone_for_a_minute_and_then_probed_once(
    provider: Provider,
) -> None:
    first, second = broken(times=6), FakeGateway(name="second")
    gateways = use(provider, first, second)
    await fail(provider, *gateways, times=4)
    assert await stands(provider) == {}
    await fail(provider, *gateways, times=1)
    assert await stands(provider) == {("first", "EE"): "open"}
    await fail(provider, *gateways, times=3)
    assert len(first.sent) == 5
    assert len(second.sent) == 8
    provider.clock.move(timedelta(seconds=60))
    assert await stands(provider) == {("first", "EE"): "half-open"}
    await fail(provider, *gateways, times=2)
    assert len(first.sent) == 6  # the probe failed, and nobody tries after it
    provider.clock.move(timedelta(seconds=60))
    await fail(provider, *gateways, times=1)
    assert await stands(provider) == {("first", "EE"): "closed"}
    await fail(provider, *gateways, times=2)
    assert len(first.sent) == 9
    assert set(await states(provider)) == {"sent"}


async def test_one_bad_try_after_it_healed_does_not_open_it_again(provider: Provider) -> None:
    first, second = broken(times=5), FakeGateway(name="second")
    gateways = use(provider, first, second)
    await fail(provider, *gateways, times=5)
    provider.clock.move(timedelta(seconds=60))
    await fail(provider, *gateways, times=1)
    first.answers = [DOWN]
    await fail(provider, *gateways, times=1)
    assert await stands(provider) == {("first", "EE"): "closed"}


async def test_less_than_half_bad_or_too_long_ago_opens_nothing(provider: Provider) -> None:
    first, second = FakeGateway(name="first"), FakeGateway(name="second")
    gateways = use(provider, first, second)
    await fail(provider, *gateways, times=5)
    first.answers = [DOWN] * 4
    await fail(provider, *gateways, times=4)
    assert await stands(provider) == {}
    provider.clock.move(timedelta(minutes=5))
    first.answers = [DOWN] * 4
    await fail(provider, *gateways, times=4)
    assert await stands(provider) == {}


async def test_a_gateway_may_fail_in_one_country_and_work_in_another(provider: Provider) -> None:
    await provider.add_person("lara", number="+37121234567")
    (first,) = use(provider, broken(times=5))
    assert isinstance(first, FakeGateway)
    for _ in range(5):
        await forget_limits(provider)
        await asks_for_a_code(provider)
        await deliver.deliver_one(provider.idp, (first,))
    assert await stands(provider) == {("first", "EE"): "open"}
    await asks_for_a_code(provider, "lara")
    await deliver_all(provider, first)
    assert (await attempts(provider))[-1] == ("first", "accepted", "LV")


async def test_the_numbers_a_provider_refuses_say_nothing_against_it(provider: Provider) -> None:
    answers = [Sent(Outcome.REJECTED, reason=Reason.CONTENT_REJECTED)] * 9
    (first,) = use(provider, FakeGateway(name="first", answers=answers))
    await fail(provider, first, times=9)
    assert await stands(provider) == {}


async def test_down_then_healed_then_delivered(provider: Provider) -> None:
    (only,) = use(provider, broken(times=5))
    assert isinstance(only, FakeGateway)
    for _ in range(5):
        await forget_limits(provider)
        await asks_for_a_code(provider)
        await deliver.deliver_one(provider.idp, (only,))
    assert set(await states(provider)) == {"waiting"}
    await forget_limits(provider)
    await asks_for_a_code(provider)
    (kept,) = [each for each in await deliver_all(provider, only) if each.gateway is None][-1:]
    assert kept.state == "waiting"
    assert len(only.sent) == 5
    for _ in range(60):
        provider.clock.move(timedelta(seconds=1))
        await deliver_all(provider, only)
    assert set(await states(provider)) == {"sent"}
    assert len(only.sent) == 5 + 6
    assert len(set(only.codes())) == 6


async def test_wrong_credentials_trip_the_gateway_everywhere_alarm_and_lose_no_message(provider: Provider) -> None:
    await provider.add_person("lara", number="+37121234567")
    first = FakeGateway(name="first", answers=[Sent(Outcome.MISCONFIGURED, reason=Reason.AUTH, provider_code="20003")])
    second = FakeGateway(name="second")
    gateways = use(provider, first, second)
    await asks_for_a_code(provider)
    with structlog.testing.capture_logs() as lines:
        for each in await deliver_all(provider, *gateways):
            senders.tell(each)
    (alarm,) = [line for line in lines if line["log_level"] == "error"]
    assert (alarm["gateway"], alarm["reason"]) == ("first", "auth")
    assert "credentials" in alarm["advice"]
    assert alarm["provider_code"] == "20003"
    # a field named `code` would be blotted out as a one-time code
    assert "code" not in alarm
    await asks_for_a_code(provider, "lara")
    await deliver_all(provider, *gateways)
    assert len(first.sent) == 1
    assert set(await states(provider)) == {"sent"}
    assert await stands(provider) == {("first", "*"): "open"}
    provider.clock.move(timedelta(seconds=60))
    await fail(provider, *gateways, times=1)
    assert await stands(provider) == {("first", "*"): "closed"}
    assert len(first.sent) == 2


async def test_queue_and_breakers_are_among_the_figures(provider: Provider) -> None:
    (first,) = use(provider, broken("figured", times=5))
    assert isinstance(first, FakeGateway)
    for _ in range(5):
        await forget_limits(provider)
        await asks_for_a_code(provider)
        for each in [await deliver.deliver_one(provider.idp, (first,))]:
            assert each is not None
            senders.tell(each)
    provider.clock.move(timedelta(seconds=30))
    await senders.read_figures(provider.idp)
    text = generate_latest(metrics.REGISTRY).decode()
    assert 'idp_sms_breaker{gateway="figured",region="EE"} 2.0' in text
    assert "idp_sms_oldest_seconds 30.0" in text
    assert "idp_sms_waiting 5.0" in text
    assert 'idp_sms_total{gateway="figured",outcome="not_sent",region="EE"} 5.0' in text
    provider.clock.move(timedelta(seconds=60))
    await deliver_all(provider, first)
    await senders.read_figures(provider.idp)
    assert 'idp_sms_breaker{gateway="figured",region="EE"} 0.0' in generate_latest(metrics.REGISTRY).decode()
