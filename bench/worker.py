"""The process that is measured: one worker as `idp serve` runs it, or the bare minimum on the same server.

Everything comes as one line of JSON on standard input; the port goes out on standard output. It ends with its input.
"""

import asyncio
import cProfile
import json
import mmap
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from idp.serving.loading import plainly

with plainly():  # as a worker is loaded
    from idp import logs
    from idp.app import create_app
    from idp.crypto import KeyChain, parse_secret_keys
    from idp.serving.server import bind, new_event_loop, serve
    from idp.settings import Settings

READ = "SELECT id, at, body FROM bench_floor WHERE id = $1"
WRITE = "INSERT INTO bench_floor (at, body) VALUES (now(), $1) RETURNING id"


def floor(url: str) -> Starlette:
    """Nothing but the server: a greeting, one row read, one row written."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(url, min_size=8, max_size=8) as pool:
            app.state.pool = pool
            yield

    async def hello(_: Request) -> Response:
        return PlainTextResponse("hello")

    async def read(request: Request) -> Response:
        async with request.app.state.pool.acquire() as connection:
            await connection.fetchrow(READ, 1)
        return PlainTextResponse("hello")

    async def write(request: Request) -> Response:
        async with request.app.state.pool.acquire() as connection:
            await connection.fetchrow(WRITE, "x" * 100)
        return PlainTextResponse("hello")

    endpoints = {"/hello": hello, "/read": read, "/write": write}
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in endpoints.items()], lifespan=lifespan)


def provider(order: dict[str, Any], port: int) -> Starlette:
    """The provider behind a proxy on this machine, so that every person has an address of their own."""
    settings = Settings.model_validate(
        {
            "issuer": f"http://localhost:{port}",
            "data_dir": order["data_dir"],
            "secret_keys": order["secret_keys"],
            "trusted_proxies": "127.0.0.1/32",
            **order["settings"],
        }
    )
    return create_app(settings, url=order["url"], secrets=KeyChain(parse_secret_keys(order["secret_keys"])[0]))


@asynccontextmanager
async def counted(app: Starlette, path: Path) -> AsyncIterator[None]:
    """The application's lifespan, with the number of its statements in the first eight bytes of a shared file."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 8) as shared, memoryview(shared) as view:
        count = view.cast("Q")

        def statement(_: str) -> None:
            count[0] += 1

        async with app.router.lifespan_context(app):
            app.state.idp.db.on_statement = statement
            yield
        count.release()


async def work(order: dict[str, Any], stop: asyncio.Event) -> None:
    sock = bind("127.0.0.1", 0)
    port = sock.getsockname()[1]

    def ready() -> None:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()

    asyncio.get_running_loop().add_reader(0, stop.set)
    if order["what"] == "floor":
        app = floor(order["url"])
        await serve(app, app.router.lifespan_context(app), sock, stop=stop, ready=ready)
        return
    app = provider(order, port)
    await serve(app, counted(app, Path(order["counter"])), sock, stop=stop, ready=ready)


def main() -> None:
    order = json.loads(os.read(0, 65_536))
    os.sched_setaffinity(0, set(order["cores"]))
    logs.configure(level="info", form="json")
    profile = cProfile.Profile(time.thread_time) if order["profile"] else None
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        if profile is not None:
            profile.enable()
        runner.run(work(order, asyncio.Event()))
    if profile is not None:
        profile.dump_stats(order["profile"])


if __name__ == "__main__":
    main()
