"""`idp sms …`: does a text message get out?"""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import output

if TYPE_CHECKING:
    from idp.settings import Settings
    from idp.sms import Sent
    from idp.sms.phone import Phone

app = typer.Typer(help="Text messages.", no_args_is_help=True, rich_markup_mode=None)

_OUTCOMES = {
    "accepted": "accepted: the provider takes it from here",
    "not_sent": "not sent: it never reached the provider",
    "ambiguous": "unclear: it may have been sent",
    "rejected": "rejected: the provider refuses this number or text",
    "misconfigured": "refused: check the credentials, the sender and the funds at the provider",
}


@app.callback()
def _sms() -> None:
    pass


@app.command(
    "test",
    epilog="\b\nExamples:\n  idp sms test --to +37251234567\n  idp sms test --to +37251234567 --gateway smspm --json",
)
def send_test(
    *,
    to: Annotated[str, typer.Option(metavar="PHONE", help="Mobile number with country code.", show_default=False)],
    gateway: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which gateway.  [default: the first of IDP_SMS_GATEWAYS]")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Send one real text message and tell what became of it. It may cost money."""
    import asyncio

    from idp import logs
    from idp.flows.operate import parse_phone
    from idp.settings import read_settings

    settings = read_settings(os.environ)
    logs.configure(level="warning", form="text")
    phone = parse_phone(to, region=settings.sms_region)
    name, sent = asyncio.run(_send(settings, phone, gateway))
    fields: dict[str, Any] = {
        "gateway": name,
        "to": phone.masked,
        "outcome": sent.outcome,
        "reason": sent.reason,
        "provider_id": sent.provider_id,
        "provider_code": sent.provider_code,
        "segments": sent.segments,
        "cost": None if sent.cost is None else str(sent.cost),
        "currency": sent.currency,
    }
    why = " ".join(part for part in (sent.reason and f"({sent.reason.replace('_', ' ')})", sent.provider_code) if part)
    lines = [f"{name} to {phone.masked}: {_OUTCOMES[sent.outcome]} {why}".rstrip() + "."]
    if sent.provider_id:
        lines.append(f"The provider calls it {sent.provider_id}.")
    output.show(fields, lines, as_json=as_json)
    if sent.outcome != "accepted":
        raise typer.Exit(1)


async def _send(settings: "Settings", phone: "Phone", gateway: str | None) -> "tuple[str, Sent]":
    from datetime import timedelta
    from uuid import uuid4

    from idp.clock import DatabaseClock
    from idp.sms import Message, open_gateways
    from idp.sms.wire import new_client

    async with new_client() as client:
        names = (gateway,) if gateway else settings.gateways_for(phone.region)[:1]
        (chosen,) = open_gateways(names, settings=settings, client=client)
        text = f"This is a test message from {settings.brand}."
        message = Message(
            attempt_id=uuid4(), to=phone.e164, text=text, at=DatabaseClock().now(), ttl=timedelta(minutes=5)
        )
        return chosen.name, await chosen.send(message)
