"""Wrong passwords of strangers: how many are looked at, and whom they keep out (threats 11)."""

from datetime import timedelta

import httpx
import pytest

from idp import limits
from idp.factors import recovery
from idp.flows.operate.unlocking import unlock_user
from idp.store import rate_limits
from tests.world.guessing import guess, use_up_the_day
from tests.world.provider import PASSWORD, Browser, Provider, parameters
from tests.world.stage import own_token

HOME, ELSEWHERE = "192.0.2.77", "203.0.113.9"


async def at_home(provider: Provider, username: str = "alice") -> Browser:
    """A browser that this person signed in from a while ago."""
    home = provider.browser(address=HOME)
    await provider.sign_in(home, username)
    provider.clock.move(timedelta(minutes=1))
    return home


async def typed(
    provider: Provider, browser: Browser, password: str = PASSWORD, *, username: str = "alice"
) -> httpx.Response:
    await browser.get(provider.authorize_url(prompt="login"))
    return await browser.submit("/password", username=username, password=password)


async def test_one_address_is_looked_at_twenty_times_a_day_and_never_keeps_the_owner_out_elsewhere(
    provider: Provider,
) -> None:
    end = provider.clock.now() + timedelta(days=1)
    browser = provider.browser(address="198.51.100.7")
    await browser.get(provider.authorize_url())
    looked_at = 0
    while provider.clock.now() < end:
        action = browser.form("/password").action
        answer = await browser.http.post(
            action, data={**own_token(provider, browser, action), "username": "alice", "password": "a guess"}
        )
        if answer.status_code == 400:
            looked_at += 1
            owner = await typed(provider, provider.browser(address=ELSEWHERE))
            assert (owner.status_code, "/sms" in owner.text) == (200, True)
            continue
        assert answer.status_code == 429
        provider.clock.move(timedelta(seconds=int(answer.headers["retry-after"])))
        browser = provider.browser(address="198.51.100.7")
        await browser.get(provider.authorize_url())
    assert looked_at == 20


async def test_a_hundred_guesses_a_day_are_looked_at_from_all_addresses_together(provider: Provider) -> None:
    home = await at_home(provider)
    looked_at = 0
    for n in range(26):
        for _ in range(4):
            answer, _ = await guess(provider, "alice", address=f"2001:db8:{n:x}::1")
            looked_at += answer.status_code == 400
    assert looked_at == 100
    # a new browser of the owner has to wait as well, is told until when, and what works at once
    new = provider.browser(address=ELSEWHERE)
    page = await typed(provider, new)
    assert page.status_code == 429
    assert "in a browser that you have signed in with before" in page.text
    wait = int(page.headers["retry-after"])
    # which is true
    assert (await typed(provider, home)).status_code == 200
    assert home.form("/sms/send").action
    provider.clock.move(timedelta(seconds=wait - 1))
    assert (await typed(provider, new)).status_code == 429
    provider.clock.move(timedelta(seconds=1))
    assert (await typed(provider, new)).status_code == 200


async def test_right_passwords_are_not_counted(provider: Provider) -> None:
    for n in range(25):
        answer = await typed(provider, provider.browser(address=HOME))
        assert answer.status_code == 200, n
    name = provider.idp.secrets.index("alice", purpose="username")
    day = await rate_limits.peek(provider.idp.db, limits.subject(provider.idp.limits.password_day, name))
    assert day is not None
    assert day.hits == ()


async def test_a_right_password_makes_nobody_else_at_the_address_wait(provider: Provider) -> None:
    """Five wrong ones of one person, and an office signed in one by one, half a minute apart."""
    for _ in range(5):
        await typed(provider, provider.browser(address=ELSEWHERE), "wrong", username="alice")
    provider.clock.move(timedelta(seconds=31))
    for person in ("alice", "bob", "alice", "bob"):
        answer = await typed(provider, provider.browser(address=ELSEWHERE), username=person)
        assert (answer.status_code, "Not you?" in answer.text) == (200, True)
    assert (await typed(provider, provider.browser(address=ELSEWHERE), "wrong")).status_code == 400
    assert (await typed(provider, provider.browser(address=ELSEWHERE))).status_code == 429


