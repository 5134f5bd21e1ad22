"""`idp sms …`: does a text message get out?"""

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import deliveries, output, rules

if TYPE_CHECKING:
    from idp.cli.receipts import Listener
    from idp.settings import Settings
    from idp.sms import Receipt, Sent
    from idp.sms.phone import Phone

app = typer.Typer(help="Text messages.", no_args_is_help=True, rich_markup_mode=None)

_OUTCOMES = {
    "accepted": "accepted: the provider takes it from here",
    "not_sent": "not sent: the provider was not reached; check its URL and the network",
    "ambiguous": "unclear: it may have been sent",
    "rejected": "rejected: the provider refuses this number or text",
    "misconfigured": "refused: check the credentials, the sender and the funds at the provider",
}
# Where the reason alone says what to do.
_BY_REASON = {
    ("not_sent", "rate_limited"): "not sent: the provider asks to wait",
    ("misconfigured", "bad_response"): "refused: what answers is no such provider; check its URL",
}
_RECEIPTS = {
    "queued": "the provider has not sent it yet",
    "sent": "on its way, and nothing said about the phone",
    "delivered": "it is on the phone",
    "undelivered": "it did not reach the phone",
    "expired": "it came too late for the phone",
    "unknown": "the provider says nothing we know",
}


@app.callback()
def _sms() -> None:
    pass


app.command("rules", epilog=rules.EPILOG)(rules.rules)


@app.command(
    "test",
    epilog=(
        "\b\nExamples:\n  idp sms test --to +37251234567\n  idp sms test --to +37251234567 --gateway smspm --json\n"
        "  idp sms test --to +37251234567 --receipt-url https://tunnel.example.com/r   which leads to port 8026 here"
    ),
)
def send_test(
    *,
    to: Annotated[str, typer.Option(metavar="PHONE", help="Mobile number with country code.", show_default=False)],
    gateway: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which gateway.  [default: the first for the number's country]")
    ] = None,
    receipt_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Wait for the receipt; the provider must reach --listen by this URL."),
    ] = None,
    listen: Annotated[
        int, typer.Option(min=0, max=65535, help="The port of this machine that the URL leads to.")
    ] = 8026,
    wait: Annotated[int, typer.Option(min=1, max=3600, metavar="SECONDS", help="How long to wait for it.")] = 60,
    as_json: output.Json = False,
) -> None:
    """Send one real text message and tell what became of it. It may cost money.

    The receipts of all other messages go to `idp serve`. This message is not one of those: its receipt can only be
    shown if the provider can reach this command, which --receipt-url says.
    """
    import asyncio

    from idp import logs
    from idp.cli import intel
    from idp.clock import DatabaseClock
    from idp.flows.operate.people import parse_phone
    from idp.settings import read_settings
    from idp.sms.text import parts

    if receipt_url is not None and not _is_url(receipt_url):
        raise typer.BadParameter("It must be an http or https URL without ? and #.", param_hint="'--receipt-url'")
    settings = read_settings(os.environ)
    _check_gateway(gateway)
    logs.configure(level="warning", form="text")
    phone = parse_phone(to, region=settings.sms_region)
    text = f"This is a test message from {settings.brand}."
    where = None if receipt_url is None else (receipt_url, listen)
    swap = asyncio.run(intel.verdict(settings, phone.e164, clock=DatabaseClock()))
    tried = asyncio.run(_try(settings, phone, gateway, text, where, wait))
    name, sent, receipt = tried.gateway, tried.sent, tried.receipt
    fields: dict[str, Any] = {
        "gateway": name,
        "to": phone.masked,
        "outcome": sent.outcome,
        "reason": sent.reason,
        "provider_id": sent.provider_id,
        "provider_code": sent.provider_code,
        "segments": sent.segments or parts(text),
        "cost": None if sent.cost is None else str(sent.cost),
        "currency": sent.currency,
        "receipt": receipt and receipt.status,
        "receipt_reason": receipt and receipt.reason,
        "sim_swap": swap,
    }
    outcome = _BY_REASON.get((sent.outcome, sent.reason or ""), _OUTCOMES[sent.outcome])
    lines = [f"{name} to {phone.masked}: {outcome}{output.why(sent)}."]
    if sent.outcome == "accepted":
        lines += [f"The provider calls it {sent.provider_id}.", _price(sent, parts(text))]
        lines.append(_receipt(tried, wait) if where else "No receipt was waited for: see --receipt-url.")
    lines += [] if swap is None else [intel.in_words(swap, settings)]
    output.show(fields, lines, as_json=as_json)
    if tried.interrupted:
        raise typer.Exit(output.INTERRUPTED)
    if sent.outcome != "accepted" or (receipt is not None and receipt.status in {"undelivered", "expired"}):
        raise typer.Exit(1)


