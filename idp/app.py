"""The composition root: Settings -> Idp -> Starlette. The only module that knows all others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta

import structlog
from starlette.applications import Starlette

from idp import metrics
from idp.clock import Clock, DatabaseClock
from idp.crypto import KeyChain
from idp.errors import IdpError, Unavailable
from idp.flows.delivery import notices, senders, spending
from idp.flows.idp import Idp
from idp.flows.opening import open_idp, read_clients
from idp.flows.tokens import keys
from idp.settings import Settings
from idp.sms import Gateway, open_gateways
from idp.sms.intel import open_intel
from idp.sms.wire import new_client
from idp.store import sweep
from idp.store.delivery import messages as store_messages
from idp.store.engine import Database
from idp.store.tokens import clients
from idp.store.tokens import keys as store_keys
from idp.web.middleware import Around
from idp.web.pages import Brand
from idp.web.routes import Doors, routes

_log = structlog.get_logger("idp.app")
FOLLOW = timedelta(seconds=5)
SWEEP = timedelta(seconds=30)
FIGURES = timedelta(seconds=5)
RECONNECT = timedelta(seconds=1)
REREAD = timedelta(seconds=30)  # the longest that a client disabled behind our back is still served


def brand(settings: Settings) -> Brand:
    """Name, colour, logo and links of the pages."""
    return Brand(
        name=settings.brand,
        colour=settings.brand_colour,
        logo_url="/static/logo" if settings.brand_logo else None,
        help_url=settings.help_url,
        privacy_url=settings.privacy_url,
    )


def create_app(
    settings: Settings,
    *,
    url: str,
    secrets: KeyChain,
    gateways: tuple[Gateway, ...] | None = None,
    clock: Clock | None = None,
    database: type[Database] = Database,
    background: bool = True,
) -> Starlette:
    """The ASGI application; its lifespan opens and closes everything. Tests pass gateways, clock and database."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            idp = await stack.enter_async_context(
                open_idp(settings, url=url, secrets=secrets, clock=clock, database=database)
            )
            await keys.read(idp)
            app.state.idp = idp
            opened = gateways
            if opened is None or settings.number_intel is not None:
                http = await stack.enter_async_context(new_client())
                idp.intel = open_intel(settings, client=http, clock=idp.clock)
                if opened is None:
                    opened = open_gateways(settings.gateways_to_open, settings=settings, client=http)
            app.state.gateways = opened
            if background:
                await stack.enter_async_context(_background(idp, opened))
            yield

    app = Starlette()
    app.router = Doors(routes(settings.issuer), lifespan=lifespan)
    app.state.brand = brand(settings)
    # The one layer around the routes answers for everything: Starlette's own would find nothing to do.
    app.middleware_stack = Around(app.router, issuer=settings.issuer)
    return app


@asynccontextmanager
async def _background(idp: Idp, gateways: tuple[Gateway, ...]) -> AsyncIterator[None]:
    """What runs beside the requests: senders, the clock, the sweeper, and the ear for changes."""
    wake = asyncio.Event()
    tasks = [asyncio.create_task(_listen(idp, wake))]
    tasks.append(asyncio.create_task(_every(SWEEP, lambda: _sweep(idp))))
    tasks.append(asyncio.create_task(_every(FIGURES, lambda: _read_figures(idp))))
    if isinstance(idp.clock, DatabaseClock):
        clock = idp.clock
        tasks.append(asyncio.create_task(_every(FOLLOW, lambda: idp.db.follow(clock))))
    try:
        async with senders.sending(idp, gateways, wake):
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _every(span: timedelta, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(span.total_seconds())
        try:
            await work()
        except IdpError as error:
            _log.warning("background", error=type(error).__name__, detail=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was this time, it is tried again
            _log.error("background", error=type(error).__name__)


async def _sweep(idp: Idp) -> None:
    await sweep.sweep_all(idp.db, idle=idp.policy.sessions.idle, now=idp.clock.now())
    await notices.tell_again(idp)


async def _read_figures(idp: Idp) -> None:
    opened, idle = idp.db.connections
    metrics.set_database_connections(size=opened, idle=idle)
    await senders.read_figures(idp)
    await spending.observe(idp, now=idp.clock.now())


async def _listen(idp: Idp, wake: asyncio.Event) -> None:
    """Hear of new messages, clients and keys; after a lost connection read everything again."""
    changed: dict[str, asyncio.Event] = {clients.CHANNEL: asyncio.Event(), store_keys.CHANNEL: asyncio.Event()}
    readers: dict[str, Callable[[], Awaitable[None]]] = {
        clients.CHANNEL: lambda: read_clients(idp),
        store_keys.CHANNEL: lambda: keys.read(idp),
    }
    while True:
        lost = asyncio.Event()
        heard = asyncio.Event()

        def mark(channel: str, heard: asyncio.Event = heard) -> Callable[[], None]:
            def called() -> None:
                changed[channel].set()
                heard.set()

            return called

        try:
            calls = {channel: mark(channel) for channel in readers}
            raw = await idp.db.listen({store_messages.CHANNEL: wake.set, **calls}, lost=lost, heard=heard)
        except Unavailable:
            await asyncio.sleep(RECONNECT.total_seconds())
            continue
        try:
            for reader in readers.values():
                await reader()
            while not lost.is_set():
                try:
                    await asyncio.wait_for(heard.wait(), REREAD.total_seconds())
                except TimeoutError:
                    # A connection can be dead, or a pooler deaf, without a sign: nothing heard is no proof of silence.
                    await idp.db.check(raw)
                    for event in changed.values():
                        event.set()
                heard.clear()
                for channel, event in changed.items():
                    if event.is_set():
                        event.clear()
                        await readers[channel]()
        except IdpError as error:
            _log.warning("listener", error=type(error).__name__, detail=str(error))
            await asyncio.sleep(RECONNECT.total_seconds())
        except Exception as error:  # noqa: BLE001 - who stops listening serves disabled clients for ever
            _log.error("listener", error=type(error).__name__)
            await asyncio.sleep(RECONNECT.total_seconds())
        finally:
            with suppress(OSError, TimeoutError, Exception):
                await raw.close(timeout=1)
