"""`idp serve`: socket, database, figures and workers, brought up in that order and down in the other."""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from idp import localpg, logs
from idp.errors import IdpError
from idp.flows.rules import read_rules
from idp.serving.installed import check_installed
from idp.serving.server import address_of, bind, new_event_loop, raise_file_limit, serve
from idp.settings import Settings, read_settings
from idp.spending import NOTHING_OPEN

if TYPE_CHECKING:
    from idp.serving.place import Place

_log = structlog.get_logger("idp.serve")
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _where(settings: Settings, host: str | None, port: int | None) -> tuple[str, int]:
    """Where to listen. What was not said, a loopback issuer says; one behind a proxy says nothing of it."""
    parts = urlsplit(settings.issuer)
    here = settings.loopback and not settings.secure
    if host is None:
        host = "127.0.0.1" if not here or parts.hostname in {None, "localhost"} else str(parts.hostname)
    if port is None:
        port = (parts.port or 80) if here else 8000
    return host, port


def run(
    *,
    host: str | None,
    port: int | None,
    workers: int,
    migrate: bool,
    announce: Callable[[Mapping[str, Any], str], None],
) -> None:
    """Serve until told to stop. Raises `IdpError` in one sentence when it cannot begin, or when the database ends.

    `announce` is called once, when requests can come, with what programs and what people want to know of it.
    """
    environ = dict(os.environ)
    settings = read_settings(environ)
    logs.configure(level=settings.log_level, form=settings.log_format, stream=logs.Unhurried(2))
    check_installed(settings)
    _, spending = read_rules(settings)
    if not spending.anything_open:
        _log.warning("sms", detail=NOTHING_OPEN)
    raise_file_limit()
    with ExitStack() as stack:
        sock = stack.enter_context(bind(*_where(settings, host, port)))
        if not any(environ.get(name) for name in ("IDP_ISSUER", "IDP_ISSUER_FILE")):
            # Nobody said how browsers reach us, so they are on this machine, and --port is all that differs.
            environ["IDP_ISSUER"] = f"http://localhost:{sock.getsockname()[1]}"
            settings = read_settings(environ)
        local = None
        if settings.database_url is None:
            # While PostgreSQL starts, a second or so of modules can be loaded.
            needed = "idp.app" if workers == 1 else "idp.serving.supervisor"
            loading = Thread(target=import_module, args=(needed,), daemon=True)
            loading.start()
            local = stack.enter_context(localpg.start(settings.data_dir))
            url = local.url
            loading.join()
        else:
            url = settings.database_url.get_secret_value()
        from idp.serving.place import prepare

        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            place = runner.run(prepare(settings, url, migrate=migrate))
            figures = stack.enter_context(_figures(settings, shared=workers > 1))

            def ready() -> None:
                announce(*_announcement(settings, sock))

            runner.run(_serve(place, sock, local, environ=environ, workers=workers, figures=figures, ready=ready))


async def _serve(
    place: "Place",
    sock: socket.socket,
    local: localpg.LocalPostgres | None,
    *,
    environ: Mapping[str, str],
    workers: int,
    figures: Path | None,
    ready: Callable[[], None],
) -> None:
    stop = asyncio.Event()
    failure: list[str] = []
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, stop.set)

    def database_ended(status: int) -> None:
        log = place.settings.data_dir / "postgres.log"
        failure.append(f"The embedded PostgreSQL ended by itself (status {status}): see {log}.")
        stop.set()

    if local is not None:

        def ended_in_a_thread(status: int) -> None:
            loop.call_soon_threadsafe(database_ended, status)

        local.watch(ended_in_a_thread)
    if workers > 1:
        from idp.serving.supervisor import supervise

        await supervise(
            workers,
            sock,
            url=place.url,
            environ=_for_workers(environ, figures),
            stop=stop,
            ready=ready,
            gone=_forget_process(figures),
        )
    else:
        from idp.app import create_app

        app = create_app(place.settings, url=place.url, secrets=place.secrets)
        await serve(app, app.router.lifespan_context(app), sock, stop=stop, ready=ready)
    if failure:
        raise IdpError(failure[0])
    _log.info("stopped")


def _announcement(settings: Settings, sock: socket.socket) -> tuple[Mapping[str, Any], str]:
    address = address_of(sock)
    fields = {
        "address": address,
        "issuer": settings.issuer,
        "process": os.getpid(),
        "version": version("stile-idp"),
    }
    return fields, f"Stile answers at {address} as {settings.issuer}. Ctrl-C stops it."


@contextmanager
def _figures(settings: Settings, *, shared: bool) -> Iterator[Path | None]:
    """Serve /metrics on its own address while the block runs; the directory where workers count, if there are any.

    An address that is taken costs the figures, not the service.
    """
    if settings.metrics is None:
        yield None
        return
    directory = Path(tempfile.mkdtemp(prefix="stile-metrics-")) if shared else None
    try:
        end = _serve_figures(settings.metrics, directory)
        try:
            yield directory
        finally:
            end()
    finally:
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)


def _serve_figures(where: str, directory: Path | None) -> Callable[[], None]:
    from prometheus_client import start_http_server

    from idp import metrics

    host, _, port = where.rpartition(":")
    running = version("stile-idp")
    registry = metrics.single_process(running) if directory is None else metrics.multi_process(str(directory), running)
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        _log.warning(
            "no metrics", address=where, reason=error.strerror, advice="set IDP_METRICS to a free address, or off"
        )
        return lambda: None

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end


def _for_workers(environ: Mapping[str, str], figures: Path | None) -> dict[str, str]:
    """Our environment, and the directory where their figures go."""
    kept = {name: value for name, value in environ.items() if name.lower() != "prometheus_multiproc_dir"}
    return kept if figures is None else {**kept, "PROMETHEUS_MULTIPROC_DIR": str(figures)}


def _forget_process(figures: Path | None) -> Callable[[int], None]:
    def forget(process: int) -> None:
        if figures is not None:
            from prometheus_client.multiprocess import mark_process_dead

            mark_process_dead(process, str(figures))  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped

    return forget
