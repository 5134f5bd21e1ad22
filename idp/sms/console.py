"""A gateway that prints, for development. Settings refuse it as the only one unless the issuer is on loopback."""

import sys
from dataclasses import dataclass, field
from typing import TextIO

import httpx

from idp.settings import Settings
from idp.sms import Callback, Channel, Message, Outcome, Receipt, Sent
from idp.sms.phone import mask


@dataclass(frozen=True, slots=True)
class ConsoleGateway:
    """Writes each message to a stream, under a masked number. Costs nothing and delivers nothing."""

    stream: TextIO = field(repr=False)
    name: str = "console"
    channels: frozenset[Channel] = frozenset({Channel.SMS})
    idempotent: bool = False

    async def send(self, message: Message) -> Sent:
        """Always accepted; the attempt's id serves as the provider's."""
        self.stream.write(f"--- message to {mask(message.to)}\n{message.text}\n---\n")
        self.stream.flush()
        return Sent(Outcome.ACCEPTED, str(message.attempt_id))

    def receipt(self, callback: Callback) -> list[Receipt]:  # noqa: ARG002 - nobody calls back
        """Nothing; nobody knows whether somebody read the screen."""
        return []


def create(settings: Settings, client: httpx.AsyncClient) -> ConsoleGateway:  # noqa: ARG001 - the shape of a factory
    """A gateway onto standard error: standard output belongs to commands that print JSON."""
    return ConsoleGateway(sys.stderr)
