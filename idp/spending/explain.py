"""Rules and one verdict in plain words, for operators. Not the sentences of people's pages: those never tell."""

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from idp.sentences import Sentence, sentence
from idp.spending.rules import JUDGES, Allowed, Denied, Facts, decide
from idp.spending.table import Mode, Rule, Spending


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one rule finds, and what its mode makes of it."""

    rule: Rule
    mode: Mode
    found: Sentence


def explain(facts: Facts, table: Spending) -> list[Ruling]:
    """Every rule with what it finds, up to the one that denies. Always the verdict of `decide`."""
    rulings: list[Ruling] = []
    verdict = decide(facts, table)
    for rule, judge in JUDGES.items():
        objection, mode = judge(facts, table), table.modes[rule]
        if objection is None:
            found = sentence("nothing against it")
        elif isinstance(verdict, Denied) and verdict.rule is rule:
            found = sentence("denies: %(why)s", why=objection.why)
        elif mode is Mode.SHADOW:
            found = sentence("would deny: %(why)s", why=objection.why)
        else:
            found = sentence("does not look (%(why)s)", why=objection.why)
        rulings.append(Ruling(rule, mode, found))
        if isinstance(verdict, Denied) and verdict.rule is rule:
            break
    return rulings


def in_words(verdict: Allowed | Denied) -> Sentence:
    """The verdict as one sentence for an operator."""
    match verdict:
        case Allowed(shadow=()):
            return sentence("it would be sent")
        case Allowed(shadow=shadow):
            rules = " and ".join(each.rule for each in shadow)
            return sentence("it would be sent, though %(rules)s would deny it if enforced", rules=rules)
        case Denied(objection=objection):
            return sentence(
                "it would not be sent, because %(why)s (%(rule)s)", why=objection.why, rule=objection.rule.value
            )
        case never:  # pragma: no cover - for the type checker
            assert_never(never)


def denies(table: Spending, rule: Rule) -> Sentence:
    """What a rule denies, with the numbers of its row, as the rest of a sentence."""
    near, ratio, money = table.neighbours, table.conversion, table.money
    match rule:
        case Rule.PARSE:
            return sentence("what is no phone number")
        case Rule.SUPPRESSION:
            return sentence("numbers a provider called wrong, or whose owner opted out")
        case Rule.COUNTRY:
            return sentence("countries that are not open")
        case Rule.LINE_TYPE:
            return sentence("lines that are not mobile")
        case Rule.NEIGHBOURS:
            return sentence(
                "a block for %(closed)s, after %(count)s never-verified numbers in %(per)s",
                closed=_span(near.closed),
                count=near.numbers,
                per=_span(near.per),
            )
        case Rule.CONVERSION:
            return sentence(
                "never-verified numbers where under %(few)s of %(sends)s or more are verified;"
                " under %(hardly)s, for %(closed)s",
                few=f"{ratio.known_only_below} %",
                sends=ratio.sends,
                hardly=f"{ratio.closed_below} %",
                closed=_span(ratio.closed),
            )
        case Rule.MONEY:
            most = f"{100 + money.reserve} %"
            return sentence("never-verified numbers over a budget, all numbers at %(most)s of it", most=most)
        case never:  # pragma: no cover - for the type checker
            assert_never(never)


def _span(value: timedelta) -> str:
    hours, minutes = divmod(int(value.total_seconds()) // 60, 60)
    return f"{hours} h" if not minutes else f"{hours * 60 + minutes} min"
