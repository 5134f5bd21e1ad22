"""`idp policy audit`: the weakest way to each scope, from whatever somebody begins with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import output, policies

if TYPE_CHECKING:
    from idp.policy import Policy

EXAMPLES = (
    "\b\nExamples:\n"
    "  idp policy audit                                       of the policy in use\n"
    "  idp policy audit --file new-policy.toml --changes\n"
    "  idp policy audit --json > weakest.json                 keep it\n"
    "  idp policy audit --against weakest.json                in CI: status 1 if anything got weaker"
)


def audit(
    *,
    file: policies.File = None,
    changes: Annotated[
        bool, typer.Option("--changes", help="The weakest way to each change of how a person signs in, too.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What --json printed before: fail if anything is weaker now.")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Print the weakest sequence of proofs and waits that opens each scope, for whoever begins with this or that.

    Searched in the very tables that the provider obeys, over the kinds of accounts that there are; it takes some
    seconds. Everybody attacked is told of each change, and does nothing.
    """
    from idp.policy.comparing import Unreadable, kept, weaker
    from idp.policy.weakest import audit as search

    policy, where = policies.load(file)
    before = None if against is None else _kept(against)
    now = kept(policy, search(policy))
    try:
        worse = None if before is None else weaker(before, now)
    except Unreadable:
        raise _not_ours(against) from None
    fields = {"policy": where, **now, **({} if worse is None else {"weaker": worse})}
    output.show(fields, _lines(policy, now, worse, changes=changes), as_json=as_json)
    if worse:
        raise typer.Exit(1)


def _kept(path: Path) -> dict[str, Any]:
    text = policies.read(path, "'--against'")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _not_ours(path) from None
    if not isinstance(found, dict):
        raise _not_ours(path)
    return found


def _not_ours(path: Path | None) -> typer.BadParameter:
    return typer.BadParameter(
        f"{path} is not what `idp policy audit --json` prints: make it anew with that", param_hint="'--against'"
    )


def _lines(policy: "Policy", now: dict[str, Any], worse: list[str] | None, *, changes: bool) -> Iterator[str]:
    from idp.policy.weakest import alike

    if worse is not None:
        yield from (["Weaker than before:", *(f"  {each}" for each in worse)] if worse else ["Nothing is weaker."])
        return
    for names in alike(policy):
        yield from ("", " ".join(names))
        for start in now["starts"]:
            yield from _weakest(now, start, "scopes", names[0])
    if changes:
        for end in sorted({end for way in now["ways"] for end in way["changes"]}):
            yield from ("", end)
            for start in now["starts"]:
                yield from _weakest(now, start, "changes", end)


def _weakest(now: dict[str, Any], start: str, kind: str, end: str) -> Iterator[str]:
    ways = [way for way in now["ways"] if way["start"] == start and end in way[kind]]
    if not ways:
        yield f"  {start}: no way"
        return
    best = min(ways, key=lambda way: (way["waits_seconds"], len(way["steps"])))
    yield f"  {start}: {', '.join(best['steps']) or 'nothing more'}"
    yield f"      (an account with {best['account']})"
