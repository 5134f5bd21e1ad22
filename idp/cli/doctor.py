"""`idp doctor`: is everything all right, and if not, what to do."""

import os

import typer

from idp.cli import output

EXAMPLES = "\b\nExamples:\n  idp doctor\n  idp doctor --json      ends with status 1 if anything fails"


def doctor(as_json: output.Json = False) -> None:
    """Check settings, database, clock, keys, gateways and the issuer.

    Prints one line for each: ok, warn or FAIL, and what to do. Ends with status 1 if anything fails. Changes nothing.
    """
    from idp import logs
    from idp.cli.checkup import check_all
    from idp.flows.checks.findings import FAIL, OK

    logs.configure(level="error", form="text")
    findings = check_all(os.environ)
    worst = FAIL if any(one.state == FAIL for one in findings) else OK
    fields = {
        "healthy": worst != FAIL,
        "checks": [
            {"check": one.what, "state": one.state, "found": one.found, "advice": one.advice} for one in findings
        ],
    }
    lines = []
    for one in findings:
        lines.append(f"{one.state:<4}  {one.what:<11}  {one.found}")
        if one.advice:
            lines.append(f"{'':<19}-> {one.advice}")
    output.show(fields, lines, as_json=as_json)
    if worst == FAIL:
        raise typer.Exit(1)
