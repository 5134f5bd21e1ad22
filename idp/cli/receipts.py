"""Waiting for the receipt of one test message, on a port of this machine. Those of real messages go to `idp serve`."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from idp.clock import Clock
from idp.crypto import random_token
from idp.sms import BadSignature, Callback, Delivery, Gateway, Receipt, latest
from idp.testing.http import Request, Response, served

FINAL = frozenset({Delivery.DELIVERED, Delivery.UNDELIVERED, Delivery.EXPIRED})


@dataclass(slots=True)
class Listener:
    """A receipt URL with a key of its own, and what was called there."""

    url: str
    calls: asyncio.Queue[Callback] = field(default_factory=asyncio.Queue)
    refused: int = 0

    async def wait(self, gateway: Gateway, provider_id: str, *, within: timedelta) -> Receipt | None:
        """What became of a message, as far as is known when it is final or the time is over; None without a receipt."""
        best: Receipt | None = None
        try:
            async with asyncio.timeout(within.total_seconds()):
                while best is None or best.status not in FINAL:
                    for receipt in self._read(gateway, await self.calls.get()):
                        known = None if best is None else best.status
                        if receipt.provider_id == provider_id and latest(known, receipt.status) is not known:
                            best = receipt
        except TimeoutError:
            return best
        return best

    def _read(self, gateway: Gateway, callback: Callback) -> list[Receipt]:
        try:
            return gateway.receipt(callback)
        except BadSignature:
            self.refused += 1
            return []


@asynccontextmanager
async def listening(public: str, sock: socket.socket, clock: Clock) -> AsyncIterator[Listener]:
    """Listen on a socket that `public` leads to."""
    listener = Listener(f"{public.rstrip('/')}/{random_token()}")
    wanted = urlsplit(listener.url).path.rsplit("/", 1)[-1]

    async def receive(request: Request) -> Response:
        if request.path.rsplit("/", 1)[-1] != wanted:
            return Response(404)
        # Providers sign the public URL, whatever name and path we were reached by.
        url = listener.url + (f"?{urlencode(request.query)}" if request.query else "")
        received = clock.now()
        callback = Callback(request.method, url, request.query, request.headers, request.body, received_at=received)
        listener.calls.put_nowait(callback)
        return Response(204)

    async with served(receive, sock=sock):
        yield listener
