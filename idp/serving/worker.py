"""One worker of `idp serve --workers N`: a process that gets everything through its standard input, a socket.

The supervisor writes one line of JSON; we answer "ready" when we listen; and the end of that stream, however the
supervisor ended, is the end of us.
"""

import asyncio
import gc
import json
import os
import shutil
import signal
import socket
import sys

from idp.errors import IdpError
from idp.serving.loading import plainly

READY = b"ready\n"
FAILED = 3


async def work(supervisor: socket.socket) -> None:
    """Answer requests until the supervisor says stop, or is gone."""
    from idp.app import create_app
    from idp.serving.place import secret_keys
    from idp.serving.server import serve
    from idp.settings import read_settings

    reader, writer = await asyncio.open_connection(sock=supervisor)
    order = json.loads(await reader.readline())
    settings = read_settings(os.environ)
    app = create_app(settings, url=order["url"], secrets=await secret_keys(settings, order["url"]))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    for number in (signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: None)  # a terminal's; the supervisor decides

    async def watch() -> None:
        await reader.read()
        if not stop.is_set() and (figures := os.environ.get("PROMETHEUS_MULTIPROC_DIR")):
            shutil.rmtree(figures, ignore_errors=True)  # nobody else is left who would
        stop.set()

    watching = asyncio.create_task(watch())
    sock = socket.socket(fileno=order["listen"])
    try:
        await serve(app, app.router.lifespan_context(app), sock, stop=stop, ready=lambda: writer.write(READY))
    finally:
        watching.cancel()


def main() -> int:
    """Until told to stop: 0. Could not start: 3 and one line of log."""
    gc.disable()  # while modules are loaded; `server` begins it again
    with plainly():
        return _main()


def _main() -> int:
    import structlog

    from idp import logs
    from idp.serving.server import new_event_loop, raise_file_limit
    from idp.settings import read_settings

    settings = read_settings(os.environ)
    logs.configure(level=settings.log_level, form=settings.log_format, stream=logs.Unhurried(2))
    raise_file_limit()
    supervisor = socket.socket(fileno=os.dup(0))
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(work(supervisor))
    except IdpError as error:
        structlog.get_logger("idp.worker").error("worker", problem=str(error))
        return FAILED
    except OSError as error:
        # Our supervisor died while we started, and took the database or the directory for figures with it.
        structlog.get_logger("idp.worker").error("worker", problem=type(error).__name__)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
