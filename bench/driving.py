"""From a worker to a driven worker: connections opened, and closed again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from bench.client import Connection
from bench.house import House
from bench.loads import CONNECTIONS, Drive, Driven


@asynccontextmanager
async def driven(
    opened: House, worker: Driven, *, warm_up: int = 12, at_once: int = CONNECTIONS
) -> AsyncIterator[Drive]:
    """Connected to a worker and its database, until the block ends."""
    connections = [await Connection.open(worker.port) for _ in range(at_once)]
    raw = await asyncpg.connect(opened.url)
    try:
        yield Drive(opened, worker, raw, connections, warm_up)
    finally:
        for connection in connections:
            connection.close()
        await raw.close()