@app.command("fake", epilog="\b\nExamples:\n  idp sms fake\n  idp sms fake --port 9025 --json")
def fake(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")] = 8025,
    as_json: output.Json = False,
) -> None:
    """A provider on this machine that sends nothing, to try gateways and failures with. It prints what to set.

    It speaks SMSPM, Twilio, Vonage and webhook, checks credentials, fails by the last digits of the number, sends
    signed receipts, and tells of changed SIMs as CAMARA says.
    """
    from idp.cli import fake as provider

    provider.run(port=port, as_json=as_json)


app.command("log", epilog=deliveries.LOG_EXAMPLES)(deliveries.log)
app.command("blocks", epilog=deliveries.BLOCKS_EXAMPLES)(deliveries.blocks)
app.command("unblock", epilog=deliveries.UNBLOCK_EXAMPLES)(deliveries.unblock)


def _is_url(text: str) -> bool:
    from urllib.parse import urlsplit

    try:
        return re.fullmatch(r"https?://[^\s?#]+", text) is not None and bool(urlsplit(text).hostname)
    except ValueError:
        return False


def _check_gateway(name: str | None) -> None:
    """`typer.BadParameter` for a name that --gateway cannot take."""
    from idp.sms import registered

    if name is None:
        return
    if name == "smtp":
        said = "'smtp' carries e-mail, not text messages: `idp email test` tries it."
        raise typer.BadParameter(said, param_hint="'--gateway'")
    there = sorted(registered().keys() - {"smtp"})
    if name not in there:
        raise typer.BadParameter(
            f"{name!r} is not installed (there are: {', '.join(there)}).", param_hint="'--gateway'"
        )


def _price(sent: "Sent", counted: int) -> str:
    count = sent.segments or counted
    price = "the provider does not say what it costs" if sent.cost is None else f"it costs {sent.cost} {sent.currency}"
    return f"It is sent in {count} part{'' if count == 1 else 's'}; {price.rstrip()}."


@dataclass(frozen=True, slots=True)
class _Tried:
    """What a gateway answered, and the receipt that came before the wait was over or ended by Ctrl-C."""

    gateway: str
    sent: "Sent"
    receipt: "Receipt | None" = None
    refused: int = 0
    interrupted: bool = False


def _receipt(tried: _Tried, wait: int) -> str:
    forged = f" {tried.refused} came that the provider did not sign." if tried.refused else ""
    if tried.receipt is not None:
        return f"Receipt: {_RECEIPTS[tried.receipt.status]}{output.why(tried.receipt)}.{forged}"
    if tried.interrupted:
        return f"No receipt had come when the wait was ended.{forged}"
    return f"No receipt came within {wait} s: that is no proof of anything.{forged}"


async def _try(
    settings: "Settings",
    phone: "Phone",
    gateway: str | None,
    text: str,
    where: tuple[str, int] | None,
    wait: int,
) -> _Tried:
    from asyncio import CancelledError
    from contextlib import AsyncExitStack
    from datetime import timedelta
    from uuid import uuid4

    from idp.clock import DatabaseClock
    from idp.sms import Message, Outcome, Sent, open_gateways
    from idp.sms.wire import new_client

    clock = DatabaseClock()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(new_client())
        names = (gateway,) if gateway else settings.gateways_for(phone.region)[:1]
        (chosen,) = open_gateways(names, settings=settings, client=client)
        listener: Listener | None = None
        if where is not None:
            from idp.cli.receipts import listening
            from idp.serving.server import bind

            sock = stack.enter_context(bind("127.0.0.1", where[1], option="--listen"))
            listener = await stack.enter_async_context(listening(where[0], sock, clock))
        message = Message(
            attempt_id=uuid4(),
            to=phone.e164,
            text=text,
            at=clock.now(),
            ttl=timedelta(minutes=5),
            receipt_url=None if listener is None else listener.url,
        )
        try:
            sent = await chosen.send(message)
        except CancelledError:  # Ctrl-C, and nobody knows what the provider had already read
            return _Tried(chosen.name, Sent(Outcome.AMBIGUOUS), interrupted=True)
        if listener is None or sent.provider_id is None:
            return _Tried(chosen.name, sent)
        try:
            receipt = await listener.wait(chosen, sent.provider_id, within=timedelta(seconds=wait))
        except CancelledError:  # Ctrl-C: the message is on its way, and what the provider said of it is told
            return _Tried(chosen.name, sent, refused=listener.refused, interrupted=True)
        return _Tried(chosen.name, sent, receipt, listener.refused)
