"""What the spending rules say, in sentences, and over every combination of a bounded world."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import product
from types import MappingProxyType

import pytest

from idp.spending import (
    Allowed,
    Closes,
    Country,
    Denied,
    Facts,
    Mode,
    Period,
    Rule,
    Spending,
    decide,
    default_spending,
    explain,
    in_words,
)

OPEN = replace(
    default_spending(),
    countries=MappingProxyType({"EE": Country.ALLOW, "US": Country.KNOWN_ONLY, "LV": Country.DENY}),
)
FINE = Facts(region="EE")


def with_modes(table: Spending, **modes: str) -> Spending:
    return replace(table, modes={**table.modes, **{Rule(rule): Mode(mode) for rule, mode in modes.items()}})


def spent(**amounts: str) -> dict[Period, Decimal]:
    return {Period(period): Decimal(amount) for period, amount in amounts.items()}


def rule_of(facts: Facts, table: Spending = OPEN) -> Rule | None:
    match decide(facts, table):
        case Denied() as denied:
            return denied.rule
        case Allowed():
            return None


def test_a_mobile_number_of_an_open_country_is_texted() -> None:
    assert decide(FINE, OPEN) == Allowed()


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        pytest.param(Facts(readable=False), Rule.PARSE, id="what is no number"),
        pytest.param(Facts(region="EE", suppressed=True, known=True), Rule.SUPPRESSION, id="a suppressed number"),
        pytest.param(Facts(region="FI"), Rule.COUNTRY, id="a country that nobody named"),
        pytest.param(Facts(region="FI", known=True), Rule.COUNTRY, id="and a known number there"),
        pytest.param(Facts(region="LV", known=True), Rule.COUNTRY, id="a country that is closed"),
        pytest.param(Facts(region=None), Rule.COUNTRY, id="a satellite"),
        pytest.param(Facts(region="US"), Rule.COUNTRY, id="a stranger where only known numbers are texted"),
        pytest.param(Facts(region="US", known=True), None, id="a known number there"),
        pytest.param(Facts(region="EE", textable=False, known=True), Rule.LINE_TYPE, id="a fixed line"),
    ],
)
def test_where_text_messages_may_go(facts: Facts, rule: Rule | None) -> None:
    assert rule_of(facts) is rule


def test_nothing_is_open_until_somebody_opens_it() -> None:
    assert not default_spending().anything_open
    for region in ("EE", "US", "GB", "DE", "CU", None):
        assert rule_of(Facts(region=region, known=True), default_spending()) is Rule.COUNTRY


def test_a_satellite_is_denied_in_every_mode() -> None:
    for mode in Mode:
        assert rule_of(Facts(region=None, known=True), with_modes(OPEN, country=mode)) is Rule.COUNTRY


def test_the_fourth_neighbour_closes_the_block_and_is_not_texted() -> None:
    assert rule_of(replace(FINE, neighbours=2)) is None
    verdict = decide(replace(FINE, neighbours=3), OPEN)
    assert isinstance(verdict, Denied)
    assert (verdict.rule, verdict.objection.closes) == (Rule.NEIGHBOURS, Closes.BLOCK)
    assert rule_of(replace(FINE, neighbours=0, block_closed=True)) is Rule.NEIGHBOURS


@pytest.mark.parametrize(
    ("sends", "verified", "rule", "closes"),
    [
        (19, 0, None, None),
        (20, 7, None, None),  # 35 %
        (20, 6, Rule.CONVERSION, None),
        (20, 3, Rule.CONVERSION, None),  # 15 %
        (20, 2, Rule.CONVERSION, Closes.REGION),
        (1000, 149, Rule.CONVERSION, Closes.REGION),
        (1000, 349, Rule.CONVERSION, None),
        (1000, 350, None, None),
    ],
)
def test_a_country_where_few_codes_are_verified_is_for_known_numbers_then_closed(
    sends: int, verified: int, rule: Rule | None, closes: Closes | None
) -> None:
    facts = replace(FINE, sends=sends, verified=verified)
    verdict = decide(facts, OPEN)
    assert (verdict.rule if isinstance(verdict, Denied) else None) is rule
    assert (verdict.objection.closes if isinstance(verdict, Denied) else None) is closes
    assert rule_of(replace(facts, known=True)) is None


@pytest.mark.parametrize(
    ("amounts", "strangers", "known"),
    [
        pytest.param(spent(hour="49.90"), True, True, id="the last of the budget"),
        pytest.param(spent(hour="49.91"), False, True, id="over by a cent"),
        pytest.param(spent(hour="59.90", day="59.90"), False, True, id="the last of the reserve"),
        pytest.param(spent(hour="59.91", day="59.91"), False, False, id="the hard stop"),
        pytest.param(spent(day="300"), False, True, id="the day is used up"),
        pytest.param(spent(day="360"), False, False, id="and its reserve"),
        pytest.param(spent(month="3600"), False, False, id="the month and its reserve"),
    ],
)
def test_money(amounts: dict[Period, Decimal], *, strangers: bool, known: bool) -> None:
    facts = replace(FINE, spent=amounts)
    assert rule_of(facts) is (None if strangers else Rule.MONEY)
    assert rule_of(replace(facts, known=True)) is (None if known else Rule.MONEY)


def test_a_notice_is_not_judged_by_what_is_verified_but_by_what_it_costs() -> None:
    notice = replace(FINE, asks=False, neighbours=9, block_closed=True, region_closed=True, sends=99)
    assert rule_of(notice) is None
    assert rule_of(replace(notice, spent=spent(hour="50"))) is Rule.MONEY


def test_a_shadow_rule_denies_nothing_and_is_told() -> None:
    table = with_modes(OPEN, neighbours="shadow", money="shadow")
    verdict = decide(replace(FINE, block_closed=True, spent=spent(hour="50")), table)
    assert isinstance(verdict, Allowed)
    assert [each.rule for each in verdict.shadow] == [Rule.NEIGHBOURS, Rule.MONEY]
    assert "neighbours and money would deny" in in_words(verdict)


def test_the_verdict_is_explained_rule_by_rule() -> None:
    table = with_modes(OPEN, line_type="shadow", suppression="off")
    lines = explain(replace(FINE, suppressed=True, textable=False, block_closed=True), table)
    assert [line.rule for line in lines] == list(Rule)[:5]
    assert [line.found.partition(" ")[0] for line in lines] == ["nothing", "does", "nothing", "would", "denies:"]
    assert in_words(decide(Facts(region="FI"), OPEN)) == "it would not be sent, because FI is closed (country)"
    assert in_words(decide(FINE, OPEN)) == "it would be sent"


def world() -> Iterator[Facts]:
    """Every kind of message there is, as far as any rule can tell."""
    money = (spent(), spent(hour="50"), spent(day="359.91"))
    yield Facts(readable=False, textable=False)
    for region, textable, suppressed, known, asks in product(
        ("EE", "US", "FI", None), (True, False), (True, False), (True, False), (True, False)
    ):
        for block, traffic, used in product(
            ((0, False), (3, False), (0, True)), ((19, 0, False), (20, 6, False), (20, 1, False), (0, 0, True)), money
        ):
            yield Facts(
                region=region,
                textable=textable,
                suppressed=suppressed,
                known=known,
                asks=asks,
                neighbours=block[0],
                block_closed=block[1],
                sends=traffic[0],
                verified=traffic[1],
                region_closed=traffic[2],
                spent=used,
            )


def tables() -> Iterator[Spending]:
    """All in one mode, and each rule in each mode among others that enforce or do not look."""
    for mode in Mode:
        yield with_modes(OPEN, **dict.fromkeys(Rule, mode))
    for rule, mode, rest in product(Rule, Mode, (Mode.ENFORCE, Mode.OFF)):
        yield with_modes(OPEN, **{**dict.fromkeys(Rule, rest), rule: mode})


def test_every_message_is_judged_as_promised() -> None:
    messages = list(world())
    alone = {rule: with_modes(OPEN, **{**dict.fromkeys(Rule, Mode.OFF), rule: Mode.ENFORCE}) for rule in Rule}
    # What each rule says by itself is what the sentences above pin; here is how they go together.
    objects = [{rule for rule in Rule if rule_of(facts, alone[rule]) is rule} for facts in messages]
    judged = 0
    for table in tables():
        for facts, against in zip(messages, objects, strict=True):
            judged += 1
            verdict = decide(facts, table)
            denying = [
                rule
                for rule in Rule
                if rule in against
                and (table.modes[rule] is Mode.ENFORCE or (rule is Rule.COUNTRY and facts.region is None))
                and (facts.readable or rule is not Rule.COUNTRY or table.modes[rule] is Mode.ENFORCE)
            ]
            if denying:
                assert isinstance(verdict, Denied), facts
                assert verdict.rule is denying[0]
            else:
                assert isinstance(verdict, Allowed), facts
            before = list(Rule)[: list(Rule).index(denying[0])] if denying else list(Rule)
            shadow = [rule for rule in before if rule in against and table.modes[rule] is Mode.SHADOW]
            assert [each.rule for each in verdict.shadow] == shadow
            assert explain(facts, table)[-1].found.startswith("denies") == isinstance(verdict, Denied)
    assert judged > 40_000


def test_a_number_verified_before_skips_what_is_for_strangers() -> None:
    for facts in world():
        if facts.known:
            assert rule_of(facts) not in {Rule.NEIGHBOURS, Rule.CONVERSION}
            assert rule_of(facts) is not Rule.MONEY or facts.spent == spent(day="359.91")


def test_nothing_is_sent_over_the_hard_stop_or_to_a_closed_country() -> None:
    for facts in world():
        if facts.spent == spent(day="359.91") or facts.region in {"FI", None} or not facts.textable or facts.suppressed:
            assert isinstance(decide(facts, OPEN), Denied)
