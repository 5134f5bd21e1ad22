"""What commands print: one JSON object with --json, else lines for people. Never both, and nothing else on stdout."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

if TYPE_CHECKING:
    from idp.sms import Receipt, Sent

INTERRUPTED = 130
_LONGEST = 300

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def show(fields: Mapping[str, Any], lines: str | Iterable[str], *, as_json: bool) -> None:
    """Print the result of a command. `lines` are for people, `fields` for programs."""
    if as_json:
        print(json.dumps(fields, default=_plain, ensure_ascii=False))
    else:
        print(lines if isinstance(lines, str) else "\n".join(lines))
    sys.stdout.flush()


def why(answer: "Sent | Receipt") -> str:
    """The reason and the provider's own code, in brackets; nothing where there is neither."""
    words = answer.reason and answer.reason.replace("_", " ")
    code = answer.provider_code if answer.provider_code != answer.reason else None
    told = ", ".join(part for part in (words, code and f"their code {code}") if part)
    return f" ({told})" if told else ""


def complain(problems: Sequence[str], *, as_json: bool, heading: str | None = None) -> None:
    """Say on standard error why nothing was done, under the heading if there is one."""
    if as_json:
        print(json.dumps({"error": problems[0], "problems": list(problems)}, ensure_ascii=False), file=sys.stderr)
        return
    first, *rest = (sentence if sentence.endswith((".", "?", "!")) else f"{sentence}." for sentence in problems)
    if heading is not None or rest:
        above = heading or "Several things are wrong:"
        print("\n".join((above, *(f"  {each}" for each in (first, *rest)))), file=sys.stderr)
    else:
        print(first, file=sys.stderr)


_PLAIN = {
    r"Value error, ": "",
    r"Input should be a valid integer.*": "must be a whole number",
    r"Input should be less than or equal to (\S+)": r"must be at most \1",
    r"Input should be greater than or equal to (\S+)": r"must be at least \1",
}


def plainly(text: str) -> str:
    """What is wrong with a value of the command line, for who types and not for who programs."""
    for pattern, words in _PLAIN.items():
        text = re.sub(pattern, words, text)
    return text


def sure(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be taken back. Without a terminal --yes has to be given."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Say --yes to do it.", param_hint="'--yes'")
    try:
        if typer.confirm(question, err=True):
            return
    except typer.Abort:
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(1)


def ask_secret(what: str) -> str:
    """Ask twice in the terminal, without showing what is typed."""
    try:
        typed: str = typer.prompt(what, hide_input=True, confirmation_prompt=True, err=True)
    except typer.Abort:
        raise typer.Exit(INTERRUPTED) from None
    return typed


def from_stdin() -> str:
    """A secret on standard input, never on the command line, where everybody on the machine could read it."""
    return sys.stdin.read(5000).removesuffix("\n").removesuffix("\r")


def count(number: int, one: str, many: str) -> str:
    """So many of them, in words that fit."""
    return f"{number} {one if number == 1 else many}"


def plain(text: str) -> str:
    """What comes out of a file as a terminal may show it: whoever wrote it does not move the cursor."""
    shown = "".join(each if each.isprintable() else "?" for each in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as their longest entry; the empty string for no rows at all."""
    cells = [[str("" if value is None else value) for value in row] for row in rows]
    if not cells:
        return ""
    widths = [max(len(line[i]) for line in (*cells, list(headings))) for i in range(len(headings))]
    lines = (headings, *cells)
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def when(at: datetime | None) -> str:
    """A time for people, in UTC to the minute."""
    return "" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (UUID, Enum)):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
