"""Passwords: what is one, hashing in bounded threads, and the same work for nobody."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from functools import partial

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.errors import Unavailable
from idp.factors.password import (
    MAX_CHARACTERS,
    NOBODY,
    Password,
    PasswordThreads,
    hash_password,
    needs_rehash,
    parse,
    verify,
)
from tests.world.cost import in_passwords, least

GOOD = "correct horse 9 battery"
pytestmark = pytest.mark.usefixtures("argon2id")


def password(text: str) -> Password:
    parsed = parse(text)
    assert parsed is not None
    return parsed


@pytest.fixture(scope="module")
def hashed(argon2id: None) -> str:
    return hash_password(password(GOOD))


@pytest.fixture
def threads() -> Iterator[PasswordThreads]:
    with PasswordThreads(threads=1, queue=1) as pool:
        yield pool


def test_the_right_password_verifies_and_others_do_not(hashed: str) -> None:
    assert verify(password(GOOD), hashed=hashed)
    assert not verify(password(GOOD + " "), hashed=hashed)
    assert not verify(password(GOOD.upper()), hashed=hashed)


def test_the_stored_hash_is_argon2id_with_the_agreed_cost_and_a_salt_of_its_own(hashed: str) -> None:
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashed != hash_password(password(GOOD))
    assert GOOD not in hashed


def test_nobody_has_no_password_and_costs_the_same_parameters(hashed: str) -> None:
    assert not verify(password(GOOD), hashed=None)
    assert argon2.extract_parameters(NOBODY) == argon2.extract_parameters(hashed)


def test_an_unknown_name_takes_about_as_long_as_a_wrong_password(hashed: str) -> None:
    known, unknown = (least(partial(verify, password("wrong"), hashed=stored)) for stored in (hashed, None))
    assert known / 2 < unknown < known * 2


def test_a_hash_of_other_parameters_is_renewed(hashed: str) -> None:
    older = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD)
    assert verify(password(GOOD), hashed=older)
    assert needs_rehash(password(GOOD), hashed=older)
    assert not needs_rehash(password(GOOD), hashed=hashed)


@pytest.mark.parametrize("broken", ["", "plain", "$2b$12$abc", "$argon2id$v=19$m=19456,t=2,p=1$AA$AA"])
def test_a_broken_hash_is_not_a_wrong_password(broken: str) -> None:
    with pytest.raises(Unavailable):
        verify(password(GOOD), hashed=broken)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * (MAX_CHARACTERS + 1), id="1,001 characters"),
        pytest.param("pass\x00word", id="NUL"),
        pytest.param("pass\nword", id="line end"),
        pytest.param("pass\ud800word", id="lone surrogate"),
        pytest.param(None, id="missing"),
        pytest.param(12345678, id="a number"),
        pytest.param(["password"], id="a list"),
        pytest.param(b"password", id="bytes"),
    ],
)
def test_what_is_no_password_is_refused_before_any_work(text: object) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("text", ["a" * 65, "a" * 1000, "\ufdfa" * 1000, "p", "пароль", "🔑" * 20])
def test_long_and_foreign_passwords_are_accepted(text: str) -> None:
    assert parse(text) is not None


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\ufdfa" * 100_000], ids=["a megabyte", "U+FDFA"])
def test_huge_input_is_refused_at_once(text: str) -> None:
    assert parse(text) is None
    assert in_passwords(lambda: parse(text)) < 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("caf\u00e9 zwei", "cafe\u0301 zwei", id="composed and decomposed"),
        pytest.param("a b", "a\u00a0b", id="no-break space"),
        pytest.param("a b", "a\u3000b", id="ideographic space"),
    ],
)
def test_two_keyboards_give_the_same_password(one: str, other: str) -> None:
    assert parse(one) == parse(other)


@pytest.mark.parametrize(("one", "other"), [("Passw", "passw"), ("１２", "12"), ("a", "a "), ("ﬁ", "fi")])  # noqa: RUF001
def test_case_width_and_outer_spaces_are_part_of_a_password(one: str, other: str) -> None:
    assert parse(one) != parse(other)


@given(st.text(min_size=1, max_size=50))
def test_whatever_is_a_password_can_be_hashed_and_stays_the_same_when_read_again(text: str) -> None:
    parsed = parse(text)
    if parsed is not None:
        assert parsed.text.encode()
        assert parse(parsed.text) == parsed


def test_a_password_is_never_shown() -> None:
    assert GOOD not in repr(password(GOOD))


async def test_threads_verify_and_hash(threads: PasswordThreads) -> None:
    hashed = await threads.hash_password(password(GOOD))
    assert await threads.verify(password(GOOD), hashed=hashed)
    assert not await threads.verify(password("other"), hashed=hashed)


async def test_a_full_queue_says_not_now_and_is_usable_again_afterwards(threads: PasswordThreads, hashed: str) -> None:
    answers = await asyncio.gather(
        *(threads.verify(password(GOOD), hashed=hashed) for _ in range(5)), return_exceptions=True
    )
    assert [answer for answer in answers if answer is True] == [True, True]
    assert len([answer for answer in answers if isinstance(answer, Unavailable)]) == 3
    assert await threads.verify(password(GOOD), hashed=hashed)


async def test_who_gives_up_waiting_keeps_the_place_only_until_the_work_is_done(
    threads: PasswordThreads, hashed: str
) -> None:
    for _ in range(5):
        waiting = [asyncio.ensure_future(threads.verify(password(GOOD), hashed=hashed)) for _ in range(2)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        assert all(isinstance(end, asyncio.CancelledError) for end in await _ends(waiting))
        while True:
            try:
                assert await threads.verify(password(GOOD), hashed=hashed)
                break
            except Unavailable:
                await asyncio.sleep(0)


async def test_the_event_loop_goes_on_while_a_password_is_checked(threads: PasswordThreads, hashed: str) -> None:
    most = 0
    for _ in range(20):  # a busy machine may give this thread no turn while the other works, but not each time
        job = asyncio.ensure_future(threads.verify(password(GOOD), hashed=hashed))
        turns = 0
        while not job.done():
            await asyncio.sleep(0)
            turns += 1
        most = max(most, turns)
    assert most > 20


async def test_closed_threads_take_no_work_and_leave_none_behind() -> None:
    pool = PasswordThreads(queue=0)
    assert await pool.hash_password(password(GOOD))
    pool.close()
    with pytest.raises(RuntimeError):
        await pool.hash_password(password(GOOD))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("argon2") and thread.is_alive()]


async def _ends(tasks: list[asyncio.Task[bool]]) -> list[bool | BaseException]:
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
async def test_a_hash_gives_way_to_every_other_request(threads: PasswordThreads) -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    here = niceness()
    assert await threads._run(niceness) == min(19, here + 10)
    assert niceness() == here
