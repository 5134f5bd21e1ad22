"""`idp user totp|phone|recovery|remove-authenticator`: what a person proves themselves with."""

from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import output
from idp.cli.people import Name, authenticator_json

if TYPE_CHECKING:
    from idp.flows.idp import Idp
    from idp.model import Authenticator


def totp(
    name: Name,
    replace: Annotated[bool, typer.Option("--replace", help="Close their other apps and end their sign-ins.")] = False,
    as_json: output.Json = False,
) -> None:
    """Give a person an authenticator app.

    Prints a QR code and its address, once. The app is trusted at once, since you know who gets it: show it to nobody
    else. Their phones are told.
    """
    from idp.flows.operate.authenticators import totp_ticket
    from idp.serving.place import run

    ticket = run(lambda idp: totp_ticket(idp, name, replace=replace))
    fields = {
        "username": ticket.person.account.username,
        "authenticator_id": ticket.authenticator.id,
        "otpauth_uri": ticket.otpauth_uri,
        "secret": ticket.secret.replace(" ", ""),
        "trusted_at": ticket.authenticator.trusted_at,
    }
    lines = [
        f"Let {ticket.person.account.username} scan this with an authenticator app. It is not shown again.",
        *([_qr(ticket.otpauth_uri)] if not as_json else []),
        ticket.otpauth_uri,
        f"Or type this key: {ticket.secret}",
    ]
    output.show(fields, lines, as_json=as_json)


def _qr(text: str) -> str:
    """A QR code in characters, half a line each, with the quiet zone that scanners need."""
    import io

    import segno

    drawn = io.StringIO()
    segno.make(text, error="m").terminal(drawn, compact=True, border=2)
    return drawn.getvalue()


def phone(
    name: Name,
    number: Annotated[
        str, typer.Argument(metavar="PHONE", help="Mobile number with country code.", show_default=False)
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Close their other phones and end their sign-ins.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Give a person a phone, trusted at once. The phones they had are told."""
    from idp.flows.operate.authenticators import add_phone
    from idp.flows.operate.spending import never_texted
    from idp.serving.place import run

    async def give(idp: "Idp") -> "tuple[Authenticator, str | None]":
        return await add_phone(idp, name, number, replace=replace), never_texted(idp, number)

    added, unreachable = run(give)
    warnings = [unreachable] if unreachable else []
    fields = {"username": name, **authenticator_json(added), "warnings": warnings}
    output.show(fields, [f"{name} has a phone {added.hint}.", *warnings], as_json=as_json)


def recovery(name: Name, as_json: output.Json = False) -> None:
    """Make ten recovery codes for a person. Prints them once; codes made before stop working."""
    from idp.flows.operate.authenticators import new_recovery_codes
    from idp.serving.place import run

    codes = run(lambda idp: new_recovery_codes(idp, name))
    lines = [f"Hand these to {name}; each works once, and they are not shown again.", "", *codes]
    output.show({"username": name, "recovery_codes": codes}, lines, as_json=as_json)


def remove_authenticator(
    name: Name,
    authenticator: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, or the first 8 characters.", show_default=False)
    ],
    as_json: output.Json = False,
) -> None:
    """Close a lost phone or app. Every browser has to sign in again, and their phones are told."""
    from idp.flows.operate.authenticators import remove_authenticator
    from idp.serving.place import run

    removed, left = run(lambda idp: remove_authenticator(idp, name, authenticator))
    lines = [f"Removed {removed.label} {removed.hint} of {name}; {left} left."]
    if not left:
        lines.append(f"They cannot sign in before `idp user phone {name} …` or `idp user totp {name}`.")
    output.show({"username": name, "removed": authenticator_json(removed), "left": left}, lines, as_json=as_json)
