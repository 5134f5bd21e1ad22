"""`idp client secret`: another one, beside the one before for a while if that is wanted."""

from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import client_options as options
from idp.cli import output

if TYPE_CHECKING:
    from idp.flows.operate.clients import Registered

EXAMPLES = (
    "\b\nExamples:\n"
    "  idp client secret Shop\n"
    "  idp client secret Shop --keep-old 7d    both work for a week, while every process gets the new one\n"
    "  idp client secret Shop --end-old        the old one stops working now"
)


def show_secret(registered: "Registered", first: str, *, as_json: bool) -> None:
    """A client and, this once, its secret."""
    fields = options.fields_of(registered.client)
    lines = [first, f"  client_id      {registered.client.id}"]
    if registered.secret is not None:
        fields["client_secret"] = registered.secret
        lines += [f"  client_secret  {registered.secret}", "The secret is not shown again."]
    output.show(fields, lines, as_json=as_json)


def secret(
    client: options.Which,
    *,
    keep_old: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As 12h or 7d, 30d at most: the old secret works for that time too."),
    ] = None,
    end_old: Annotated[
        bool, typer.Option("--end-old", help="No new secret: the one before, which was kept, stops working now.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Make a new secret for a client. Prints it once; the old one stops working, at once or after --keep-old.

    `idp client show` says when the old secret was last used, to within a minute.
    """
    from idp.flows.operate.secrets import end_old_secret, new_client_secret
    from idp.policy import parse_span
    from idp.serving.place import run

    if end_old:
        if keep_old is not None:
            raise typer.BadParameter("the old secret is either kept or ended", param_hint="'--end-old'")
        ended = run(lambda idp: end_old_secret(idp, client))
        output.show(options.fields_of(ended), f"The old secret of {ended.name} works no more.", as_json=as_json)
        return
    kept = None if keep_old is None else parse_span(keep_old)
    if keep_old is not None and kept is None:
        raise typer.BadParameter(f"{keep_old!r} is no time, such as 12h or 7d", param_hint="'--keep-old'")
    registered = run(lambda idp: new_client_secret(idp, client, keep_old=kept))
    until = registered.client.old_secret_until
    also = "" if until is None else f" The old one works until {output.when(until)}."
    show_secret(registered, f"{registered.client.name} has a new secret.{also}", as_json=as_json)
