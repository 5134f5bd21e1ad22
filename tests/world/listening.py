"""An application of ours behind our own server, on a port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from idp.serving import server


@asynccontextmanager
async def served(app: server.Application) -> AsyncIterator[socket.socket]:
    """An application behind our own server, on a socket of its own."""
    stop, listening = asyncio.Event(), asyncio.Event()
    with server.bind("127.0.0.1", 0) as sock:
        serving = asyncio.create_task(server.serve(app, nullcontext(), sock, stop=stop, ready=listening.set))
        await listening.wait()
        try:
            yield sock
        finally:
            stop.set()
            await serving
