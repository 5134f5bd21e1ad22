"""The provider on a database, as commands and servers share it. Signing keys, gateways and pages are `idp.app`'s."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from idp.clock import Clock, DatabaseClock
from idp.crypto import KeyChain
from idp.factors.password import PasswordThreads
from idp.flows.idp import OURS, Idp
from idp.flows.rules import read_rules
from idp.flows.tokens.sealed_keys import agreed
from idp.settings import Settings
from idp.store.engine import Database
from idp.store.tokens import clients


@asynccontextmanager
async def open_idp(
    settings: Settings,
    *,
    url: str,
    secrets: KeyChain,
    clock: Clock | None = None,
    database: type[Database] = Database,
) -> AsyncIterator[Idp]:
    """The provider on a migrated database, without signing keys yet. Raises `Unavailable` or `SettingsError`."""
    policy, table = read_rules(settings)
    db = database(url, size=settings.pool_size)
    await db.open()
    try:
        if clock is None:
            clock = DatabaseClock()
            await db.follow(clock)
        with PasswordThreads() as passwords:
            idp = Idp(
                settings=settings,
                db=db,
                clock=clock,
                policy=policy,
                secrets=await agreed(db, secrets),
                passwords=passwords,
                spending=table,
            )
            await read_clients(idp)
            yield idp
    finally:
        await db.close()


async def read_clients(idp: Idp) -> None:
    """Take over the registered clients."""
    found = await clients.all_clients(idp.db)
    idp.clients = {client.id: client for client in found if client.id not in OURS and not client.disabled}