async def test_a_known_browser_waits_for_its_own_wrong_passwords_and_is_not_sent_to_another(provider: Provider) -> None:
    home = await at_home(provider)
    for _ in range(5):
        assert (await typed(provider, home, "a wrong password")).status_code == 400
    page = await typed(provider, home)
    assert page.status_code == 429
    assert "signed in with before" not in page.text
    assert (await typed(provider, provider.browser(address=HOME))).status_code == 200


async def with_saved_code(provider: Provider, password: str, saved: str, *, username: str = "alice") -> httpx.Response:
    """The page that says to wait, and its form once more with a recovery code."""
    new = provider.browser(address=ELSEWHERE)
    page = await typed(provider, new, username=username)
    assert page.status_code == 429
    assert "with a recovery code" in page.text
    return await new.submit("/password", username=username, password=password, recovery_code=saved)


async def test_a_saved_code_is_let_in_beyond_the_hundred_and_is_not_used_up(provider: Provider) -> None:
    await use_up_the_day(provider, "alice")
    saved = provider.saved["alice"][0]
    page = await with_saved_code(provider, PASSWORD, saved)
    assert page.status_code == 200
    assert "recovery_code" not in page.text
    # two factors all the same, of which this may be one
    new = provider.browser(address=ELSEWHERE)
    await typed(provider, new)
    await new.submit("/password", username="alice", password=PASSWORD, recovery_code=saved)
    await new.get(f"{new.form('/cancel').action.removesuffix('/cancel')}/recovery")
    assert "code" in parameters(await new.submit("/recovery", code=saved))
    # once it was used it lets nobody in any more
    assert (await with_saved_code(provider, PASSWORD, saved)).status_code == 429


@pytest.mark.parametrize("username", ["alice", "bob", "nobody"])
async def test_a_wrong_saved_code_says_what_the_page_said_before_whoever_it_is(
    provider: Provider, username: str
) -> None:
    await use_up_the_day(provider, username)
    foreign = provider.saved["alice"][1] if username == "bob" else recovery.new_codes()[0]
    for saved in (foreign, "none", ""):
        page = await with_saved_code(provider, PASSWORD, saved, username=username)
        assert page.status_code == 429
        assert "with a recovery code" in page.text


async def test_who_has_the_paper_is_looked_at_as_often_as_a_browser(provider: Provider) -> None:
    """Whichever of the codes he types: they are one set."""
    await use_up_the_day(provider, "alice")
    wrong = [await with_saved_code(provider, "a wrong password", saved) for saved in provider.saved["alice"][1:7]]
    assert [page.status_code for page in wrong] == [400] * 5 + [429]
    assert "The username or the password is not right" in wrong[0].text
    assert 'name="recovery_code"' in wrong[0].text
    assert "wrong passwords in browsers used before" in await unlock_user(provider.idp, "alice")


async def test_a_name_that_nobody_has_takes_the_same_statements(provider: Provider) -> None:
    seen = []
    for username in ("alice", "bob", "nobody"):
        await use_up_the_day(provider, username)
        new = provider.browser(address=ELSEWHERE)
        await typed(provider, new, username=username)
        provider.count()
        saved = recovery.new_codes()[0]
        await new.submit("/password", follow=False, username=username, password=PASSWORD, recovery_code=saved)
        seen.append(list(provider.statements))
        provider.idp.db.on_statement = None
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("address", ["192.0.2.{n}", "2001:db8:1:{n}::1"])
async def test_an_unlock_reaches_every_browser_and_says_what_it_lifted(provider: Provider, address: str) -> None:
    home = await at_home(provider, "bob")
    assert await unlock_user(provider.idp, "bob") == ["text messages to the phone ending 46"]
    for browser in (home, *(provider.browser(address=address.format(n=n)) for n in (1, 2))):
        answers = [await typed(provider, browser, "a wrong password", username="bob") for _ in range(6)]
        assert answers[-1].status_code == 429
    await use_up_the_day(provider, "bob")
    assert await unlock_user(provider.idp, "bob") == [
        "wrong passwords in browsers used before",
        "wrong passwords in other browsers",
    ]
    assert await unlock_user(provider.idp, "bob") == []
    assert (await typed(provider, home, username="bob")).status_code == 200
    assert (await unlock_user(provider.idp, "bob")) == ["text messages to the phone ending 46"]
    assert (await typed(provider, provider.browser(address=ELSEWHERE), username="bob")).status_code == 200
    assert len(await provider.deliver()) == 3
