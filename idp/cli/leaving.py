"""`idp user remove`, `sessions` and `devices`: the end of a person, of being signed in, of being known."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from idp.cli import output
from idp.cli.people import Name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.flows.idp import Idp

REMOVE_EXAMPLES = "\b\nExamples:\n  idp user remove ada --dry-run      says what would end\n  idp user remove ada --yes"
SESSIONS_EXAMPLES = (
    "\b\nExamples:\n"
    "  idp user sessions ada                 where she is signed in\n"
    "  idp user sessions ada --end 1f0c9a52\n"
    "  idp user sessions ada --all           signed out everywhere, tokens of applications too"
)
DEVICES_EXAMPLES = (
    "\b\nExamples:\n  idp user devices ada\n  idp user devices ada --forget 1f0c9a52\n  idp user devices ada --all"
)
_AGENT = 70  # characters of what a browser says of itself; --json shows all that is kept


def remove(
    name: Name,
    yes: output.Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would end, and remove nothing.")] = False,
    as_json: output.Json = False,
) -> None:
    """Delete a person with all that is theirs, for ever. The audit trail stays.

    Somebody who only is to stay out is kept out by `idp user disable`, which can be taken back.
    """
    from idp.flows.operate.editing import version_of
    from idp.flows.operate.leaving import remove_person
    from idp.serving.place import run

    if dry_run or not yes:
        ends = run(lambda idp: remove_person(idp, name, dry_run=True))
        if dry_run:
            fields = {"username": ends.account.username, "removed": False, "consequences": ends.consequences}
            output.show(fields, [f"Would remove {ends.account.username}.", *ends.consequences], as_json=as_json)
            return
        asked = "\n".join((*ends.consequences, f"Remove {ends.account.username} for ever?"))
        output.sure(asked, yes=yes)
        seen = version_of(ends.account)
        done = run(lambda idp: remove_person(idp, ends.account.id, expected=seen))
    else:
        done = run(lambda idp: remove_person(idp, name))
    fields = {"username": done.account.username, "removed": True, "consequences": done.consequences}
    output.show(fields, [f"Removed {done.account.username}.", *(done.consequences if yes else ())], as_json=as_json)


def sessions(
    name: Name,
    end: Annotated[
        str | None, typer.Option(metavar="ID", help="Sign them out of this one, by its first digits.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Sign them out everywhere; all tokens end, too.")] = False,
    as_json: output.Json = False,
) -> None:
    """The browsers that a person is signed in to, newest first; or sign them out."""
    if end is not None and every:
        raise typer.BadParameter("an id, or --all", param_hint="'--end'")
    from idp.flows.operate.leaving import end_sessions
    from idp.flows.operate.looking import list_sessions
    from idp.serving.place import run

    async def ended(idp: "Idp") -> int:
        which = None
        if end is not None:
            which = UUID(_one(end, [one.session_id.hex for one in await list_sessions(idp, name)], "session", name))
        return await end_sessions(idp, name, which)

    if end is not None or every:
        count = run(ended)
        done = f"Signed {name} out of {_counted(count, 'browser')}." if count else f"{name} was signed in nowhere."
        output.show({"username": name, "ended": count}, done, as_json=as_json)
        return
    found = run(lambda idp: list_sessions(idp, name))
    fields = [{"id": one.session_id, "seen_at": one.seen_at, "browser": one.user_agent} for one in found]
    rows = [(one.session_id.hex[:8], output.when(one.seen_at), one.user_agent[:_AGENT]) for one in found]
    lines = output.table(("SESSION", "LAST SEEN", "BROWSER"), rows) or f"{name} is signed in nowhere."
    output.show({"username": name, "sessions": fields}, lines, as_json=as_json)


def devices(
    name: Name,
    forget: Annotated[str | None, typer.Option(metavar="ID", help="Forget this one, by its first digits.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Forget every one.")] = False,
    as_json: output.Json = False,
) -> None:
    """The browsers that are known as a person's, newest first; or forget one, which signs it out.

    From a known browser somebody else's wrong passwords keep nobody out; a new one is told of by e-mail.
    """
    if forget is not None and every:
        raise typer.BadParameter("an id, or --all", param_hint="'--forget'")
    from idp.flows.operate.leaving import forget_devices
    from idp.flows.operate.looking import list_devices
    from idp.serving.place import run

    async def forgotten(idp: "Idp") -> int:
        which = None
        if forget is not None:
            keys = [one.key.hex() for one in await list_devices(idp, name)]
            which = bytes.fromhex(_one(forget, keys, "browser", name))
        return await forget_devices(idp, name, which)

    if forget is not None or every:
        count = run(forgotten)
        output.show(
            {"username": name, "forgotten": count}, f"Forgot {_counted(count, 'browser')} of {name}.", as_json=as_json
        )
        return
    found = run(lambda idp: list_devices(idp, name))
    fields = [
        {
            "id": one.key.hex(),
            "label": one.label,
            "browser": one.user_agent,
            "address": one.address,
            "created_at": one.created_at,
            "seen_at": one.seen_at,
        }
        for one in found
    ]
    rows = [
        (one.key.hex()[:8], output.when(one.seen_at), one.address, one.label or one.user_agent[:_AGENT])
        for one in found
    ]
    lines = output.table(("DEVICE", "LAST SIGN-IN", "FROM", "BROWSER"), rows) or f"No browser is known as {name}'s."
    output.show({"username": name, "devices": fields}, lines, as_json=as_json)


def _one(wanted: str, ids: "Sequence[str]", what: str, name: str) -> str:
    """The one whose id begins like this. Raises `NotThere`."""
    from idp.errors import NotThere

    found = [each for each in ids if wanted and each.startswith(wanted.lower().replace("-", ""))]
    if len(found) != 1:
        which = "more than one" if found else "no"
        raise NotThere(f"{name} has {which} {what} whose id begins with {wanted!r}.")
    return found[0]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
