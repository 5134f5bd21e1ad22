"""From a worker to a driven worker: connections opened, and closed again."""

import asyncpg

from bench.client import Connection
from bench.house import House, Worker
from bench.loads import CONNECTIONS, Drive


async def set_out(opened: House, worker: Worker, *, warm_up: int = 12) -> Drive:
    """Connect to a worker and its database."""
    connections = [await Connection.open(worker.port) for _ in range(CONNECTIONS)]
    return Drive(opened, worker, await asyncpg.connect(opened.url), connections, warm_up)


async def leave(drive: Drive) -> None:
    """Hang up."""
    for connection in drive.connections:
        connection.close()
    await drive.raw.close()
