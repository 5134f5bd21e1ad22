"""`idp user set` and `idp user rename`: what is known of a person."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import output
from idp.cli.people import Name, account_json

if TYPE_CHECKING:
    from idp.flows.operate.editing import ChangedPerson

SET_EXAMPLES = (
    "\b\nExamples:\n"
    "  idp user set ada name='Ada Lovelace' locale=et\n"
    "  idp user set ada email=ada@example.com email_verified=yes\n"
    "  idp user set ada groups=treasury,finance given_name=Ada\n"
    "  idp user set ada nickname= --dry-run      would remove it"
)
RENAME_EXAMPLES = "\b\nExamples:\n  idp user rename ada ada.lovelace"
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would follow, and change nothing.")]
_FIELDS = ("username", "name", "email", "email_verified", "locale", "groups")
_FLAGS = {"yes": True, "true": True, "no": False, "false": False}


def set_(
    name: Name,
    pairs: Annotated[
        list[str],
        typer.Argument(
            metavar="FIELD=VALUE",
            help="username, name, email, email_verified, locale, groups, or a standard claim; empty removes it.",
        ),
    ],
    dry_run: DryRun = False,
    as_json: output.Json = False,
) -> None:
    """Change what is known of a person, and say what follows. The words are those of the API.

    An address without email_verified=yes is not known to be theirs: nothing that opens anything goes there.
    """
    _change(name, _changes(pairs), dry_run=dry_run, as_json=as_json)


def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The username from now on.", show_default=False)],
    dry_run: DryRun = False,
    as_json: output.Json = False,
) -> None:
    """Give a person another username. Applications go on knowing them, and nobody is signed out."""
    _change(name, {"username": new}, dry_run=dry_run, as_json=as_json)


def _changes(pairs: Sequence[str]) -> dict[str, Any]:
    from idp.flows.operate.claims import SETTABLE

    changes: dict[str, Any] = {}
    claims: dict[str, str] = {}
    for pair in pairs:
        field, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(
                f"{pair!r} has no value: write it as name='Ada Lovelace'", param_hint="FIELD=VALUE"
            )
        if field in changes or field in claims:
            raise typer.BadParameter(f"{field} is given twice", param_hint="FIELD=VALUE")
        if field == "groups":
            changes[field] = value.replace(",", " ").split()
        elif field == "email_verified":
            if value not in _FLAGS:
                raise typer.BadParameter("email_verified is yes or no", param_hint="FIELD=VALUE")
            changes[field] = _FLAGS[value]
        elif field in _FIELDS:
            changes[field] = value
        elif field in SETTABLE:
            claims[field] = value
        else:
            known = ", ".join((*_FIELDS, *SETTABLE))
            raise typer.BadParameter(f"there is no {field!r}: there are {known}", param_hint="FIELD=VALUE")
    return {**changes, **({"claims": claims} if claims else {})}


def _change(name: str, changes: dict[str, Any], *, dry_run: bool, as_json: bool) -> None:
    from idp.flows.operate.editing import edit_person
    from idp.serving.place import run

    done = run(lambda idp: edit_person(idp, name, changes, dry_run=dry_run))
    told = {"changed": list(done.changed), "consequences": done.consequences, "dry_run": dry_run}
    known = {"locale": done.after.locale, "claims": dict(done.after.claims)}
    output.show({**account_json(done.after), **known, **told}, _lines(done, dry_run=dry_run), as_json=as_json)


def _lines(done: "ChangedPerson", *, dry_run: bool) -> list[str]:
    if not done.changed:
        return [f"Nothing to change: {done.before.username} is like that already."]
    what = ", ".join(done.changed)
    return [f"{'Would change' if dry_run else 'Changed'} {what} of {done.before.username}.", *done.consequences]
