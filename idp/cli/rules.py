"""`idp sms rules`: where text messages may go, what they may cost, and what was denied."""

import os
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.flows.idp import Idp
    from idp.flows.operate.spending import Counters, Explained
    from idp.spending import Rule, Ruling, Spending

EPILOG = (
    "\b\nExamples:\n"
    "  idp sms rules                             the rules, and what they counted in 24 hours\n"
    "  idp sms rules --explain +37251234567      what would happen to this number now, and why"
)


def rules(
    *,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="PHONE", help="What would happen to this number now, and why.")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Show the spending rules with their counters; or explain what they make of one number.

    Rules in shadow mode deny nothing: they count what they would have denied. Nothing is sent or counted here.
    """
    from idp.flows.operate.spending import explain_number, spending_counters
    from idp.serving.installed import check_installed
    from idp.serving.place import run
    from idp.settings import read_settings
    from idp.sms.phone import spelled

    if explain is not None and re.fullmatch(r"[+(]?[0-9][0-9 ()./-]*", spelled(explain)) is None:
        raise typer.BadParameter(
            "It must be a phone number with its country code, as in +37251234567.", param_hint="'--explain'"
        )
    check_installed(read_settings(os.environ))
    if explain is not None:
        typed = spelled(explain)
        found = run(lambda idp: explain_number(idp, typed))
        output.show(_explained_json(found), _explained_lines(found), as_json=as_json)
        return

    async def look(idp: "Idp") -> "tuple[Spending, Counters]":
        return idp.spending, await spending_counters(idp)

    table, counters = run(look)
    output.show(_json(table, counters), _lines(table, counters), as_json=as_json)


def _explained_json(found: "Explained") -> dict[str, Any]:
    def listed(rulings: "Sequence[Ruling]") -> list[dict[str, str]]:
        return [{"rule": each.rule, "mode": each.mode, "found": each.found} for each in rulings]

    return {
        "phone": found.phone,
        "region": found.region,
        "never_verified": {"answer": found.answer, "rules": listed(found.unverified)},
        "verified_before": {"answer": found.answer_verified, "rules": listed(found.verified)},
    }


def _explained_lines(found: "Explained") -> list[str]:
    rows = [(each.rule, each.mode, each.found) for each in found.unverified]
    return [
        f"A code to {found.phone} ({found.region or 'no country'}), which this person never verified:",
        output.table(("RULE", "MODE", "FINDS"), rows),
        f"=> {found.answer}",
        f"If this person verified it before, {found.answer_verified}.",
    ]


def _json(table: "Spending", counters: "Counters") -> dict[str, Any]:
    return {
        "countries": {region: country.value for region, country in table.countries.items()},
        "unnamed": table.unnamed.value,
        "rules": [
            {
                "rule": rule.value,
                "mode": mode.value,
                "denied": _count(counters, rule, "enforce"),
                "would_deny": _count(counters, rule, "shadow"),
            }
            for rule, mode in table.modes.items()
        ],
        "neighbours": {
            "numbers": table.neighbours.numbers,
            "per_seconds": table.neighbours.per.total_seconds(),
            "closed_seconds": table.neighbours.closed.total_seconds(),
            "closed_blocks": counters.closed_blocks,
        },
        "conversion": {
            "sends": table.conversion.sends,
            "known_only_below": table.conversion.known_only_below,
            "closed_below": table.conversion.closed_below,
            "closed_seconds": table.conversion.closed.total_seconds(),
            "regions": [
                {
                    "region": each.region,
                    "sends": each.sends,
                    "verified": each.verified,
                    "closed_until": each.closed_until,
                }
                for each in counters.traffic
            ],
        },
        "money": {
            "currency": table.money.currency,
            "alarm": table.money.alarm,
            "reserve": table.money.reserve,
            **{
                period.value: {"spent": str(counters.spent[period]), "budget": str(budget)}
                for period, budget in table.money.budgets.items()
            },
        },
        "denied": [
            {"rule": each.rule, "mode": each.mode, "region": each.region or None, "count": each.count}
            for each in counters.denied
        ],
    }


def _count(counters: "Counters", rule: "Rule", mode: str) -> int:
    return sum(each.count for each in counters.denied if each.rule == rule and each.mode == mode)


def _lines(table: "Spending", counters: "Counters") -> list[str]:
    from idp.spending import denies

    named = ", ".join(f"{region} {country.value}" for region, country in table.countries.items())
    others = "the others are closed" if named else "no country is open"
    if table.unnamed.value == "allow":
        others = "every country is open, because nothing leaves this machine"
    rows = [
        (
            rule.value,
            mode.value,
            denies(table, rule),
            _count(counters, rule, "enforce"),
            _count(counters, rule, "shadow"),
        )
        for rule, mode in table.modes.items()
    ]
    lines = [
        f"Countries: {named + '; ' if named else ''}{others}.",
        "",
        output.table(("RULE", "MODE", "DENIES", "DENIED, 24 H", "WOULD HAVE"), rows),
        "",
    ]
    money = table.money
    lines += [
        f"Spent this {period.value}: {counters.spent[period]:.2f} of {budget:.2f} {money.currency}."
        for period, budget in money.budgets.items()
    ]
    if counters.closed_blocks:
        lines.append(f"Blocks of numbers closed now: {counters.closed_blocks}.")
    for each in counters.traffic:
        closed = f"; closed until {output.when(each.closed_until)}" if each.closed_until else ""
        lines.append(
            f"{each.region}: {each.verified} of {each.sends} codes to never-verified numbers were verified{closed}."
        )
    if shadow := [each for each in counters.denied if each.mode == "shadow"]:
        lines += ["", "Rules in shadow mode would have denied, in the last 24 hours:"]
        lines.append(output.table(("RULE", "COUNTRY", "COUNT"), [(e.rule, e.region or "-", e.count) for e in shadow]))
    return lines
