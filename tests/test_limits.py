"""The arithmetic of limits, by examples from the table and by random schedules against a plain reading of the rules."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.addresses import address_bucket
from idp.limits import (
    Backoff,
    Charged,
    Closed,
    Limit,
    LimitState,
    Refused,
    Window,
    charge,
    forgive,
    group_of,
    refund,
    subject,
    subject_in,
    wait,
)
from idp.policy import default_policy, limits_of

OURS = default_policy().limits

T0 = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def charged(limit: Limit, state: LimitState | None, now: datetime) -> LimitState:
    outcome = charge(limit, state, now=now)
    assert isinstance(outcome, Charged), outcome
    return outcome.state


def waits(limit: Limit, count: int) -> list[timedelta]:
    """Charge as early as possible; the wait after each charge."""
    state: LimitState | None = None
    now = T0
    seen: list[timedelta] = []
    for _ in range(count):
        state = charged(limit, state, now)
        left = wait(limit, state, now=now)
        assert left is not None
        seen.append(left)
        now += left
    return seen


def test_the_table_says_what_the_threat_model_says() -> None:
    assert {name: (limit.backoff, limit.windows) for name, limit in limits_of(OURS).items()} == {
        "sms_pace": (Backoff(1, MINUTE, 32 * MINUTE, None, DAY), ()),
        "sms_number": (None, (Window(5, HOUR), Window(10, DAY))),
        "sms_strangers": (None, (Window(4, HOUR), Window(8, DAY))),
        "sms_day": (None, (Window(30, DAY),)),
        "email_pace": (Backoff(1, MINUTE, 32 * MINUTE, None, DAY), ()),
        "email_address": (None, (Window(5, HOUR), Window(10, DAY))),
        "email_strangers": (None, (Window(4, HOUR), Window(8, DAY))),
        "email_day": (None, (Window(30, DAY),)),
        "sms_address": (None, (Window(5, HOUR),)),
        "code_failures": (Backoff(10, 30 * SECOND, HOUR, 100, None), ()),
        "password_device": (Backoff(5, 30 * SECOND, 15 * MINUTE, None, HOUR), ()),
        "password_stranger": (Backoff(5, 30 * SECOND, 15 * MINUTE, None, HOUR), (Window(20, DAY),)),
        "password_day": (None, (Window(100, DAY),)),
        "password_address": (Backoff(5, 30 * SECOND, 15 * MINUTE, None, HOUR), ()),
        "client_failures": (Backoff(10, SECOND, 5 * MINUTE, None, HOUR), ()),
        "enrolments": (None, (Window(5, HOUR), Window(10, DAY))),
        "code_notices": (None, (Window(1, DAY),)),
        "browser_notices": (None, (Window(5, DAY),)),
        "stored_requests": (None, (Window(60, HOUR),)),
        "reset_person": (None, (Window(3, HOUR), Window(6, DAY))),
        "register_mailbox": (None, (Window(3, HOUR), Window(6, DAY))),
        "register_address": (None, (Window(5, HOUR), Window(20, DAY))),
        "reset_address": (None, (Window(10, HOUR),)),
        "api_calls": (None, (Window(600, MINUTE),)),
    }


def test_texts_to_one_number_come_a_minute_apart_and_then_ever_slower() -> None:
    assert waits(OURS.sms.pace, 8) == [minutes * MINUTE for minutes in (1, 2, 4, 8, 16, 32, 32, 32)]


def test_the_sixth_unverified_text_in_an_hour_to_one_number_is_refused() -> None:
    state = None
    for minute in range(5):
        state = charged(OURS.sms.places, state, T0 + minute * MINUTE)
    assert charge(OURS.sms.places, state, now=T0 + 5 * MINUTE) == Refused(55 * MINUTE)
    charged(OURS.sms.places, state, T0 + HOUR)


def test_the_eleventh_unverified_text_in_a_day_to_one_number_is_refused() -> None:
    state = None
    for hour in range(10):
        state = charged(OURS.sms.places, state, T0 + hour * HOUR)
    assert charge(OURS.sms.places, state, now=T0 + 10 * HOUR) == Refused(14 * HOUR)


def test_a_verified_text_takes_no_place_of_the_hour_and_of_the_day_whatever_was_sent_before() -> None:
    state = None
    for hour in range(9):
        state = charged(OURS.sms.places, state, T0 + hour * HOUR)
    now = T0 + 9 * HOUR
    for minute in range(20):
        at = now + minute * MINUTE
        state = refund(OURS.sms.places, charged(OURS.sms.places, state, at), now=at + MINUTE, since=at)
    assert state is not None
    assert state.hits == tuple(T0 + hour * HOUR for hour in range(9))


def test_a_code_that_was_sent_three_times_gives_three_places_back_and_none_of_others() -> None:
    state = None
    for minute in range(5):
        state = charged(OURS.sms.places, state, T0 + minute * MINUTE)
    assert state is not None
    left = refund(OURS.sms.places, state, now=T0 + 5 * MINUTE, since=T0 + 2 * MINUTE, places=3)
    assert left.hits == (T0, T0 + MINUTE)
    assert refund(OURS.sms.places, left, now=T0 + 5 * MINUTE, since=T0 + 2 * MINUTE, places=3).hits == left.hits


def test_the_thirty_first_text_in_a_day_is_refused_though_each_code_was_verified() -> None:
    state = None
    for minute in range(30):
        state = charged(OURS.sms.day, state, T0 + minute * MINUTE)
    assert charge(OURS.sms.day, state, now=T0 + 30 * MINUTE) == Refused(DAY - 30 * MINUTE)


def test_strangers_leave_one_text_an_hour_and_two_a_day_to_browsers_used_before() -> None:
    state = None
    for minute in range(4):
        state = charged(OURS.sms.strangers, state, T0 + minute * MINUTE)
    assert charge(OURS.sms.strangers, state, now=T0 + 4 * MINUTE) == Refused(56 * MINUTE)
    charged(OURS.sms.places, state, T0 + 4 * MINUTE)
    for hour in range(1, 5):
        state = charged(OURS.sms.strangers, state, T0 + hour * HOUR + 4 * MINUTE)
    assert isinstance(charge(OURS.sms.strangers, state, now=T0 + 10 * HOUR), Refused)
    state = charged(OURS.sms.places, state, T0 + 10 * HOUR)
    state = charged(OURS.sms.places, state, T0 + 11 * HOUR)
    assert isinstance(charge(OURS.sms.places, state, now=T0 + 12 * HOUR), Refused)


def test_strangers_and_browsers_used_before_are_counted_in_one_row() -> None:
    for sending in (OURS.sms, OURS.email):
        assert subject(sending.strangers, b"x") == subject(sending.places, b"x")
        assert sending.strangers.span == sending.places.span


def test_the_sixth_code_from_one_address_waits_for_the_rest_of_the_hour() -> None:
    state = None
    for minute in range(5):
        state = charged(OURS.sms_address, state, T0 + minute * MINUTE)
    assert charge(OURS.sms_address, state, now=T0 + 4 * MINUTE) == Refused(56 * MINUTE)


def test_a_verified_code_gives_its_slot_back() -> None:
    state = None
    for minute in range(5):
        state = charged(OURS.sms_address, state, T0 + minute * MINUTE)
    assert state is not None
    state = refund(OURS.sms_address, state, now=T0 + 5 * MINUTE, since=T0 + 4 * MINUTE)
    assert T0 + 4 * MINUTE not in state.hits
    charged(OURS.sms_address, state, T0 + 5 * MINUTE)


def test_wrong_codes_wait_from_the_tenth_and_close_after_the_hundredth() -> None:
    seen = waits(OURS.code_failures, 99)
    assert seen[:9] == [timedelta(0)] * 9
    assert seen[9:18] == [30 * SECOND * 2**step for step in range(7)] + [HOUR] * 2
    assert set(seen[16:]) == {HOUR}
    state = charged(OURS.code_failures, LimitState(99, T0), T0 + HOUR)
    assert charge(OURS.code_failures, state, now=T0 + 1000 * DAY) == Closed()
    assert wait(OURS.code_failures, state, now=T0 + 1000 * DAY) is None
    assert isinstance(charge(OURS.code_failures, forgive(state), now=T0 + HOUR), Charged)


def test_wrong_passwords_wait_from_the_fifth_up_to_a_quarter_of_an_hour_and_never_lock() -> None:
    seen = waits(OURS.password_device, 500)
    assert [left.total_seconds() for left in seen[:11]] == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900]
    assert set(seen[10:]) == {15 * MINUTE}
    assert waits(OURS.password_stranger, 19) == seen[:19]


def test_one_address_guesses_twenty_times_a_day_at_one_name_and_all_together_a_hundred_times() -> None:
    for limit, most in ((OURS.password_stranger, 20), (OURS.password_day, 100)):
        state: LimitState | None = None
        now, guesses = T0, 0
        while now < T0 + DAY:
            match charge(limit, state, now=now):
                case Charged(after):
                    state, guesses = after, guesses + 1
                case Refused(left):
                    now += left
        assert guesses == most


def test_a_quiet_hour_forgets_wrong_passwords_but_never_wrong_codes() -> None:
    state = LimitState(9, T0)
    assert charge(OURS.password_device, state, now=T0 + HOUR - SECOND) == Charged(LimitState(10, T0 + HOUR - SECOND))
    assert charge(OURS.password_device, state, now=T0 + HOUR) == Charged(LimitState(1, T0 + HOUR))
    assert charge(OURS.code_failures, state, now=T0 + 1000 * DAY) == Charged(LimitState(10, T0 + 1000 * DAY))


def test_a_right_password_of_ones_own_does_not_wipe_the_slate_of_an_address() -> None:
    state = None
    now = T0
    for _ in range(4):
        state = charged(OURS.password_address, state, now)
        state = charged(OURS.password_address, state, now)
        state = refund(OURS.password_address, state, now=now, since=now)
    state = charged(OURS.password_address, state, now)
    assert state.count == 5
    assert charge(OURS.password_address, state, now=now) == Refused(30 * SECOND)


def test_a_right_password_makes_nobody_else_at_the_address_wait() -> None:
    """Each one began the wait of the wrong ones before it anew: an office got one sign-in every half minute."""
    state = None
    for _ in range(5):
        state = charged(OURS.password_address, state, T0)
    now = T0 + 30 * SECOND
    for _ in range(3):
        state = charged(OURS.password_address, state, now)
        state = refund(OURS.password_address, state, now=now, since=now)
    wrong = charged(OURS.password_address, state, now)
    assert charge(OURS.password_address, wrong, now=now) == Refused(60 * SECOND)
    # what came in between stays as it was
    assert refund(OURS.password_address, wrong, now=now, since=now - SECOND).last_at == wrong.last_at


def test_a_refund_never_goes_below_nothing() -> None:
    assert refund(OURS.sms_address, LimitState(0, T0), now=T0, since=T0) == LimitState(0, T0)


def test_rows_are_kept_as_long_as_they_mean_something() -> None:
    assert OURS.sms_address.keep == HOUR
    assert OURS.sms.places.keep == DAY
    assert OURS.password_device.keep == HOUR
    assert OURS.password_stranger.keep == DAY
    assert OURS.code_failures.keep > 3650 * DAY
    assert Limit("x", Backoff(1, SECOND, SECOND, None, MINUTE), (Window(1, HOUR),)).keep == HOUR


def test_a_clock_that_jumps_back_opens_nothing() -> None:
    state = charged(OURS.sms.pace, None, T0)
    outcome = charge(OURS.sms.pace, state, now=T0 - HOUR)
    assert outcome == Refused(HOUR + MINUTE)
    state = charged(OURS.sms_address, charged(OURS.sms_address, None, T0), T0 - HOUR)
    assert state == LimitState(2, T0, (T0, T0))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda: Window(0, HOUR), id="nothing allowed"),
        pytest.param(lambda: Window(1, timedelta(0)), id="no length"),
        pytest.param(lambda: Backoff(0, SECOND, HOUR), id="no free charge"),
        pytest.param(lambda: Backoff(1, HOUR, SECOND), id="cap below base"),
        pytest.param(lambda: Backoff(1, timedelta(0), HOUR), id="no wait"),
        pytest.param(lambda: Backoff(10, SECOND, HOUR, 9), id="closes before it waits"),
        pytest.param(lambda: Backoff(1, SECOND, HOUR, 100, DAY), id="a closed row would be forgotten"),
        pytest.param(lambda: Backoff(1, SECOND, HOUR, None, MINUTE), id="forgotten before the wait is over"),
        pytest.param(lambda: Limit("x"), id="limits nothing"),
    ],
)
def test_a_row_that_could_not_work_cannot_be_written(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        wrong()


small_windows = st.lists(
    st.builds(Window, st.integers(1, 4), st.integers(1, 12).map(lambda n: n * SECOND)), max_size=3
).map(tuple)
backoffs = st.builds(
    lambda free, base, extra, close, forget: Backoff(
        free,
        base * SECOND,
        (base + extra) * SECOND,
        None if close is None or forget is not None else free + close,
        None if forget is None else (base + extra + forget) * SECOND,
    ),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 12),
    st.none() | st.integers(0, 6),
    st.none() | st.integers(0, 20),
)
some_limits = st.one_of(
    st.builds(Limit, st.just("x"), backoffs, small_windows),
    st.builds(Limit, st.just("x"), st.none(), small_windows.filter(bool)),
)
gaps = st.lists(st.integers(0, 8).map(lambda n: n * SECOND), max_size=40)


@given(some_limits, gaps)
def test_no_stretch_of_a_windows_length_ever_holds_more_than_it_allows(limit: Limit, pauses: list[timedelta]) -> None:
    state: LimitState | None = None
    now = T0
    made: list[datetime] = []
    for pause in pauses:
        now += pause
        outcome = charge(limit, state, now=now)
        if isinstance(outcome, Charged):
            state = outcome.state
            made.append(now)
    for window in limit.windows:
        for start in made:
            assert sum(start <= at < start + window.per for at in made) <= window.count
    longest = max(limit.windows, key=lambda window: window.per, default=None)
    if state is not None:
        assert len(state.hits) <= (longest.count if longest else 0)


@given(some_limits, gaps)
def test_retry_after_is_exactly_when_the_next_one_passes(limit: Limit, pauses: list[timedelta]) -> None:
    state: LimitState | None = None
    now = T0
    for pause in pauses:
        now += pause
        outcome = charge(limit, state, now=now)
        if isinstance(outcome, Refused):
            assert outcome.retry_after > timedelta(0)
            assert isinstance(charge(limit, state, now=now + outcome.retry_after), Charged)
            just_before = now + outcome.retry_after - timedelta(microseconds=1)
            assert isinstance(charge(limit, state, now=just_before), Refused)
            assert wait(limit, state, now=now) == outcome.retry_after
        elif isinstance(outcome, Charged):
            assert wait(limit, state, now=now) == timedelta(0)
            state = outcome.state


@given(some_limits, gaps)
def test_a_window_refuses_only_when_it_is_full(limit: Limit, pauses: list[timedelta]) -> None:
    windows_only = Limit("x", windows=limit.windows or (Window(2, 3 * SECOND),))
    state: LimitState | None = None
    now = T0
    made: list[datetime] = []
    for pause in pauses:
        now += pause
        room = all(sum(at > now - window.per for at in made) < window.count for window in windows_only.windows)
        outcome = charge(windows_only, state, now=now)
        assert isinstance(outcome, Charged) == room
        if isinstance(outcome, Charged):
            state = outcome.state
            made.append(now)


@given(backoffs, gaps)
def test_waits_double_between_charges_in_a_row(backoff: Backoff, pauses: list[timedelta]) -> None:
    limit = Limit("x", backoff)
    state: LimitState | None = None
    now, streak, last = T0, 0, T0
    for pause in pauses:
        now += pause
        if backoff.forget is not None and now - last >= backoff.forget:
            streak = 0
        needed = (
            timedelta(0) if streak < backoff.free else min(backoff.cap, backoff.base * 2 ** (streak - backoff.free))
        )
        closed = backoff.close_at is not None and streak >= backoff.close_at
        match charge(limit, state, now=now):
            case Charged(after):
                assert not closed
                assert streak == 0 or now - last >= needed
                state, streak, last = after, streak + 1, now
            case Refused(left):
                assert not closed
                assert now + left == last + needed
            case Closed():
                assert closed


@given(small_windows.filter(bool), st.lists(st.tuples(st.integers(0, 4), st.none() | st.integers(0, 3)), max_size=40))
def test_refunds_never_let_more_unverified_charges_through_than_the_window_allows(
    windows: tuple[Window, ...], steps: list[tuple[int, int | None]]
) -> None:
    limit = Limit("x", windows=windows)
    shortest = min(window.per for window in windows)
    state: LimitState | None = None
    now = T0
    made: list[datetime] = []
    refunded: set[int] = set()
    for pause, verified in steps:
        now += pause * SECOND
        live = [number for number, at in enumerate(made) if number not in refunded and now - at < shortest]
        if verified is not None and live and state is not None:
            refunded.add(which := live[verified % len(live)])
            state = refund(limit, state, now=now, since=made[which])
        outcome = charge(limit, state, now=now)
        if isinstance(outcome, Charged):
            state = outcome.state
            made.append(now)
    kept = [at for number, at in enumerate(made) if number not in refunded]
    for window in windows:
        for start in kept:
            assert sum(start <= at < start + window.per for at in kept) <= window.count


def test_limits_and_subjects_never_share_a_row() -> None:
    keys = {
        subject(OURS.code_failures, "a", "bc"),
        subject(OURS.code_failures, "ab", "c"),
        subject(OURS.code_failures, "abc"),
        subject(OURS.password_device, "a", "bc"),
        subject(OURS.code_failures, UUID(int=1), "totp"),
        subject(OURS.code_failures, UUID(int=1), "sms"),
    }
    assert len(keys) == 6
    assert subject(OURS.code_failures, b"ab", "c") == subject(OURS.code_failures, "ab", "c")
    assert {len(key) for key in keys} == {32}


def test_a_lone_surrogate_in_a_name_is_just_another_subject() -> None:
    assert subject(OURS.password_device, "\ud800") != subject(OURS.password_device, "\ud801")


def test_rows_of_a_group_begin_alike_and_no_others() -> None:
    keys = [subject_in(OURS.password_device, "ada", device) for device in ("a", "b", "c")]
    group = group_of(OURS.password_device, "ada")
    assert len(set(keys)) == 3
    assert {len(key) for key in keys} == {32}
    assert all(key.startswith(group) for key in keys)
    others = [group_of(OURS.password_device, "adaa"), group_of(OURS.password_stranger, "ada")]
    assert len({group, *others}) == 3


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        pytest.param("192.0.2.7", "192.0.2.7", id="IPv4 stands for itself"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", id="IPv6 by its network"),
        pytest.param("2001:DB8:1:2::", "2001:db8:1:2::/64", id="however it is written"),
        pytest.param("::ffff:192.0.2.7", "192.0.2.7", id="a mapped IPv4 is that IPv4"),
        pytest.param("::ffff:c000:207", "192.0.2.7", id="a mapped IPv4 in hexadecimal"),
        pytest.param("fe80::1%eth0", "fe80::/64", id="the interface does not count"),
        pytest.param("", "unknown", id="nothing"),
        pytest.param("testclient", "unknown", id="no address"),
        pytest.param("192.0.2.007", "unknown", id="octal-looking"),
    ],
)
def test_addresses_are_counted_by_who_has_them(address: str, bucket: str) -> None:
    assert address_bucket(address) == bucket


@given(st.integers(0, 2**64 - 1))
def test_a_whole_64_shares_one_budget(low: int) -> None:
    network = 0x20010DB8000100020000000000000000
    assert address_bucket(str(IPv6Address(network + low))) == "2001:db8:1:2::/64"
