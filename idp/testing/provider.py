"""A provider on this machine that sends nothing: it speaks as four gateways and CAMARA do, and fails as told.

`async with fake_provider() as provider:` in a test, `idp sms fake` by hand. How it fails is in `faults`, what it
understands in `dialects` and `camara`. It moves with real time; every delay is a parameter.
"""

import asyncio
import html
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cache
from uuid import uuid4

import httpx

from idp.clock import Clock, DatabaseClock
from idp.settings import names_this_machine
from idp.testing.camara import Operator, camara_settings
from idp.testing.dialects import DIALECTS, settings
from idp.testing.faults import REFUSED, Fault, fault_of
from idp.testing.http import Request, Response, served
from idp.testing.orders import Dialect, Order, answer

_TAKEN = 1000  # messages that the inbox keeps
_HUGE = 100 * 1024
_PATIENCE = 10  # seconds for a receipt URL to answer


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take."""

    receipt: timedelta = timedelta(seconds=2)
    late: timedelta = timedelta(seconds=60)
    slow: timedelta = timedelta(seconds=4)
    silence: timedelta = timedelta(seconds=60)


@dataclass(slots=True)
class Taken:
    """One message that arrived. `receipts` are the statuses that the receipt URL answered with, 0 for none."""

    id: str
    gateway: str
    at: datetime
    to: str
    text: str
    fate: str
    receipts: list[int] = field(default_factory=list)


class FakeProvider:
    """What arrived, and where to send. Made by `fake_provider`."""

    def __init__(self, *, pace: Pace, clock: Clock, client: httpx.AsyncClient) -> None:
        self.url = ""
        self.elsewhere = "http://127.0.0.1:9/"  # where redirects lead: nobody listens there
        self.inbox: list[Taken] = []
        self.operator = Operator(slow=pace.slow, elsewhere=self.elsewhere)
        self._pace = pace
        self._clock = clock
        self._client = client
        self._known: dict[tuple[str, str], Taken] = {}
        self._receipts: set[asyncio.Task[None]] = set()

    def settings(self, *gateways: str) -> dict[str, str]:
        """The `IDP_*` variables that make these gateways, in this order, send here; all four without a name."""
        every = settings(self.url)
        chosen = gateways or tuple(every)
        mine = {name: value for gateway in chosen for name, value in every[gateway].items()}
        return {"IDP_SMS_GATEWAYS": " ".join(chosen), **mine}

    def intel_settings(self) -> dict[str, str]:
        """The `IDP_*` variables that make the operator here be asked about SIMs."""
        return camara_settings(self.url)

    async def settled(self) -> None:
        """Wait until every receipt is delivered that is on its way."""
        await asyncio.gather(*self._receipts)

    async def close(self) -> None:
        """Deliver no more receipts."""
        waiting = list(self._receipts)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def handle(self, request: Request) -> Response | None:
        """Answer one request."""
        if request.method == "GET" and request.path in {"/", "/inbox.json"}:
            if not names_this_machine(request.headers.get("host", "")):
                return answer(404, {"error": "nothing is here"})
            return _page(self.inbox) if request.path == "/" else answer(200, [_plain(taken) for taken in self.inbox])
        if self.operator.understands(request):
            return await self.operator.handle(request)
        for name, dialect in DIALECTS.items():
            if request.method == "POST" and dialect.understands(request.path):
                order = dialect.read(request, self._clock.now())
                return order if isinstance(order, Response) else await self._take(name, dialect, order)
        return answer(404, {"error": "nothing is here"})

    async def _take(self, name: str, dialect: Dialect, order: Order) -> Response | None:
        fault = fault_of(order.to)
        # The same idempotency key: the same answer, and nothing is sent again.
        taken = self._known.get((name, order.key)) if order.key else None
        again = taken is not None
        if taken is None:
            taken = Taken(uuid4().hex, name, self._clock.now(), order.to, order.text, fault)
            self.inbox = [*self.inbox[1 - _TAKEN :], taken]
            if order.key and fault not in REFUSED:
                self._known[name, order.key] = taken
        if fault in REFUSED or fault is Fault.SERVER_ERROR:
            return dialect.refused(fault)
        if fault is Fault.HANG_UP:
            return None
        if fault is Fault.REDIRECT:
            return Response(307, headers={"location": self.elsewhere})
        if fault is Fault.EARLY and not again:
            await self._deliver(dialect, order, taken, fault)
        elif not again and fault is not Fault.NO_RECEIPT:
            self._later(dialect, order, taken, fault)
        return await self._say(fault, dialect.accepted(order, taken.id))

    async def _say(self, fault: Fault, accepted: Response) -> Response | None:
        match fault:
            case Fault.SILENCE:
                await asyncio.sleep(self._pace.silence.total_seconds())
                return None
            case Fault.SLOW:
                await asyncio.sleep(self._pace.slow.total_seconds())
                return accepted
            case Fault.MALFORMED:
                return Response(accepted.status, accepted.body[: len(accepted.body) // 2], accepted.headers)
            case Fault.HUGE:
                return Response(accepted.status, accepted.body[:-1] + b" " * _HUGE + b"}", accepted.headers)
            case _:
                return accepted

    def _later(self, dialect: Dialect, order: Order, taken: Taken, fault: Fault) -> None:
        async def deliver() -> None:
            await asyncio.sleep((self._pace.late if fault is Fault.LATE else self._pace.receipt).total_seconds())
            for _ in range(2 if fault is Fault.TWICE else 1):
                await self._deliver(dialect, order, taken, fault)

        task = asyncio.create_task(deliver())
        self._receipts.add(task)
        task.add_done_callback(self._receipts.discard)

    async def _deliver(self, dialect: Dialect, order: Order, taken: Taken, fault: Fault) -> None:
        if not order.receipt_url or (call := dialect.receipt(order, taken.id, fault, self._clock.now())) is None:
            return
        try:
            response = await self._client.request(
                call.method, call.url, headers=dict(call.headers), content=call.body or None
            )
            taken.receipts.append(response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL):
            taken.receipts.append(0)


@asynccontextmanager
async def fake_provider(
    *, pace: Pace | None = None, clock: Clock | None = None, sock: socket.socket | None = None
) -> AsyncIterator[FakeProvider]:
    """A provider that answers until the block ends, on a socket that listens or a free port of this machine."""
    async with httpx.AsyncClient(timeout=_PATIENCE, verify=_tls()) as client:
        provider = FakeProvider(pace=pace or Pace(), clock=clock or DatabaseClock(), client=client)
        async with served(provider.handle, sock=sock) as url:
            provider.url = url
            try:
                yield provider
            finally:
                await provider.close()


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # slow to make, and tests make many providers


def _plain(taken: Taken) -> dict[str, object]:
    return {**asdict(taken), "at": taken.at.isoformat()}


def _page(inbox: Sequence[Taken]) -> Response:
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{html.escape(text)}</td>"
            for text in (f"{each.at:%H:%M:%S}", each.gateway, each.to, each.text, each.fate, _told(each.receipts))
        )
        for each in reversed(inbox)
    )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
        "<title>Fake provider</title><style>body{font:16px system-ui;margin:2rem}td,th{padding:.4rem .8rem;"
        "text-align:left;vertical-align:top;white-space:pre-line;border-top:1px solid #8888}</style>"
        "<h1>Messages</h1><table><tr><th>At (UTC)<th>Gateway<th>To<th>Text<th>Fate<th>Receipts answered</tr>"
        f"{rows}</table>"
    )
    headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"}
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return Response(200, page.encode(), {**headers, "content-security-policy": policy})


def _told(statuses: Sequence[int]) -> str:
    return ", ".join(str(status or "nobody") for status in statuses)
