"""The rows of the database and the pure functions of `limits.py` are one and the same arithmetic."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from secrets import token_bytes

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp import limits
from idp.limits import Charged, Closed, Limit, LimitState, Refused
from idp.policy import default_policy, limits_of
from idp.store import rate_limits, refunds, sweep
from idp.store.engine import Database
from idp.store.sql import Sql
from tests.world.parallel import at_once

IDLE = default_policy().sessions.idle
NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
CALLERS = 24
OURS = default_policy().limits
ALL = limits_of(OURS)
EVERY = [pytest.param(limit, id=name) for name, limit in ALL.items()]
UNCHECKED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
_FORGIVE = Sql(rate_limits.FORGIVE)
_REFUND = {
    (limit, forgive): refunds._refund_statement(((limit, forgive),))
    for limit in ALL.values()
    for forgive in (False, True)
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, size=4)
    await database.open()
    yield database
    await database.close()


async def row(db: Database, key: bytes) -> LimitState | None:
    return await rate_limits.peek(db, key)


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, int]]:
    """What happens, and when: after so many microseconds, or at the very moment (0) the next charge is possible."""
    actions = st.sampled_from(["charge"] * 8 + ["forgive", "refund", "refund", "refund three", "refund and forgive"])
    waits = st.sampled_from(["ready", "just before", "at once"]) | st.integers(-5_000_000, 90_000_000_000)
    return [(draw(actions), _delay(draw(waits))) for _ in range(draw(st.integers(1, 18)))]


READY, JUST_BEFORE = -(10**15), -(10**15) + 1


def _delay(drawn: str | int) -> int:
    if isinstance(drawn, int):
        return drawn
    return {"ready": READY, "just before": JUST_BEFORE, "at once": 0}[drawn]


def _later(limit: Limit, state: LimitState | None, now: datetime, delay: int) -> datetime:
    if delay not in {READY, JUST_BEFORE}:
        return now + timedelta(microseconds=delay)
    wait = limits.wait(limit, state, now=now) or timedelta(0)
    return now + wait - timedelta(microseconds=1 if delay == JUST_BEFORE and wait else 0)


@pytest.mark.parametrize("limit", EVERY)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(history=steps())
async def test_the_row_is_what_the_pure_functions_say(
    shared: Database, limit: Limit, history: list[tuple[str, int]]
) -> None:
    key, now = token_bytes(16), NOON
    state: LimitState | None = None
    for action, delay in history:
        now = _later(limit, state, now, delay)
        match action:
            case "charge":
                verdict = limits.charge(limit, state, now=now)
                answer = await rate_limits.spend(shared, [(limit, key)], now=now)
                match verdict:
                    case Charged(charged):
                        assert answer is None
                        state = charged
                    case Refused(retry_after):
                        assert isinstance(answer, Refused)
                        assert answer.retry_after == max(retry_after, timedelta(seconds=1))
                    case Closed():
                        assert answer == Closed()
            case "forgive":
                await shared.one(_FORGIVE, forgive_keys=[key])
                state = None if state is None else limits.forgive(state)
            case _:
                # since one of the charges there were, in between, or none
                since = now if state is None else state.hits[len(state.hits) // 2] if state.hits else state.last_at
                places, forgive = 3 if "three" in action else 1, "forgive" in action
                given = refunds.Refunds((refunds.Refund(limit, key, forgive),), since=since, places=places)
                await shared.one(_REFUND[limit, forgive], **given.values(), now=now)
                state = None if state is None else limits.refund(limit, state, now=now, since=since, places=places)
                state = limits.forgive(state) if forgive and state is not None else state
        assert await row(shared, key) == state


@pytest.mark.parametrize("limit", EVERY)
async def test_a_streak_goes_on_to_its_end_without_an_error(shared: Database, limit: Limit) -> None:
    key, now = token_bytes(16), NOON
    state: LimitState | None = None
    for _ in range(110):
        wait = limits.wait(limit, state, now=now)
        if wait is None:
            assert await rate_limits.spend(shared, [(limit, key)], now=now) == Closed()
            break
        now += wait
        assert await rate_limits.spend(shared, [(limit, key)], now=now) is None
        charged = limits.charge(limit, state, now=now)
        assert isinstance(charged, Charged)
        state = charged.state
    assert await row(shared, key) == state


@pytest.mark.parametrize("limit", EVERY)
async def test_parallel_charges_never_exceed_the_limit(pools: tuple[Database, Database], limit: Limit) -> None:
    allowed = 0
    state: LimitState | None = None
    while allowed < CALLERS and isinstance(charged := limits.charge(limit, state, now=NOON), Charged):
        allowed, state = allowed + 1, charged.state
    for _ in range(4):
        key = token_bytes(16)

        async def charge(number: int, key: bytes = key) -> object:
            return await rate_limits.spend(pools[number % 2], [(limit, key)], now=NOON)

        answers = await at_once(CALLERS, charge)
        assert answers.count(None) == allowed
        assert all(answer is None or isinstance(answer, Refused) for answer in answers)
        assert await row(pools[0], key) == state


async def test_several_limits_are_charged_all_or_none(db: Database) -> None:
    number, address = token_bytes(16), token_bytes(16)
    both = [(OURS.sms.pace, number), (OURS.sms_address, address)]
    assert await rate_limits.spend(db, both, now=NOON) is None
    before = await _rows(db, both)
    assert isinstance(await rate_limits.spend(db, both, now=NOON), Refused)
    assert await _rows(db, both) == before
    for _ in range(4):
        assert await rate_limits.spend(db, [(OURS.sms_address, address)], now=NOON) is None
    full = [(OURS.sms.pace, other := token_bytes(16)), (OURS.sms_address, address)]
    refused = await rate_limits.spend(db, full, now=NOON)
    assert refused == Refused(timedelta(hours=1))
    assert await row(db, other) is None


async def _rows(db: Database, charges: Sequence[tuple[Limit, bytes]]) -> list[LimitState | None]:
    return [await row(db, key) for _, key in charges]


@pytest.mark.parametrize("limit", EVERY)
async def test_a_swept_row_means_nothing_any_more(db: Database, limit: Limit) -> None:
    key = token_bytes(16)
    assert await rate_limits.spend(db, [(limit, key)], now=NOON) is None
    gone_at = NOON + limit.keep
    await sweep.sweep(db, idle=IDLE, now=gone_at)
    assert await row(db, key) is not None
    now = gone_at + timedelta(microseconds=1)
    state = await row(db, key)
    assert state is not None
    assert limits.wait(limit, state, now=now) == limits.wait(limit, None, now=now)
    await sweep.sweep(db, idle=IDLE, now=now)
    assert await row(db, key) is None
