"""`idp sms log` and `idp sms unblock`: what was sent to a person, and numbers that nothing is sent to."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import output
from idp.cli.people import Name

if TYPE_CHECKING:
    from idp.store.delivery.messages import Logged

LOG_EXAMPLES = "\b\nExamples:\n  idp sms log ada\n  idp sms log ada --limit 3 --json"
UNBLOCK_EXAMPLES = "\b\nExamples:\n  idp sms unblock +37251234567"


def log(
    name: Name,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the latest messages to show.")] = 10,
    as_json: output.Json = False,
) -> None:
    """Show the latest messages to a person: what became of each try, and what the provider calls it.

    Numbers are masked. A text message that left has an outcome; receipts, where the provider sends them, tell more.
    """
    from idp.flows.operate.deliveries import sent_to
    from idp.serving.place import run

    found = run(lambda idp: sent_to(idp, name, limit=limit))
    rows = [_row(to, one) for to, one in found]
    headings = ("WHEN", "TO", "KIND", "GATEWAY", "OUTCOME", "DELIVERY", "PROVIDER'S ID", "PARTS", "COST")
    text = output.table(headings, rows) or f"Nothing was sent to {name} lately."
    output.show({"username": name, "messages": [_fields(to, one) for to, one in found]}, text, as_json=as_json)


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
