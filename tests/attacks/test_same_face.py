"""Promise 9: who asks cannot tell whether there is such a person, and why they may not come in."""

from datetime import timedelta

import asyncpg
import pytest

from tests.world.faces import face
from tests.world.guessing import guess, use_up_the_day
from tests.world.provider import PASSWORD, Provider

pytestmark = pytest.mark.usefixtures("argon2id")


async def test_all_who_may_not_come_in_see_the_same(provider: Provider, database_url: str) -> None:
    if "carol" not in provider.saved:
        await provider.add_person("carol")  # no phone, no app
        await provider.add_person("dave", number="+37256789047")
        provider.saved["carol"] = ()
    tries = {
        "nobody": ("nobody", PASSWORD),
        "wrong password": ("alice", "a wrong password"),
        "no second factor": ("carol", PASSWORD),
        "disabled": ("dave", PASSWORD),
    }
    faces: set[tuple[int, int, str, tuple[str, ...], str]] = set()
    spans: dict[str, list[float]] = {what: [] for what in tries}
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("UPDATE account SET disabled_at = now() WHERE username = 'dave'")
        # in turns, so that a busy machine is as busy for all of them
        for n in range(30):
            for what, (username, password) in tries.items():
                answer, spent = await guess(provider, username, password, address=f"2001:db8:{n:x}::1")
                spans[what].append(spent)
                statements = len(provider.statements)
                await connection.execute("DELETE FROM rate_limit")
                text = face(answer.text, username)
                headers = tuple(sorted(name for name in answer.headers if name != "x-request-id"))
                policy = answer.headers["content-security-policy"]
                faces.add((answer.status_code, statements, text, headers, policy))
    finally:
        await connection.close()
    assert len(faces) == 1
    assert faces.pop()[0] == 400
    # The database is asked as often, whoever it is. Of our own time argon2id alone is about 25 ms; without it an answer
    # would take 5. The least: what else the machine had to do falls on some and not on others.
    least = {what: min(taken) for what, taken in spans.items()}
    assert max(least.values()) < 1.6 * min(least.values()), least


@pytest.mark.parametrize("whole_day", [False, True], ids=["one address", "the whole day"])
async def test_waiting_has_the_same_face_too(provider: Provider, whole_day: bool) -> None:
    pages = []
    for number, username in enumerate(("alice", "nobody-at-all")):
        if whole_day:
            await use_up_the_day(provider, username)
        tries = 1 if whole_day else 6
        answers = [(await guess(provider, username, address=f"2001:db8:{number}::{n:x}"))[0] for n in range(tries)]
        answer = answers[-1]
        assert answer.status_code == 429
        # honest: the right password is not even looked at before, and works then
        pages.append((answer.headers["retry-after"], face(answer.text, username)))
    assert pages[0] == pages[1]


async def test_after_exactly_the_wait_that_was_told_it_works(provider: Provider) -> None:
    answers = [(await guess(provider, "alice", address=f"2001:db8:3::{n:x}"))[0] for n in range(6)]
    wait = int(answers[-1].headers["retry-after"])
    provider.clock.move(timedelta(seconds=wait - 1))
    early = provider.browser(address="2001:db8:3::1")
    await early.get(provider.authorize_url())
    assert (await early.submit("/password", username="alice", password=PASSWORD)).status_code == 429
    provider.clock.move(timedelta(seconds=1))
    assert (await early.submit("/password", username="alice", password=PASSWORD)).status_code == 200
    assert early.form("/totp").action


async def test_a_known_device_is_not_locked_out_by_strangers(provider: Provider) -> None:
    home = provider.browser(address="198.51.100.7")
    await provider.sign_in(home)
    for n in range(12):
        stranger = provider.browser(address=f"2001:db8:{n:x}::4")
        await stranger.get(provider.authorize_url())
        await stranger.submit("/password", username="alice", password="a wrong password")
    provider.clock.move(timedelta(seconds=90))
    await home.get(provider.authorize_url(prompt="login"))
    page = await home.submit("/password", username="alice", password=PASSWORD)
    assert page.status_code == 200
    assert home.form("/sms/send").action
