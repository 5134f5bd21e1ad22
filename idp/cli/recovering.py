"""`idp user recover`: a ticket for who lost everything."""

from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import output
from idp.cli.people import Name

if TYPE_CHECKING:
    from idp.flows.idp import Idp
    from idp.flows.operate.recovering import Recovered, Waits

EXAMPLES = (
    "\b\nExamples:\n"
    "  idp user recover ada --reason 'lost phone and codes; seen in person, ID checked'\n"
    "  idp user recover ada --confirm      the second operator, where the policy wants one"
)


def recover(
    name: Name,
    *,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why, and how you know that it is them; kept in the audit trail.")
    ] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Agree with the operator who asked for it.")] = False,
    by: Annotated[
        str | None, typer.Option(metavar="OPERATOR", help="Who you are, if not the account of this computer.")
    ] = None,
    mail: Annotated[bool, typer.Option("--mail", help="Mail the link to their verified address.")] = False,
    yes: output.Yes = False,
    as_json: output.Json = False,
) -> None:
    """Recover the account of somebody who lost everything: all they had is closed, and a link sets it up anew.

    Every phone and mailbox that they had is told. What is sensitive stays closed for the hold of the policy.
    """
    if (reason is None) is not confirm:
        said = "give --reason, or --confirm" if reason is None else "--reason or --confirm, not both"
        raise typer.BadParameter(said, param_hint="'--reason'")
    from idp.flows.operate import recovering

    if reason is not None and (wrong := recovering.wrong_reason(reason)) is not None:
        raise typer.BadParameter(wrong.removesuffix("."), param_hint="'--reason'")
    output.sure(f"Close every phone, app and code of {name}, and the password?", yes=yes)
    from idp.policy import in_units
    from idp.serving.place import account_name, run

    operator = by or account_name()

    async def recovered(idp: "Idp") -> "Waits | Recovered":
        if reason is None:
            return await recovering.confirm(idp, name, by=operator, mail=mail)
        return await recovering.recover(idp, name, reason=reason, by=operator, mail=mail)

    found = run(recovered)
    username, until = found.account.username, output.when(found.expires_at)
    if isinstance(found, recovering.Waits):
        line = f"A second operator has to confirm it until {until}: idp user recover {username} --confirm"
        fields = {"username": username, "recovered": False, "asked_by": found.by, "expires_at": found.expires_at}
        output.show(fields, line, as_json=as_json)
        return
    closed = f"What is sensitive stays closed for {in_units(found.closed)}."
    fields = {
        "username": username,
        "recovered": True,
        "link": found.address,
        "mailed": mail,
        "expires_at": found.expires_at,
        "closed_seconds": round(found.closed.total_seconds()),
    }
    if found.address is None:
        output.show(fields, f"A link is on its way to {username}. It works until {until}. {closed}", as_json=as_json)
        return
    lines = [found.address, f"It works once, until {until}. Give it to {username} and to nobody else. {closed}"]
    output.show(fields, lines, as_json=as_json)
