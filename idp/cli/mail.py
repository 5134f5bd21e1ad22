"""`idp email …`: does an e-mail get out, and what came back?"""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import output

if TYPE_CHECKING:
    from idp.settings import Settings
    from idp.sms import Sent

app = typer.Typer(help="E-mail.", no_args_is_help=True, rich_markup_mode=None)

_LATER = 75  # EX_TEMPFAIL of sysexits.h: mail servers keep the mail and try again
_OUTCOMES = {
    "accepted": "accepted: the mail server takes it from here",
    "not_sent": "not sent: the mail server was not reached; check IDP_SMTP_URL and the network",
    "ambiguous": "unclear: it may have been sent",
    "rejected": "rejected: the mail server refuses this address or text",
    "misconfigured": "refused: check IDP_SMTP_URL, its port and the certificate of the mail server",
}
# Where the reason says what to do.
_BY_REASON = {
    ("not_sent", "provider_error"): "not sent: the mail server asks to try later",
    ("not_sent", "bad_response"): "not sent: what answers is no mail server; check IDP_SMTP_URL",
    ("misconfigured", "auth"): "refused: check the user and the password in IDP_SMTP_URL",
    ("misconfigured", "sender_invalid"): "refused: the mail server does not let us send from IDP_SMTP_FROM",
}


@app.callback()
def _email() -> None:
    pass


@app.command(
    "test",
    epilog="\b\nExamples:\n  idp email test --to ada@example.com\n  idp email test --to ada@example.com --json",
)
def send_test(
    *,
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="Who gets it.", show_default=False)],
    as_json: output.Json = False,
) -> None:
    """Send one real e-mail through IDP_SMTP_URL and tell what the mail server said.

    What happens to it afterwards nobody tells us: look into the mailbox, and into its spam.
    """
    import asyncio

    from idp import logs
    from idp.flows.delivery.outgoing import masked
    from idp.model.mail import is_address
    from idp.settings import read_settings

    if not is_address(to):
        raise typer.BadParameter("It must be an e-mail address, as in ada@example.com.", param_hint="'--to'")
    settings = read_settings(os.environ)
    logs.configure(level="warning", form="text")
    sent, interrupted = asyncio.run(_send(settings, to))
    fields = {
        "to": masked(to),
        "outcome": sent.outcome,
        "reason": sent.reason,
        "provider_id": sent.provider_id,
        "provider_code": sent.provider_code,
    }
    outcome = _BY_REASON.get((sent.outcome, sent.reason or ""), _OUTCOMES[sent.outcome])
    lines = [f"To {masked(to)}: {outcome}{output.why(sent)}."]
    if sent.outcome == "accepted":
        lines.append(f"Its Message-ID is <{sent.provider_id}>. Look into the mailbox, and into its spam.")
    output.show(fields, lines, as_json=as_json)
    if interrupted:
        raise typer.Exit(output.INTERRUPTED)
    if sent.outcome != "accepted":
        raise typer.Exit(1)


@app.command(
    "bounces",
    epilog=(
        "\b\nExamples:\n"
        "  idp email bounces < report.eml\n"
        '  bounces: "|/usr/bin/env IDP_DATABASE_URL_FILE=/etc/stile/url idp email bounces"     a line of /etc/aliases\n'
        "  Set IDP_SMTP_BOUNCES to that address. Status 75 asks the mail server to try again later."
    ),
)
def bounces(as_json: output.Json = False) -> None:
    """Read one mail that says that a mail of ours did not arrive, or that its reader complained (RFC 3464, RFC 5965).

    An address that does not exist, or whose reader wants no mail of ours, gets none until it is verified anew. What is
    no such report, or not about a mail that we sent, changes nothing.
    """
    from idp.errors import IdpError
    from idp.flows.delivery.bounces import take
    from idp.serving.place import run
    from idp.sms.bounces import LONGEST, read

    if _at_a_keyboard():
        raise typer.BadParameter("Pipe one mail into it: idp email bounces < report.eml", param_hint="standard input")
    returned = read(sys.stdin.buffer.read(LONGEST))
    try:
        taken = None if returned is None else run(lambda idp: take(idp, returned))
    except IdpError as error:
        output.complain([str(error)], as_json=as_json)
        raise typer.Exit(_LATER) from None
    if taken is None:
        about = "no report of a mail that did not arrive" if returned is None else "about no mail of ours, or known"
        nothing = {"to": None, "reason": None, "closed": False}
        output.show(nothing, f"Nothing was changed: it is {about}.", as_json=as_json)
        return
    line = f"{taken.to}: {taken.reason.replace('_', ' ')}."
    if taken.closed:
        line += " No mail goes there until the address is verified anew."
    output.show({"to": taken.to, "reason": taken.reason, "closed": taken.closed}, line, as_json=as_json)


def _at_a_keyboard() -> bool:
    return sys.stdin.isatty()


async def _send(settings: "Settings", to: str) -> "tuple[Sent, bool]":
    """What came of it, and whether Ctrl-C ended it."""
    from asyncio import CancelledError
    from datetime import timedelta
    from uuid import uuid4

    from idp.clock import DatabaseClock
    from idp.sms import Channel, Message, Outcome, Sent, open_gateways
    from idp.sms.wire import new_client

    async with new_client() as client:
        (gateway,) = open_gateways(("smtp",), settings=settings, client=client)
        message = Message(
            attempt_id=uuid4(),
            to=to,
            text=f"This is a test message from {settings.brand}.",
            at=DatabaseClock().now(),
            ttl=timedelta(minutes=5),
            channel=Channel.EMAIL,
            subject=f"{settings.brand}: a test message",
        )
        try:
            return await gateway.send(message), False
        except CancelledError:  # Ctrl-C, and nobody knows what the server had already read
            return Sent(Outcome.AMBIGUOUS), True
