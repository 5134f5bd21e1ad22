"""`idp user groups`: which groups a person is in."""

from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import output
from idp.cli.people import Name, account_json

if TYPE_CHECKING:
    from idp.model import Account

EXAMPLES = (
    "\b\nExamples:\n"
    "  idp user groups ada                      shows them\n"
    "  idp user groups ada finance treasury     exactly these two from now on\n"
    "  idp user groups ada --none"
)


def groups(
    name: Name,
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="GROUP", help="Every group of theirs; none shows them.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Take them out of every group.")] = False,
    as_json: output.Json = False,
) -> None:
    """Put a person into exactly these groups of the policy, and say what follows. Without any: show theirs."""
    if wanted and none:
        raise typer.BadParameter("groups, or --none", param_hint="GROUP")
    from idp.flows.operate.editing import edit_person
    from idp.flows.operate.finding import find_user
    from idp.serving.place import run

    if not wanted and not none:
        person = run(lambda idp: find_user(idp, name))
        output.show(account_json(person.account), _in(person.account), as_json=as_json)
        return
    done = run(lambda idp: edit_person(idp, name, {"groups": wanted or []}))
    changed = done.after.groups != done.before.groups
    lines = [_in(done.after) if changed else f"{_in(done.after)[:-1]} already.", *done.consequences]
    output.show(
        account_json(done.after) | {"changed": changed, "consequences": done.consequences}, lines, as_json=as_json
    )


def _in(account: "Account") -> str:
    return f"{account.username} is in {' and '.join(sorted(account.groups)) or 'no group'}."
