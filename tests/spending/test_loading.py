"""spending.toml: what it says by default, every mistake it may not contain, and what is open when nobody said."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from idp.errors import SettingsError
from idp.settings import Settings
from idp.spending import Country, Mode, Period, Rule, default_spending, load_spending, read_spending


def settings(**given: Any) -> Settings:
    return Settings(**given)


def problems(text: str, *countries: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_spending(text, countries=countries)
    return list(caught.value.problems)


def test_the_numbers_are_those_that_were_agreed() -> None:
    table = default_spending()
    assert set(table.modes) == set(Rule)
    assert set(table.modes.values()) == {Mode.ENFORCE}
    near, ratio, money = table.neighbours, table.conversion, table.money
    assert (near.numbers, near.per, near.closed) == (4, timedelta(hours=1), timedelta(hours=12))
    assert (ratio.sends, ratio.known_only_below, ratio.closed_below) == (20, 35, 15)
    assert ratio.closed == timedelta(hours=12)
    assert (money.alarm, money.reserve) == (80, 20)
    assert (money.told_at(Period.DAY), money.hard_stop(Period.DAY)) == (Decimal(240), Decimal(360))
    assert (table.countries, table.unnamed) == ({}, Country.DENY)


def test_an_empty_file_says_what_ours_says() -> None:
    assert load_spending("") == default_spending()


def test_what_is_left_out_is_as_in_ours() -> None:
    table = load_spending('[rules]\nmoney = "shadow"\n[money]\nhour = 5\ncurrency = "USD"\n[prices]\nUS = 0.0079')
    assert table.modes[Rule.MONEY] is Mode.SHADOW
    assert table.modes[Rule.NEIGHBOURS] is Mode.ENFORCE
    assert table.money.budgets == {Period.HOUR: Decimal(5), Period.DAY: Decimal(300), Period.MONTH: Decimal(3000)}
    assert table.price("US") == Decimal("0.0079")
    assert table.price("EE") == table.price(None) == Decimal("0.1")


def test_countries_come_from_both_and_the_variable_wins() -> None:
    table = load_spending(
        '[countries]\nEE = "allow"\nUS = "deny"\nCA = "known_only"', countries=["US:known_only", "FI", "EE:deny"]
    )
    assert table.countries == {
        "CA": Country.KNOWN_ONLY,
        "EE": Country.DENY,
        "FI": Country.ALLOW,
        "US": Country.KNOWN_ONLY,
    }
    # +1 is many countries, and each is opened by itself
    assert table.country("PR") is Country.DENY


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rules", "not TOML"),
        ("[rulez]", "rulez: unknown key"),
        ("[rules]\nmony = 'off'", "rules.mony: unknown key"),
        ("[rules]\nmoney = 'on'", "rules.money: must be 'enforce', 'shadow' or 'off'"),
        ("[rules]\nmoney = false", "rules.money"),
        ("rules = 3", "rules: must be a table"),
        ("prices = 3", "prices: must be a table"),
        ("[neighbours]\nnumbers = 1", "neighbours.numbers: must be greater than or equal to 2"),
        ("[neighbours]\nnumbers = '4'", "neighbours.numbers: must be a whole number"),
        ("[neighbours]\nnumbers = true", "neighbours.numbers: must be a whole number"),
        ("[neighbours]\nper = 60", "neighbours.per: must be a duration"),
        ("[neighbours]\nper = '0h'", "neighbours.per: must be a duration"),
        ("[conversion]\nclosed_below = 40", "conversion.closed_below: must not be more"),
        ("[conversion]\nknown_only_below = 101", "conversion.known_only_below"),
        ("[money]\nhour = -1", "money.hour: must be an amount"),
        ("[money]\nhour = nan", "money.hour: must be an amount"),
        ("[money]\nhour = inf", "money.hour: must be an amount"),
        ("[money]\nhour = true", "money.hour: must be an amount"),
        ("[money]\nhour = '5'", "money.hour: must be an amount"),
        ("[money]\ncurrency = 'euro'", "money.currency: must be three capital letters"),
        ("[money]\ncurrency = 978", "money.currency: must be three capital letters"),
        ("[prices]\nEurope = 1", "prices.Europe: 'Europe' is not an ISO region"),
        ("[prices]\nEE = 'cheap'", "prices.EE: must be an amount"),
        ("[countries]\nEU = 'allow'", "countries: 'EU' is not an ISO region"),
        ("[countries]\nEE = true", "countries: EE must be allow, known_only or deny"),
        ("[countries]\n001 = 'allow'", "never texted"),
        ("countries = 'EE'", "countries"),
    ],
)
def test_a_mistake_is_named(text: str, found: str) -> None:
    told = problems(text)
    assert len(told) == 1
    assert found in told[0]


def test_every_mistake_is_reported_at_once() -> None:
    told = problems("[rules]\nx = 1\n[money]\nhour = 'a'\n[countries]\nXX = 'allow'", "us", "EE:maybe", "001")
    assert len(told) == 6
    assert sum(each.startswith("IDP_SMS_COUNTRIES: ") for each in told) == 3


def test_where_nothing_leaves_this_machine_nothing_has_to_be_opened() -> None:
    assert read_spending(settings()).country("EE") is Country.ALLOW
    assert read_spending(settings()).country("001") is Country.DENY
    loopback = settings(sms_gateways=("smspm", "console"), smspm_url="http://127.0.0.1:9000")
    assert read_spending(loopback).country("EE") is Country.ALLOW


def test_a_gateway_on_this_machine_opens_nothing_for_people_from_elsewhere() -> None:
    """It relays to a provider that wants money: whoever left IDP_SMS_COUNTRIES out would have opened the world."""
    relay = {"sms_gateways": ("webhook",), "webhook_url": "http://127.0.0.1:9000"}
    assert not read_spending(settings(issuer="https://login.example.com", **relay)).anything_open
    assert read_spending(settings(issuer="http://localhost:8000", **relay)).country("EE") is Country.ALLOW


def test_a_country_named_closes_the_others_wherever_messages_go() -> None:
    table = read_spending(settings(sms_countries=("FI",)))
    assert (table.country("FI"), table.country("EE")) == (Country.ALLOW, Country.DENY)


@pytest.mark.parametrize("gateways", [("smspm",), ("console", "smspm"), ("somebodys",)])
def test_where_messages_leave_nothing_is_open(gateways: tuple[str, ...]) -> None:
    assert not read_spending(settings(sms_gateways=gateways)).anything_open


def test_the_operators_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "spending.toml"
    file.write_text('[countries]\nLV = "allow"', encoding="utf-8")
    assert read_spending(settings(spending=file, sms_countries=("EE",))).country("LV") is Country.ALLOW
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="IDP_SPENDING cannot be read"):
        read_spending(settings(spending=file))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[money]\nhour = " + "9" * 5000, id="a number without end"),
        pytest.param("[money]\nhour = 1e99999999999999999999", id="a power without end"),
        pytest.param("x = " + "[" * 5000, id="brackets within brackets"),
        pytest.param("x = " + "{a=" * 5000, id="tables within tables"),
    ],
)
def test_what_python_cannot_read_is_a_mistake_in_the_file(text: str) -> None:
    (only,) = problems(text)
    assert only.startswith("spending: not TOML: ")


@pytest.mark.parametrize("amount", ["1e-400000", "0.0000000000001", "nan", "inf", "-1"])
def test_an_amount_that_cannot_be_added_up_is_a_mistake(amount: str) -> None:
    assert problems(f"[prices]\nEE = {amount}") == ["spending: prices.EE: must be an amount of money, zero or more"]


@pytest.mark.parametrize("text", ["[money", "[money]\nhour = 'a'", "[countries]\nXX = 'deny'", "[prices]\nXX = 1"])
def test_a_mistake_names_the_operators_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "spending.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_spending(settings(spending=file))
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [str(file)]
