"""`idp user reset`: help for whoever forgot the password."""

from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import output
from idp.cli.people import Name

if TYPE_CHECKING:
    from idp.flows.idp import Idp
    from idp.flows.operate.resets import Given

EXAMPLES = (
    "\b\nExamples:\n"
    "  idp user reset ada             prints a link, once\n"
    "  idp user reset ada --mail      mails it to their verified address\n"
    "  pwgen -s 20 1 | idp user reset ada --temporary-password-stdin"
)


def reset(
    name: Name,
    *,
    mail: Annotated[bool, typer.Option("--mail", help="Mail the link to their verified address.")] = False,
    temporary: Annotated[
        bool,
        typer.Option(
            "--temporary-password-stdin",
            help="Set this password instead; they choose another when they sign in with it. Everything of theirs ends.",
        ),
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Let somebody choose a new password: a link, good once, or a password that has to be changed at once.

    The link still asks for their authenticator app, their phone or a recovery code. Give it to nobody else.
    """
    if mail and temporary:
        raise typer.BadParameter("a link or a password, not both", param_hint="'--mail'")
    from idp.serving.place import run

    if temporary:
        _temporary(name, as_json=as_json)
        return
    from idp.flows.operate.resets import give_link

    async def given(idp: "Idp") -> "Given":
        return await give_link(idp, name, mail=mail)

    made = run(given)
    username, until = made.person.account.username, output.when(made.expires_at)
    fields = {"username": username, "link": made.address, "mailed": mail, "expires_at": made.expires_at}
    if made.address is None:
        output.show(fields, f"A link is on its way to {username}. It works once, until {until}.", as_json=as_json)
        return
    lines = [made.address, f"It works once, until {until}. Give it to {username} and to nobody else."]
    output.show(fields, lines, as_json=as_json)


def _temporary(name: str, *, as_json: bool) -> None:
    password = output.from_stdin()
    from idp.flows.operate.passwords import set_password
    from idp.serving.place import run

    async def changed(idp: "Idp") -> "tuple[str, str]":
        person = await set_password(idp, name, password, temporary=True)
        return person.account.username, output.when(idp.clock.now() + idp.policy.links.ticket)

    username, until = run(changed)
    line = f"{username} has a new password. They choose another when they sign in with it, until {until}."
    output.show({"username": username, "changed": True, "temporary": True}, line, as_json=as_json)
