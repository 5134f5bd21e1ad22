"""`idp sms log`, `idp sms blocks` and `idp sms unblock`: what was sent, and numbers that nothing is sent to."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import output

if TYPE_CHECKING:
    from idp.store.delivery.messages import Logged

LOG_EXAMPLES = (
    "\b\nExamples:\n  idp sms log ada\n  idp sms log ada --limit 3 --json\n"
    "  idp sms log              to everybody, in the last 24 hours"
)
BLOCKS_EXAMPLES = "\b\nExamples:\n  idp sms blocks\n  idp sms blocks --open 1f0c…      the number of a row of the list"
UNBLOCK_EXAMPLES = "\b\nExamples:\n  idp sms unblock +37251234567"


def log(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The username.  [default: everybody]", show_default=False)
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the latest messages to show.")] = 10,
    as_json: output.Json = False,
) -> None:
    """Show the latest messages to a person, or to everybody: what became of each try, and what the provider calls it.

    Numbers are masked. A text message that left has an outcome; receipts, where the provider sends them, tell more.
    """
    from idp.flows.operate.deliveries import sent_to
    from idp.flows.operate.sending import deliveries_page
    from idp.serving.place import run

    if name is None:
        found = list(run(lambda idp: deliveries_page(idp, limit=limit)).lines)
    else:
        found = run(lambda idp: sent_to(idp, name, limit=limit))
    rows = [_row(to, one) for to, one in found]
    headings = ("WHEN", "TO", "KIND", "GATEWAY", "OUTCOME", "DELIVERY", "PROVIDER'S ID", "PARTS", "COST")
    text = output.table(headings, rows) or f"Nothing was sent to {name or 'anybody'} lately."
    output.show({"username": name, "messages": [_fields(to, one) for to, one in found]}, text, as_json=as_json)


def blocks(
    open_: Annotated[
        str | None, typer.Option("--open", metavar="BLOCK", help="Let codes go to this block of numbers again.")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """List the blocks of numbers that are closed to people who never verified theirs; or open one again.

    What a block is called does not tell its numbers. `idp sms rules` says when one is closed.
    """
    from idp.flows.operate.sending import closed_blocks, open_block
    from idp.serving.place import run

    if open_ is not None:
        try:
            key = bytes.fromhex(open_)
        except ValueError:
            raise typer.BadParameter(
                f"{open_!r} is no block: `idp sms blocks` lists them", param_hint="'--open'"
            ) from None
        region = run(lambda idp: open_block(idp, key))
        said = f"A block of {region} is open again."
        output.show({"block": key.hex(), "region": region, "opened": True}, said, as_json=as_json)
        return
    found = run(closed_blocks)
    rows = [(one.key.hex(), one.region, output.when(one.closed_until)) for one in found]
    text = output.table(("BLOCK", "COUNTRY", "CLOSED UNTIL"), rows) or "No block of numbers is closed."
    listed = [{"block": one.key.hex(), "region": one.region, "closed_until": one.closed_until} for one in found]
    output.show({"blocks": listed}, text, as_json=as_json)


def _row(to: str, one: "Logged") -> tuple[object, ...]:
    fate = one.outcome or (one.state if one.gateway is None else "unknown")
    why = one.reason or one.denied_by
    if one.message.channel == "email" and why == "invalid_number":
        why = "no such mailbox"
    return (
        output.when(one.started_at or one.message.created_at),
        to,
        one.message.kind.replace("_", " "),
        one.gateway,
        _words(fate, why),
        _words(one.delivery, one.delivery_reason),
        one.provider_id,
        one.segments,
        f"{one.cost} {one.currency or ''}".rstrip() if one.cost else None,
    )


def _words(fate: str | None, why: str | None) -> str:
    said = fate or ""
    return f"{said}{f' ({why})' if why else ''}".replace("_", " ")


def _fields(to: str, one: "Logged") -> dict[str, Any]:
    return {
        "message": one.message.id,
        "kind": one.message.kind,
        "channel": one.message.channel,
        "to": to,
        "asked_at": one.message.created_at,
        "state": one.state,
        "denied_by": one.denied_by,
        "sim_swap": one.swap,
        "at": one.started_at,
        "gateway": one.gateway,
        "region": one.region,
        "outcome": one.outcome,
        "reason": one.reason,
        "provider_id": one.provider_id,
        "provider_code": one.provider_code,
        "delivery": one.delivery,
        "delivery_reason": one.delivery_reason,
        "delivery_at": one.delivery_at,
        "segments": one.segments,
        "cost": one.cost,
        "currency": one.currency,
    }


def unblock(
    phone: Annotated[str, typer.Argument(metavar="PHONE", help="The number, with country code.", show_default=False)],
    as_json: output.Json = False,
) -> None:
    """Let text messages go to a number again that a provider called invalid, or whose holder opted out.

    Where they opted out at the provider, that has to be lifted there too.
    """
    import os

    from idp.flows.operate.deliveries import unblock_number
    from idp.flows.operate.people import parse_phone
    from idp.serving.place import run
    from idp.settings import read_settings

    parsed = parse_phone(phone, region=read_settings(os.environ).sms_region)
    why = run(lambda idp: unblock_number(idp, parsed))
    if why is None:
        line = f"Nothing was in the way of messages to {parsed.masked}."
    else:
        line = f"Messages go to {parsed.masked} again; it was blocked as {why.replace('_', ' ')}."
    output.show({"phone": parsed.masked, "unblocked": why is not None, "reason": why}, line, as_json=as_json)
