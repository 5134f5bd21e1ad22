"""Rules and one verdict in plain words, for operators. Not the sentences of people's pages: those never tell."""

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from idp.spending.rules import JUDGES, Allowed, Denied, Facts, decide
from idp.spending.table import Mode, Rule, Spending


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one rule finds, and what its mode makes of it."""

    rule: Rule
    mode: Mode
    found: str


def explain(facts: Facts, table: Spending) -> list[Ruling]:
    """Every rule with what it finds, up to the one that denies. Always the verdict of `decide`."""
    rulings: list[Ruling] = []
    verdict = decide(facts, table)
    for rule, judge in JUDGES.items():
        objection, mode = judge(facts, table), table.modes[rule]
        if objection is None:
            found = "nothing against it"
        elif isinstance(verdict, Denied) and verdict.rule is rule:
            found = f"denies: {objection.why}"
        elif mode is Mode.SHADOW:
            found = f"would deny: {objection.why}"
        else:
            found = f"does not look ({objection.why})"
        rulings.append(Ruling(rule, mode, found))
        if isinstance(verdict, Denied) and verdict.rule is rule:
            break
    return rulings


def in_words(verdict: Allowed | Denied) -> str:
    """The verdict as one sentence for an operator."""
    match verdict:
        case Allowed(shadow=()):
            return "it would be sent"
        case Allowed(shadow=shadow):
            rules = " and ".join(each.rule for each in shadow)
            return f"it would be sent, though {rules} would deny it if enforced"
        case Denied(objection=objection):
            return f"it would not be sent, because {objection.why} ({objection.rule})"
        case never:  # pragma: no cover - for the type checker
            assert_never(never)


def denies(table: Spending, rule: Rule) -> str:
    """What a rule denies, with the numbers of its row, as the rest of a sentence."""
    near, ratio, money = table.neighbours, table.conversion, table.money
    match rule:
        case Rule.PARSE:
            return "what is no phone number"
        case Rule.SUPPRESSION:
            return "numbers a provider called wrong, or whose owner opted out"
        case Rule.COUNTRY:
            return "countries that are not open"
        case Rule.LINE_TYPE:
            return "lines that are not mobile"
        case Rule.NEIGHBOURS:
            return f"a block for {_span(near.closed)}, after {near.numbers} never-verified numbers in {_span(near.per)}"
        case Rule.CONVERSION:
            return (
                f"never-verified numbers where under {ratio.known_only_below} % of {ratio.sends} or more are verified;"
                f" under {ratio.closed_below} %, for {_span(ratio.closed)}"
            )
        case Rule.MONEY:
            return f"never-verified numbers over a budget, all numbers at {100 + money.reserve} % of it"
        case never:  # pragma: no cover - for the type checker
            assert_never(never)


def _span(value: timedelta) -> str:
    hours, minutes = divmod(int(value.total_seconds()) // 60, 60)
    return f"{hours} h" if not minutes else f"{hours * 60 + minutes} min"
