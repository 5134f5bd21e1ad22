"""`idp user invite`: a person who sets up the account themselves."""

from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import output
from idp.cli.people import Name

if TYPE_CHECKING:
    from idp.flows.idp import Idp
    from idp.flows.operate.invitations import Invited

EXAMPLES = (
    "\b\nExamples:\n"
    "  idp user invite ada --email ada@example.com --mail\n"
    "  idp user invite bob --phone +37251234568 --group treasury      prints the link, once"
)


def invite(
    name: Name,
    *,
    email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="E-mail address.")] = None,
    phone: Annotated[
        str | None,
        typer.Option(metavar="PHONE", help="Mobile number that you know is theirs; a code to it is asked for first."),
    ] = None,
    full_name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="Name as people write it.")] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="A group of the policy that they are in; may be repeated.")
    ] = None,
    locale: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="Language of their messages, as in et.")
    ] = None,
    mail: Annotated[bool, typer.Option("--mail", help="Mail the link to --email, which it proves.")] = False,
    as_json: output.Json = False,
) -> None:
    """Invite somebody: they choose the password and add their phone, app and recovery codes.

    The link is printed once, or mailed. Whoever has it sets the account up: give it to nobody else. The same command
    makes another one, for who has not chosen a password yet.
    """
    from idp.flows.operate.invitations import invite as invite_user
    from idp.flows.operate.spending import never_texted
    from idp.serving.place import run

    async def invited(idp: "Idp") -> "tuple[Invited, str | None]":
        made = await invite_user(
            idp,
            username=name,
            mail=mail,
            email=email,
            phone=phone,
            name=full_name,
            groups=group or [],
            locale=locale,
        )
        return made, None if phone is None else never_texted(idp, phone)

    made, unreachable = run(invited, makes=True)
    warnings = [unreachable] if unreachable else []
    username, until = made.account.username, output.when(made.expires_at)
    fields = {
        "username": username,
        "link": made.address,
        "mailed": mail,
        "expires_at": made.expires_at,
        "warnings": warnings,
    }
    if made.address is None:
        on_its_way = f"An invitation is on its way to {username}. It works until {until}."
        output.show(fields, [on_its_way, *warnings], as_json=as_json)
        return
    lines = [made.address, f"It works once, until {until}. Give it to {username} and to nobody else.", *warnings]
    output.show(fields, lines, as_json=as_json)
