"""`idp policy show` and `idp policy try`: the policy as it is written, and what another one would change here."""

import os
from pathlib import Path
from typing import Annotated

import typer

from idp.cli import output, policies

SHOW_EXAMPLES = "\b\nExamples:\n  idp policy show\n  idp policy show > policy.toml     to begin one of your own"
TRY_EXAMPLES = (
    "\b\nExamples:\n"
    "  idp policy try new-policy.toml             what people and clients would notice\n"
    "  idp policy try new-policy.toml --json"
)


def show(as_json: output.Json = False) -> None:
    """Print the policy that IDP_POLICY names, or the one that comes with Stile, with its comments."""
    from idp.errors import SettingsError
    from idp.flows.operate.policies import read_text
    from idp.flows.rules import policy_here
    from idp.settings import read_settings

    settings = read_settings(os.environ)
    text, problems = read_text(settings), []
    try:
        policy_here(text, settings)
    except SettingsError as error:
        problems = error.problems
    where = None if settings.policy is None else str(settings.policy)
    output.show({"policy": where, "text": text, "problems": problems}, text.rstrip("\n"), as_json=as_json)


def try_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Another policy.", show_default=False)],
    as_json: output.Json = False,
) -> None:
    """Say what another policy would change here: its rows, what people are asked, what clients and groups lose.

    It is compared with the one in use; nothing is changed. Status 2 if it has mistakes.
    """
    from idp.errors import SettingsError
    from idp.flows.operate.policies import try_policy
    from idp.serving.place import run

    text = policies.read(file, "'FILE'")
    tried = run(lambda idp: try_policy(idp, text))
    if tried.problems:
        raise SettingsError([f"{file}: {problem}" for problem in tried.problems])
    rows = [{"row": row, "before": before, "after": after} for row, before, after in tried.rows]
    lines = [f"  {row}: {before} -> {after}" for row, before, after in tried.rows]
    said: list[str] | str = (
        [f"{file} would change:", *lines, *tried.consequences] if rows else f"{file} says what the policy says."
    )
    output.show({"rows": rows, "consequences": tried.consequences}, said, as_json=as_json)
