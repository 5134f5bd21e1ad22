"""One verdict in plain words, for `idp sms rules --explain`. Not the pages' sentences: those never tell."""

from dataclasses import dataclass
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
