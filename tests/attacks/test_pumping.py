"""Text messages that strangers make us pay for, and slots that they use up (threats 11 and 12)."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.spending import Rule, load_spending
from idp.store.delivery import denials
from tests.world.provider import ALICE_PHONE, BANK_URI, BOB_PHONE, PASSWORD, Browser, Provider
from tests.world.stage import own_token


@pytest.fixture
async def provider(bare: Provider) -> Provider:
    """One of its own for each test: what is counted here reaches over many days."""
    await bare.add_client("bank", BANK_URI)
    await bare.add_person("alice", number=ALICE_PHONE)
    await bare.add_person("bob", number=BOB_PHONE)
    return bare


STRANGE = {"X-Forwarded-For": "10.0.0.{n}", "Forwarded": "for=10.0.0.{n}", "X-Real-IP": "10.0.0.{n}"}


async def asked(provider: Provider, username: str, *, address: str, browser: Browser | None = None) -> Browser:
    """A right password, which is as far as somebody who learnt it comes."""
    browser = browser or provider.browser(address=address)
    await browser.get(provider.authorize_url(prompt="login"))
    await browser.submit("/password", username=username, password=PASSWORD)
    await browser.ask_for_text()
    return browser


async def test_a_thousand_tries_without_a_right_password_reach_no_provider(provider: Provider) -> None:  # OTP-14
    browser = provider.browser(address="2001:db8::1")
    page = await provider.store(browser)
    send = f"{page.url.path}/sms/send"
    form = own_token(provider, browser, send)
    password = own_token(provider, browser, f"{page.url.path}/password")
    names = ("alice", "bob", "nobody", "+1 (900) 555 0199", "+870773123456", "+37256789045")
    for n in range(1000):
        if n % 10 == 0:
            guess = {**password, "username": names[n // 10 % len(names)], "password": f"guess {n}"}
            await browser.http.post(f"{page.url.path}/password", data=guess)
        answer = await browser.http.post(send, data=form)
        assert answer.status_code < 500
    assert await provider.deliver() == []
    assert await denials.traffic(provider.idp.db, now=provider.clock.now()) == []


async def test_two_hundred_accounts_in_one_block_get_three_messages(provider: Provider) -> None:
    """Somebody who owns a block of numbers, and a password for each, from an address of its own each."""
    home = provider.browser(address="192.0.2.77")
    await provider.sign_in(home, "alice")
    provider.clock.move(timedelta(hours=2))
    before = len(provider.gateway.sent)
    pages = set()
    for n in range(200):
        username = f"pumped{n}"
        await provider.add_person(username, number=f"+37256789{n + 200:03d}")
        browser = await asked(provider, username, address=f"198.51.100.{n}")
        assert browser.page is not None
        shown = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}|[0-9]+", "", browser.page.text)
        pages.add((browser.page.status_code, shown))
        await provider.deliver()
        provider.clock.move(timedelta(minutes=2))
    assert len(provider.gateway.sent) - before == 3
    # a denied request looks like any other
    assert len(pages) == 1
    counted = await denials.since(provider.idp.db, since=provider.clock.now() - timedelta(hours=24))
    assert [(each.rule, each.mode, each.region) for each in counted] == [("neighbours", "enforce", "EE")]
    assert counted[0].count == 197
    # alice lives in that very block, and her number is known
    await asked(provider, "alice", address="192.0.2.77", browser=home)
    assert len(await provider.deliver()) - before == 4


async def test_two_hundred_accounts_all_over_a_country_get_twenty_messages(provider: Provider) -> None:
    for n in range(60):
        await provider.add_person(f"pumped{n}", number=f"+3725{1000 + n}001")
        await asked(provider, f"pumped{n}", address=f"198.51.100.{n}")
        await provider.deliver()
        provider.clock.move(timedelta(minutes=10))
    assert len(provider.gateway.sent) == 20
    counted = await denials.since(provider.idp.db, since=provider.clock.now() - timedelta(hours=24))
    assert {(each.rule, each.count) for each in counted} == {("conversion", 40)}


async def test_whoever_burns_slots_does_not_keep_a_known_device_out(provider: Provider) -> None:
    """Hole 11: an attacker with the password uses up every message that the number may get."""
    home = provider.browser(address="192.0.2.77")
    await provider.sign_in(home, "alice")
    provider.clock.move(timedelta(hours=1))
    burnt = 0
    for n in range(40):
        before = len(provider.gateway.sent)
        await asked(provider, "alice", address=f"198.51.100.{n}")
        burnt += len(await provider.deliver()) - before
        provider.clock.move(timedelta(minutes=5))
    assert 4 < burnt <= 8  # 4 in an hour, 8 in a day, and waits that double
    before = len(provider.gateway.sent)
    await asked(provider, "alice", address="203.0.113.9")
    assert len(await provider.deliver()) == before
    await asked(provider, "alice", address="192.0.2.77", browser=home)
    codes = await provider.deliver()
    assert len(codes) == before + 1
    answer = await home.submit("/sms", code=codes[-1])
    assert answer.status_code == 303
    assert "code=" in answer.headers["location"]


async def test_a_known_device_has_a_budget_and_not_a_free_ticket(provider: Provider) -> None:
    home = provider.browser(address="192.0.2.77")
    await provider.sign_in(home, "alice")
    provider.clock.move(timedelta(days=2))
    before = len(provider.gateway.sent)
    for _ in range(60):
        await asked(provider, "alice", address="192.0.2.77", browser=home)
        await provider.deliver()
        provider.clock.move(timedelta(minutes=2))
    assert len(provider.gateway.sent) - before <= 10
    # bob is a stranger there
    before = len(provider.gateway.sent)
    await asked(provider, "bob", address="192.0.2.77", browser=home)
    assert len(await provider.deliver()) == before + 1


async def test_a_number_has_one_budget_for_all_browsers_however_many_are_known(provider: Provider) -> None:
    homes = [provider.browser(address=f"192.0.2.{n}") for n in range(70, 73)]
    for home in homes:
        await provider.sign_in(home, "alice")
    provider.clock.move(timedelta(days=2))
    sent = [len(await provider.deliver())]
    for _ in range(24):
        for home in homes:
            await asked(provider, "alice", address="", browser=home)
            await provider.deliver()
        await asked(provider, "alice", address=f"198.51.100.{len(sent)}")
        sent.append(len(await provider.deliver()))
        provider.clock.move(timedelta(minutes=15))
    assert sent[-1] - sent[0] == 10
    assert max(later - now for now, later in zip(sent, sent[4:], strict=False)) == 5


@pytest.mark.parametrize("known", [True, False], ids=["in one browser", "in a new browser each"])
async def test_verified_codes_take_no_place_until_the_thirtieth_of_a_day(provider: Provider, known: bool) -> None:
    home = provider.browser(address="192.0.2.77")
    for n in range(30):
        browser = home if known else provider.browser(address=f"198.51.100.{n}")
        answer = await provider.sign_in(browser, "alice", prompt="login")
        assert answer.status_code == 303, n
        provider.clock.move(timedelta(minutes=1))
    assert len(await provider.deliver()) == 30
    page = await asked(provider, "alice", address="198.51.100.99", browser=home if known else None)
    assert len(await provider.deliver()) == 30
    assert page.page is not None
    assert "a new code in 1" in page.page.text.replace("\n", " ") or "in 24 hours" in page.page.text
    provider.clock.move(timedelta(hours=23, minutes=30))
    await provider.sign_in(provider.browser(address="203.0.113.1"), "alice")


async def test_a_code_that_was_sent_again_gives_all_its_places_back(provider: Provider) -> None:
    home = provider.browser(address="192.0.2.77")
    for _ in range(4):
        await asked(provider, "alice", address="", browser=home)
        assert home.page is not None
        send = f"{home.page.url.path.removesuffix('/sms')}/sms/send"
        for minutes in (1, 2):
            provider.clock.move(timedelta(minutes=minutes))
            answer = await home.http.post(send, data=own_token(provider, home, send))
            assert answer.status_code == 303
        answer = await home.submit("/sms", code=await provider.texted(home))
        assert "code=" in answer.headers["location"]
    assert len(provider.gateway.sent) == 12


async def test_a_device_cookie_cannot_be_made_up(provider: Provider) -> None:
    for n in range(12):
        browser = provider.browser(address=f"198.51.100.{n}")
        browser.http.cookies.set("stile_device", f"{n:064x}.{n:016x}.{n:064x}")
        await asked(provider, "alice", address="", browser=browser)
        await provider.deliver()
    assert len(provider.gateway.sent) == 1


async def test_an_address_has_five_messages_an_hour_but_known_devices_are_not_counted(provider: Provider) -> None:
    home = provider.browser(address="192.0.2.77")
    await provider.sign_in(home, "alice")
    provider.clock.move(timedelta(hours=2))
    before = len(provider.gateway.sent)
    for n in range(8):
        await provider.add_person(f"colleague{n}", number=f"+3725{1000 + n}001")
        await asked(provider, f"colleague{n}", address="192.0.2.77")
    assert len(await provider.deliver()) - before == 5
    await asked(provider, "alice", address="192.0.2.77", browser=home)
    assert len(await provider.deliver()) - before == 6


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8:1:2::{n:x}"])
async def test_forged_headers_are_no_budget_of_their_own(provider: Provider, address: str) -> None:  # OTP-17
    for n in range(12):
        await provider.add_person(f"pumped{n}", number=f"+3725{1000 + n}001")
        headers = {name: value.format(n=n) for name, value in STRANGE.items()}
        browser = provider.browser(address=address.format(n=n), headers=headers)
        await asked(provider, f"pumped{n}", address="", browser=browser)
    assert len(await provider.deliver()) == 5
    assert (await denials.spent(provider.idp.db, now=provider.clock.now())).keys()


async def test_nor_do_they_change_what_the_sender_counts(provider: Provider) -> None:
    for n in range(8):
        await provider.add_person(f"pumped{n}", number=f"+37256789{n + 200:03d}")
        headers = {name: value.format(n=n) for name, value in STRANGE.items()}
        browser = provider.browser(address=f"198.51.100.{n}", headers=headers)
        await asked(provider, f"pumped{n}", address="", browser=browser)
    assert len(await provider.deliver()) == 3


async def test_when_the_money_is_gone_nobody_can_tell_and_known_numbers_go_on(provider: Provider) -> None:
    home = provider.browser(address="192.0.2.77")
    await provider.sign_in(home, "alice")
    table = load_spending("[money]\nhour = 0.1\nday = 0.2\nreserve = 50", countries=["EE"])
    provider.idp.spending = table
    before = len(provider.gateway.sent)
    stranger = await asked(provider, "bob", address="198.51.100.1")
    fine = provider.browser(address="198.51.100.2")
    await asked(provider, "alice", address="198.51.100.2", browser=fine)
    assert len(await provider.deliver()) == before  # alice's first message took the hour
    assert stranger.page is not None
    assert fine.page is not None
    assert stranger.page.status_code == fine.page.status_code == 200
    provider.clock.move(timedelta(hours=1))
    provider.idp.spending = replace(table, modes={**table.modes, Rule.NEIGHBOURS: table.modes[Rule.MONEY]})
    await asked(provider, "alice", address="192.0.2.77", browser=home)
    assert len(await provider.deliver()) == before + 1
