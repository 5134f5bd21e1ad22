"""The spending rules on a real database: what is booked, given back, closed, counted and told, many at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from idp.crypto import KeyChain
from idp.flows.delivery import spending
from idp.flows.delivery.spending import Cleared
from idp.flows.operate.spending import explain_number, spending_counters
from idp.sms import Outcome, Sent
from idp.sms.phone import describe
from idp.spending import Denied, Period, Rule
from idp.store.delivery import denials, suppressions
from tests.world.account_pages import come_in
from tests.world.databases import empty
from tests.world.provider import PASSWORD, Provider
from tests.world.running import running, settings_for
from tests.world.spenders import PRICE, Person, ask, estonian, people, person, rule_of, spent, use

HOUR = timedelta(hours=1)


@pytest.fixture
async def raw(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def verify(raw: "asyncpg.Connection[Any]", whom: Sequence[Person], provider: Provider) -> None:
    """As a right code does, in bulk; that it does so is tested by itself."""
    phones, now = [each.phone for each in whom], provider.clock.now()
    await raw.execute("UPDATE authenticator SET last_used_at = $2 WHERE id = ANY($1)", phones, now)
    await raw.execute("UPDATE spending_number SET verified_at = $2 WHERE authenticator_id = ANY($1)", phones, now)


# Countries, suppression, lines


async def test_a_number_goes_where_its_country_is_open(bare: Provider) -> None:
    estonia, finland = await person(bare, estonian(1)), await person(bare, "+358401234567")
    canada, latvia = await person(bare, "+14165550123"), await person(bare, "+37121234567")
    use(bare, '[countries]\nFI = "known_only"', countries=("EE", "US"))
    assert await rule_of(bare, estonia) == "sent"
    assert await rule_of(bare, finland) == "country"
    assert await rule_of(bare, latvia) == "country"
    # +1 is 25 countries; this one is not the one that is open
    assert await rule_of(bare, canada) == "country"
    assert await spent(bare) == dict.fromkeys(Period, PRICE)


async def test_what_was_stored_and_cannot_be_texted_is_not(bare: Provider) -> None:
    use(bare, countries=("EE", "US", "GB"))
    for number, rule in (
        ("+870773123456", "country"),  # a satellite
        ("+881612345678", "country"),
        ("+3726001234", "line_type"),  # a fixed line
        ("+19005550199", "line_type"),  # premium
        ("+18005550199", "line_type"),
        ("+447012345678", "line_type"),  # a personal number
        ("+37256", "parse"),
        ("+3725678904512345", "parse"),
        ("37256789045", "parse"),
        ("+372\uff156789045", "parse"),
        ("+37256789045;ext=5", "parse"),
        ("not a number", "parse"),
        ("", "parse"),
    ):
        assert await rule_of(bare, await person(bare, number)) == rule, number


async def test_a_suppressed_number_is_not_texted(bare: Provider) -> None:
    use(bare)
    someone = await person(bare, estonian(1))
    hashed = bare.idp.secrets.index(someone.number, purpose=suppressions.PURPOSE)
    await bare.idp.db.one(
        suppressions._ADD,
        number_key=hashed,
        reason="opted_out",
        now=bare.clock.now(),
        audit_name="number.suppressed",
        audit_fields={},
        audit_account=None,
        audit_client=None,
    )
    assert await rule_of(bare, someone) == "suppression"
    assert await rule_of(bare, await person(bare, estonian(2))) == "sent"


# Neighbours


async def test_a_block_closes_at_the_fourth_number_and_opens_after_twelve_hours(bare: Provider) -> None:
    use(bare)
    block = [await person(bare, estonian(1, last)) for last in range(1, 9)]
    other = await person(bare, estonian(2))
    told = [await rule_of(bare, each) for each in block[:5]]
    assert told == ["sent", "sent", "sent", "neighbours", "neighbours"]
    # those who were texted before are kept out with the rest; other blocks are not
    assert await rule_of(bare, block[0]) == "neighbours"
    assert await rule_of(bare, other) == "sent"
    bare.clock.move(12 * HOUR - timedelta(seconds=1))
    assert await rule_of(bare, block[5]) == "neighbours"
    bare.clock.move(timedelta(seconds=1))
    assert await rule_of(bare, block[5]) == "sent"


async def test_a_number_asking_again_is_one_number(bare: Provider) -> None:
    use(bare)
    someone, twin = await person(bare, estonian(1, 1)), await person(bare, estonian(1, 1))
    assert {await rule_of(bare, each) for each in (someone, twin) * 4} == {"sent"}


async def test_neighbours_count_for_an_hour(bare: Provider) -> None:
    use(bare)
    for last in range(1, 10):
        assert await rule_of(bare, await person(bare, estonian(1, last))) == "sent"
        bare.clock.move(timedelta(minutes=20))


async def test_neighbours_that_are_verified_do_not_count(bare: Provider, raw: "asyncpg.Connection[Any]") -> None:
    use(bare)
    for last in range(1, 13):
        someone = await person(bare, estonian(1, last))
        assert await rule_of(bare, someone) == "sent"
        await verify(raw, [someone], bare)
        await denials.settle(bare.idp.db)


async def test_of_many_neighbours_at_once_three_are_texted(bare: Provider) -> None:
    use(bare)
    for block in range(1, 4):
        crowd = [await person(bare, estonian(block, last)) for last in range(1, 21)]
        verdicts = await asyncio.gather(*(ask(bare, each) for each in crowd))
        assert sum(isinstance(each, Cleared) for each in verdicts) == 3
        assert {each.rule for each in verdicts if isinstance(each, Denied)} == {Rule.NEIGHBOURS}


async def test_what_was_not_sent_takes_no_place(bare: Provider) -> None:
    use(bare)
    for last in range(1, 9):
        cleared = await ask(bare, await person(bare, estonian(1, last)))
        assert isinstance(cleared, Cleared)
        await spending.settle(bare.idp, cleared, Sent(Outcome.NOT_SENT if last % 2 else Outcome.REJECTED))
    assert await spent(bare) == dict.fromkeys(Period, Decimal(0))
    assert all(each.sends == 0 for each in await denials.traffic(bare.idp.db, now=bare.clock.now()))


# Conversion


async def traffic(
    provider: Provider, raw: "asyncpg.Connection[Any]", *, sends: int, verified: int, first_block: int = 1000
) -> None:
    crowd = await people(provider, sends, first_block=first_block)
    for each in crowd:
        assert await rule_of(provider, each) == "sent"
    await verify(raw, crowd[:verified], provider)


async def test_under_35_percent_verified_strangers_wait_until_it_is_better(
    bare: Provider, raw: "asyncpg.Connection[Any]"
) -> None:
    use(bare)
    await traffic(bare, raw, sends=20, verified=6)
    stranger, friend = await person(bare, estonian(1)), await person(bare, estonian(2))
    await verify(raw, [friend], bare)
    assert await rule_of(bare, stranger) == "conversion"
    assert await rule_of(bare, friend) == "sent"
    assert all(each.closed_until is None for each in await denials.traffic(bare.idp.db, now=bare.clock.now()))
    # one more of them is verified: 7 of 20, whether the sweeper was there or not
    await raw.execute(
        """UPDATE spending_number SET verified_at = $1 WHERE authenticator_id =
           (SELECT authenticator_id FROM spending_number WHERE verified_at IS NULL LIMIT 1)""",
        bare.clock.now(),
    )
    assert await rule_of(bare, stranger) == "sent"
    assert await denials.settle(bare.idp.db) == 7
    assert await denials.settle(bare.idp.db) == 0
    assert (await rule_of(bare, await person(bare, estonian(3)))) == "conversion"  # 7 of 21


async def test_under_15_percent_a_country_is_closed_for_twelve_hours_and_starts_anew(
    bare: Provider, raw: "asyncpg.Connection[Any]"
) -> None:
    use(bare, countries=("EE", "FI"))
    await traffic(bare, raw, sends=20, verified=2)
    stranger, friend = await person(bare, estonian(1)), await person(bare, estonian(2))
    finn = await person(bare, "+358401234567")
    await verify(raw, [friend], bare)
    assert await rule_of(bare, stranger) == "conversion"
    assert [await rule_of(bare, friend), await rule_of(bare, finn)] == ["sent", "sent"]
    # many more verified do not open it before its time
    await raw.execute("UPDATE spending_number SET verified_at = $1", bare.clock.now())
    bare.clock.move(12 * HOUR - timedelta(seconds=1))
    assert await rule_of(bare, stranger) == "conversion"
    await raw.execute("UPDATE spending_number SET verified_at = NULL")
    bare.clock.move(timedelta(seconds=1))
    assert await rule_of(bare, stranger) == "sent"
    # and what was sent before it closed is not held against it twice
    await traffic(bare, raw, sends=19, verified=0, first_block=3000)
    assert await rule_of(bare, await person(bare, estonian(3))) == "conversion"


async def test_conversion_looks_back_a_day(bare: Provider, raw: "asyncpg.Connection[Any]") -> None:
    use(bare)
    await traffic(bare, raw, sends=20, verified=6)
    stranger = await person(bare, estonian(1))
    bare.clock.move(23 * HOUR)
    assert await rule_of(bare, stranger) == "conversion"
    bare.clock.move(HOUR)
    assert await rule_of(bare, stranger) == "sent"


async def test_a_right_code_is_what_verifies(provider: Provider, raw: "asyncpg.Connection[Any]") -> None:
    use(provider)
    await come_in(provider, provider.browser(), "bob")
    (seen,) = await denials.traffic(provider.idp.db, now=provider.clock.now())
    assert (seen.region, seen.sends, seen.verified) == ("EE", 1, 1)
    # From now on bob's number is known: it is not counted again, whatever happens to the block or the country.
    await raw.execute("UPDATE spending_block SET closed_until = $1", provider.clock.now() + 12 * HOUR)
    provider.clock.move(2 * HOUR)
    await come_in(provider, provider.browser(), "bob")
    (seen,) = await denials.traffic(provider.idp.db, now=provider.clock.now())
    assert (seen.sends, seen.verified) == (1, 1)
    assert len(provider.gateway.sent) == 2


async def test_a_wrong_code_verifies_nothing(provider: Provider) -> None:
    use(provider)
    browser = provider.browser()
    await browser.get("/account")
    await browser.submit("/password", username="bob", password=PASSWORD)
    code = (await provider.deliver())[-1]
    await browser.submit("/sms", code=f"{(int(code) + 1) % 10**6:06}")
    (seen,) = await denials.traffic(provider.idp.db, now=provider.clock.now())
    assert (seen.sends, seen.verified) == (1, 0)


# Money

BUDGET = "[money]\nhour = 1\nday = 1.5\nmonth = 2"


async def test_strangers_get_the_budget_and_known_numbers_the_reserve(
    bare: Provider, raw: "asyncpg.Connection[Any]"
) -> None:
    use(bare, BUDGET)
    strangers, friends = await people(bare, 11), await people(bare, 3, first_block=3000)
    await verify(raw, friends, bare)
    assert [await rule_of(bare, each) for each in strangers] == ["sent"] * 10 + ["money"]
    assert [await rule_of(bare, each) for each in friends] == ["sent", "sent", "money"]
    assert (await spent(bare))[Period.HOUR] == Decimal("1.2")
    # a new hour; the day has 30 cents left for everybody, 60 for friends; the month has more
    bare.clock.move(HOUR)
    assert [await rule_of(bare, each) for each in strangers[:4]] == ["sent"] * 3 + ["money"]
    assert [await rule_of(bare, friends[0]) for _ in range(4)] == ["sent"] * 3 + ["money"]
    bare.clock.move(24 * HOUR)
    assert [await rule_of(bare, each) for each in strangers[4:7]] == ["sent", "sent", "money"]
    assert [await rule_of(bare, friends[0]) for _ in range(5)] == ["sent"] * 4 + ["money"]
    bare.clock.move(timedelta(days=20))
    assert await rule_of(bare, strangers[7]) == "sent"


@pytest.mark.parametrize("known", [True, False])
async def test_twenty_senders_at_once_never_overspend(
    bare: Provider, raw: "asyncpg.Connection[Any]", *, known: bool
) -> None:
    use(bare, BUDGET, neighbours="off", conversion="off")
    crowd = await people(bare, 20)
    if known:
        await verify(raw, crowd, bare)
    stop = Decimal("1.2") if known else Decimal(1)
    verdicts = await asyncio.gather(*(ask(bare, each) for each in crowd))
    assert (await spent(bare))[Period.HOUR] == stop
    assert sum(isinstance(each, Cleared) for each in verdicts) == stop / PRICE
    # what some give back, as many others may have, and no more
    cleared = [each for each in verdicts if isinstance(each, Cleared)]
    await asyncio.gather(*(spending.settle(bare.idp, each, Sent(Outcome.NOT_SENT)) for each in cleared[:5]))
    assert (await spent(bare))[Period.HOUR] == stop - 5 * PRICE
    again = await asyncio.gather(*(ask(bare, each) for each in crowd))
    assert sum(isinstance(each, Cleared) for each in again) == 5
    assert (await spent(bare))[Period.HOUR] == stop


async def test_the_gateway_knows_the_price_better(bare: Provider) -> None:
    use(bare, '[prices]\nEE = 0.05\n"*" = 1')
    (someone,) = await people(bare, 1)
    for answer, total in (
        (Sent(Outcome.ACCEPTED, "x"), "0.05"),
        (Sent(Outcome.ACCEPTED, "x", cost=Decimal("0.033"), currency="EUR"), "0.083"),
        (Sent(Outcome.ACCEPTED, "x", cost=Decimal("-0.2"), currency="EUR"), "0.283"),  # Twilio's sign
        (Sent(Outcome.ACCEPTED, "x", cost=Decimal(9), currency="USD"), "0.333"),  # not ours to convert
        (Sent(Outcome.AMBIGUOUS), "0.383"),  # it may have been sent
        (Sent(Outcome.MISCONFIGURED), "0.383"),
        (Sent(Outcome.REJECTED, cost=Decimal(9), currency="EUR"), "0.383"),
    ):
        cleared = await ask(bare, someone)
        assert isinstance(cleared, Cleared)
        await spending.settle(bare.idp, cleared, answer)
        assert (await spent(bare))[Period.MONTH] == Decimal(total)


async def test_what_comes_back_late_goes_to_the_hour_it_was_taken_from(bare: Provider) -> None:
    use(bare)
    (someone,) = await people(bare, 1)
    cleared = await ask(bare, someone)
    assert isinstance(cleared, Cleared)
    bare.clock.move(HOUR)
    assert await rule_of(bare, someone) == "sent"
    await spending.settle(bare.idp, cleared, Sent(Outcome.NOT_SENT))
    assert await spent(bare) == {Period.HOUR: PRICE, Period.DAY: PRICE, Period.MONTH: PRICE}


_ALARMS = "SELECT fields->>'period', fields->>'reached' FROM audit_event WHERE name = 'sms.budget' ORDER BY id"


async def test_each_crossing_is_told_once(
    bare: Provider, raw: "asyncpg.Connection[Any]", capsys: pytest.CaptureFixture[str]
) -> None:
    use(bare, "[money]\nhour = 1\nday = 2\nmonth = 100", neighbours="off", conversion="off")
    crowd = await people(bare, 20)
    for each in crowd[:7]:
        await ask(bare, each)
    assert await raw.fetch(_ALARMS) == []
    await asyncio.gather(*(ask(bare, each) for each in crowd[7:]))
    told = [tuple(row) for row in await raw.fetch(_ALARMS)]
    assert told == [("hour", "near"), ("hour", "used_up")]
    # given back and taken again is no second crossing
    cleared = await ask(bare, crowd[0])
    assert isinstance(cleared, Denied)
    await verify(raw, crowd, bare)
    for _ in range(4):
        await ask(bare, crowd[0])
    assert [tuple(row) for row in await raw.fetch(_ALARMS)][2:] == [("hour", "stop")]
    bare.clock.move(HOUR)
    for each in crowd[:9]:
        await ask(bare, each)
    assert [tuple(row) for row in await raw.fetch(_ALARMS)][3:] == [("day", "near"), ("hour", "near")]
    assert capsys.readouterr().out.count("sms budget") == 5


async def test_a_clock_that_is_behind_finds_the_newer_hour(bare: Provider) -> None:
    use(bare, BUDGET)
    someone, other = await people(bare, 2)
    assert await rule_of(bare, someone) == "sent"
    bare.clock.move(-HOUR)
    assert await rule_of(bare, other) == "sent"
    bare.clock.move(HOUR)
    assert (await spent(bare))[Period.HOUR] == 2 * PRICE


# Modes, counters, audit


@pytest.mark.parametrize("rule", ["parse", "suppression", "country", "line_type", "neighbours", "conversion", "money"])
async def test_each_rule_denies_counts_or_does_not_look(
    bare: Provider, raw: "asyncpg.Connection[Any]", rule: str
) -> None:
    number = {"parse": "+3725678912", "country": "+37121234567", "line_type": "+3726001234"}.get(rule, estonian(1))
    someone = await person(bare, number)
    now = bare.clock.now()
    others = {name.value: "off" for name in Rule if name != rule}
    recipient = spending.recipient_of(
        bare.idp,
        account_id=someone.account_id,
        authenticator_id=someone.phone,
        number=number,
        phone=describe(number),
    )
    if rule == "suppression":
        await raw.execute(
            "INSERT INTO suppressed_number VALUES ($1, 'opted_out', $2)", recipient.suppressed_keys[0], now
        )
    if rule == "neighbours":
        await denials.close_block(bare.idp.db, recipient, until=now + HOUR, now=now)
    if rule == "conversion":
        await raw.execute("INSERT INTO spending_region VALUES ('EE', $1, 20, 3)", now.replace(minute=0))
    text = '[prices]\n"*" = 100' if rule == "money" else ""
    found = []
    for mode in ("off", "shadow", "enforce"):
        use(bare, text, **{**others, rule: mode})
        found.append(await rule_of(bare, someone))
    if rule == "parse":
        # a number that cannot be read belongs to no country, and the rules agree on it
        assert found == ["sent", "sent", "parse"]
    else:
        assert found == ["sent", "sent", rule]
    counted = await denials.since(bare.idp.db, since=now - HOUR)
    assert [(each.rule, each.mode, each.count) for each in counted] == [(rule, "enforce", 1), (rule, "shadow", 1)]
    rows = await raw.fetch("SELECT fields FROM audit_event WHERE name = 'sms.denied' ORDER BY id")
    assert len(rows) == 2
    assert all(f'"rule": "{rule}"' in row[0] and number not in row[0] and number[3:-3] not in row[0] for row in rows)


async def test_nothing_stored_tells_a_number(bare: Provider, raw: "asyncpg.Connection[Any]") -> None:
    use(bare)
    for last in range(501, 506):
        await ask(bare, await person(bare, estonian(6789, last)))
    await ask(bare, await person(bare, "+37121234567"))
    tables = await raw.fetch("SELECT tablename FROM pg_tables WHERE tablename ~ '^(spending|audit)_'")
    assert len(tables) == 7
    for (table,) in tables:
        for (row,) in await raw.fetch(f"SELECT t::text FROM {table} t"):  # noqa: S608 - from the catalogue
            assert "6789" not in row
            assert "1234567" not in row


async def test_the_operator_sees_it_all_and_nothing_is_counted_by_looking(
    bare: Provider, raw: "asyncpg.Connection[Any]"
) -> None:
    use(bare, line_type="shadow")
    for last in range(1, 6):
        await ask(bare, await person(bare, estonian(1, last)))
    await ask(bare, await person(bare, "+3726001234"))
    before = await spending_counters(bare.idp)
    assert {(each.rule, each.mode, each.region): each.count for each in before.denied} == {
        ("neighbours", "enforce", "EE"): 2,
        ("line_type", "shadow", "EE"): 1,
    }
    assert before.closed_blocks == 1
    told = await explain_number(bare.idp, "+372 5000 1099")
    assert told.phone.endswith("099")
    assert "5000" not in str(told)
    assert told.answer == "it would not be sent, because its block of numbers is closed (neighbours)"
    assert told.answer_verified == "it would be sent"
    assert (await explain_number(bare.idp, "+371 2123 4567")).answer_verified.endswith("LV is closed (country)")
    assert await spending_counters(bare.idp) == before


async def test_two_statements_judge_a_message(bare: Provider) -> None:
    use(bare)
    (someone,) = await people(bare, 1)
    bare.count()
    await ask(bare, someone)
    assert len(bare.statements) == 2


@asynccontextmanager
async def opened(url: str, keys: KeyChain, tmp_path: Path, **settings: Any) -> AsyncIterator[Provider]:
    await empty(url)
    async with running(url, keys, settings_for(tmp_path, **settings)) as provider:
        yield provider


async def test_the_settings_say_which_countries_are_open(
    database_url: str, key_chain: KeyChain, tmp_path: Path
) -> None:
    async with opened(database_url, key_chain, tmp_path, sms_countries=("FI",)) as provider:
        assert await rule_of(provider, await person(provider, estonian(1))) == "country"
        assert await rule_of(provider, await person(provider, "+358401234567")) == "sent"


async def test_the_sender_books_gives_back_and_denies(provider: Provider, raw: "asyncpg.Connection[Any]") -> None:
    use(provider)
    provider.gateway.answers.extend(
        [Sent(Outcome.NOT_SENT), Sent(Outcome.ACCEPTED, "x", cost=Decimal("0.03"), currency="EUR")]
    )
    browser = provider.browser()
    await browser.get("/account")
    await browser.submit("/password", username="bob", password=PASSWORD)
    await provider.deliver()
    assert (await spent(provider))[Period.HOUR] == 0
    provider.clock.move(timedelta(seconds=10))
    await provider.deliver()
    assert (await spent(provider))[Period.HOUR] == Decimal("0.03")
    use(provider, countries=("FI",))
    other = provider.browser()
    await other.get("/account")
    await other.submit("/password", username="alice", password=PASSWORD)
    await other.ask_for_text()
    await provider.deliver()
    states = await raw.fetch("SELECT state, denied_by FROM message ORDER BY created_at")
    assert [tuple(row) for row in states] == [("sent", None), ("denied", "country")]
    assert await raw.fetchval("SELECT count(*) FROM message_attempt") == 2
    assert len(provider.gateway.sent) == 2
