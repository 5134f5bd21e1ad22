"""The rules themselves, in order: the first that denies wins. Pure: the facts come in, the verdict goes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from idp.sentences import Sentence, sentence
from idp.spending.table import Country, Mode, Period, Rule, Spending

NOTHING = Decimal(0)


class Closes(StrEnum):
    """What a finding closes for a while, beyond this one message."""

    BLOCK = "block"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one message before it is sent. Counts are those of the other messages."""

    readable: bool = True
    region: str | None = None  # None: it belongs to no country
    textable: bool = True
    suppressed: bool = False
    known: bool = False  # this person verified this number before
    asks: bool = True  # it carries a code, which somebody may verify; a notice does not
    neighbours: int = 0  # other never-verified numbers of its block that were texted lately
    block_closed: bool = False
    sends: int = 0  # codes sent to never-verified numbers of its region lately
    verified: int = 0  # and those of them whose number was verified since
    region_closed: bool = False
    spent: Mapping[Period, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a rule would not send it. `always`: whatever the rule's mode is."""

    rule: Rule
    why: Sentence
    closes: Closes | None = None
    period: Period | None = None
    always: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may be sent. `shadow`: what rules in shadow mode would have objected to."""

    shadow: tuple[Objection, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """It is not sent. `shadow`: what rules in shadow mode objected to before the one that denied."""

    objection: Objection
    shadow: tuple[Objection, ...] = ()

    @property
    def rule(self) -> Rule:
        """The rule that denied."""
        return self.objection.rule


Judge = Callable[[Facts, Spending], Objection | None]


def _parse(facts: Facts, _: Spending) -> Objection | None:
    return None if facts.readable else Objection(Rule.PARSE, sentence("this is no phone number"))


def _suppression(facts: Facts, _: Spending) -> Objection | None:
    return Objection(Rule.SUPPRESSION, sentence("the number is suppressed")) if facts.suppressed else None


def _country(facts: Facts, table: Spending) -> Objection | None:
    if facts.region is None:
        return Objection(Rule.COUNTRY, sentence("the number belongs to no country"), always=facts.readable)
    match table.country(facts.region):
        case Country.DENY:
            return Objection(Rule.COUNTRY, sentence("%(region)s is closed", region=facts.region))
        case Country.KNOWN_ONLY if not facts.known:
            return Objection(
                Rule.COUNTRY, sentence("%(region)s is open to numbers verified before only", region=facts.region)
            )
        case _:
            return None


def _line_type(facts: Facts, _: Spending) -> Objection | None:
    return None if facts.textable else Objection(Rule.LINE_TYPE, sentence("the line is not mobile"))


def _neighbours(facts: Facts, table: Spending) -> Objection | None:
    if facts.known or not facts.asks:
        return None
    if facts.block_closed:
        return Objection(Rule.NEIGHBOURS, sentence("its block of numbers is closed"))
    if facts.neighbours + 1 >= table.neighbours.numbers:
        return Objection(Rule.NEIGHBOURS, sentence("too many never-verified numbers of its block"), closes=Closes.BLOCK)
    return None


def _conversion(facts: Facts, table: Spending) -> Objection | None:
    if facts.known or not facts.asks:
        return None
    if facts.region_closed:
        why = sentence("%(region)s is closed to never-verified numbers for now", region=facts.region or "?")
        return Objection(Rule.CONVERSION, why)
    limits = table.conversion
    if facts.sends < limits.sends:
        return None
    percent = Decimal(100 * facts.verified) / facts.sends
    if percent < limits.closed_below:
        return Objection(
            Rule.CONVERSION,
            sentence("hardly any code sent to %(region)s is verified", region=facts.region or "?"),
            closes=Closes.REGION,
        )
    if percent < limits.known_only_below:
        return Objection(
            Rule.CONVERSION, sentence("too few codes sent to %(region)s are verified", region=facts.region or "?")
        )
    return None


_BUDGET = {
    Period.HOUR: sentence("the budget is used up for this hour"),
    Period.DAY: sentence("the budget is used up for this day"),
    Period.MONTH: sentence("the budget is used up for this month"),
}
_RESERVE = {
    Period.HOUR: sentence("the reserve of the budget is used up for this hour"),
    Period.DAY: sentence("the reserve of the budget is used up for this day"),
    Period.MONTH: sentence("the reserve of the budget is used up for this month"),
}


def _money(facts: Facts, table: Spending) -> Objection | None:
    price = table.price(facts.region)
    for period in Period:
        if facts.spent.get(period, NOTHING) + price > table.money.cap(period, known=facts.known):
            return Objection(Rule.MONEY, (_RESERVE if facts.known else _BUDGET)[period], period=period)
    return None


JUDGES: Mapping[Rule, Judge] = {
    Rule.PARSE: _parse,
    Rule.SUPPRESSION: _suppression,
    Rule.COUNTRY: _country,
    Rule.LINE_TYPE: _line_type,
    Rule.NEIGHBOURS: _neighbours,
    Rule.CONVERSION: _conversion,
    Rule.MONEY: _money,
}


def decide(facts: Facts, table: Spending) -> Allowed | Denied:
    """Whether this message may be sent: the first rule that is enforced and objects denies."""
    shadow: list[Objection] = []
    for rule, judge in JUDGES.items():
        objection = judge(facts, table)
        if objection is None:
            continue
        # What belongs to no country (satellites) is denied in every mode: sms.md 4.3
        if table.modes[rule] is Mode.ENFORCE or objection.always:
            return Denied(objection, tuple(shadow))
        if table.modes[rule] is Mode.SHADOW:
            shadow.append(objection)
    return Allowed(tuple(shadow))
