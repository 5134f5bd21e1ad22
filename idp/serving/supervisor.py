"""Several workers on one socket: started, replaced when they die, drained when we stop. We answer no request here."""

import asyncio
import gc
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from idp.errors import IdpError
from idp.serving.server import DRAIN
from idp.serving.worker import READY

_log = structlog.get_logger("idp.supervisor")
FIRST_PAUSE = 1.0  # seconds before a dead worker is replaced, doubling while its successors die young
LONGEST_PAUSE = 30.0
LIVED = 60.0  # seconds after which a worker did not die young
KILL_AFTER = DRAIN + 3.0
STARTS_WITHIN = 60.0
WORKER = [sys.executable, "-P", "-m", "idp.serving.worker"]


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def supervise(
    count: int,
    sock: socket.socket,
    *,
    url: str,
    environ: Mapping[str, str],
    stop: asyncio.Event,
    ready: Callable[[], None],
    gone: Callable[[int], None],
) -> None:
    """Keep `count` workers until `stop` is set, then let them finish what they began, for ten seconds at most.

    `ready` is called when the first one listens; `gone` with the process id of each that ended. Raises `IdpError` when
    none ever started.
    """
    gc.enable()
    begun = asyncio.Event()
    keepers = [
        asyncio.create_task(_keep(sock, url=url, environ=environ, stop=stop, begun=begun, gone=gone))
        for _ in range(count)
    ]
    listening = asyncio.create_task(begun.wait())
    try:
        done, _ = await asyncio.wait([listening, *keepers], return_when=asyncio.FIRST_COMPLETED)
        if listening in done:
            ready()
        await asyncio.gather(*keepers)
    except IdpError:
        stop.set()
        await asyncio.gather(*keepers, return_exceptions=True)
        raise
    finally:
        listening.cancel()


async def _keep(
    sock: socket.socket,
    *,
    url: str,
    environ: Mapping[str, str],
    stop: asyncio.Event,
    begun: asyncio.Event,
    gone: Callable[[int], None],
) -> None:
    """One place among the workers, always taken."""
    pause = FIRST_PAUSE
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        started = loop.time()
        worker = await _start(sock, url=url, environ=environ)
        status = await _watch(worker, stop=stop, begun=begun)
        gone(worker.process.pid)
        if stop.is_set():
            return
        if not begun.is_set():
            raise IdpError("The server did not start: the lines above say why.")
        if loop.time() - started >= LIVED:
            pause = FIRST_PAUSE
        _log.error("worker ended", process=worker.process.pid, status=status, again_in_seconds=pause)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping}, timeout=pause)
        stopping.cancel()
        pause = min(pause * 2, LONGEST_PAUSE)


async def _start(sock: socket.socket, *, url: str, environ: Mapping[str, str]) -> _Worker:
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own interpreter; starting it takes no time
            WORKER,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            pass_fds=(sock.fileno(),),
            env=dict(environ),
            start_new_session=True,  # Ctrl-C in a terminal is ours to hand on
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.write(json.dumps({"url": url, "listen": sock.fileno()}).encode() + b"\n")
    return _Worker(process, reader, writer)


async def _watch(worker: _Worker, *, stop: asyncio.Event, begun: asyncio.Event) -> int:
    """Until the worker ends, by itself or because we stop; its exit status (negative: a signal)."""
    stopping = asyncio.create_task(stop.wait())
    ended = asyncio.create_task(_until_end(worker, begun))
    try:
        await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            worker.process.send_signal(signal.SIGTERM)
            await asyncio.wait({ended}, timeout=KILL_AFTER)
        if not ended.done():
            worker.process.kill()
        return await asyncio.to_thread(worker.process.wait)
    finally:
        stopping.cancel()
        ended.cancel()
        worker.writer.close()


async def _until_end(worker: _Worker, begun: asyncio.Event) -> None:
    """Only the worker has the other end of the stream, so its end is the worker's."""
    try:
        line = await asyncio.wait_for(worker.reader.readline(), STARTS_WITHIN)
        if line == READY:
            begun.set()
            await worker.reader.read()
    except TimeoutError:
        worker.process.kill()
    except ConnectionError:
        return
