"""How lines are written to standard error: one line each, JSON or text, with the request's id. No line is made here.

Fields come from us and hold no secret; should one slip in under a name that says so, it is blotted out. Of an exception
only its type and the places it passed are written, never its text: a database's holds the row, httpx's the URL.
"""

import atexit
import json
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Literal, Protocol

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from idp.errors import places

BLOT = "[secret]"
# Whole words of a field's name, divided by "_".
_SECRET_WORDS = frozenset({"password", "passwd", "secret", "secrets", "seed", "cookie", "authorization", "dsn"})
_SECRET_NAMES = frozenset(
    {
        "access_token",
        "assertion",
        "client_assertion",
        "code",
        "code_verifier",
        "database_url",
        "id_token",
        "id_token_hint",
        "login_hint",
        "nonce",
        "number",
        "otp",
        "phone",
        "phone_number",
        "refresh_token",
        "text",
        "to",
        "token",
        "username",
    }
)
# They write whole URLs, or a line per request; what they warn of is still written.
_QUIET = (
    "alembic",
    "asyncio",
    "asyncpg",
    "httpcore",
    "httpx",
    "sqlalchemy",
    "uvicorn",
    "uvicorn.asgi",
    "uvicorn.error",
)
REQUEST: ContextVar[str | None] = ContextVar("request", default=None)  # the id of the one that is being answered
ROOM = 1_000_000  # characters that wait for a reader
AT_ONCE = 4096  # bytes; what is no longer than a pipe's page is not mixed with another process's
TOGETHER = 0.005  # seconds that the first of several lines waits for the others
LAST_WORDS = 1.0  # seconds at the end, for a reader that is slow and not gone
_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")


class Stream(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object:
        """Take a piece of text."""
        ...

    def flush(self) -> None:
        """Let nothing wait without need."""
        ...

    def isatty(self) -> bool:
        """Whether a person reads it."""
        ...


class Unhurried:
    """A stream that never keeps anybody waiting: a thread writes what it takes, and a reader that stopped stops no one.

    What finds no room is dropped and counted, and the count is a line of its own once the reader goes on.
    """

    def __init__(self, file: int, *, room: int = ROOM) -> None:
        self._file = file
        self._room = room
        self._lines: deque[str] = deque()
        self._size = 0
        self._dropped = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write, name="logs", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, text: str, /) -> None:
        """Take a line, or count it as dropped."""
        with self._changed:
            if self._size + len(text) > self._room and threading.current_thread() is not self._thread:
                self._dropped += 1
                return
            self._lines.append(text)
            self._size += len(text)
            if len(self._lines) == 1:  # else it is on its way, or will look again
                self._changed.notify_all()

    def flush(self) -> None:
        """Nothing: the thread never waits without need."""

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return os.isatty(self._file)

    def close(self) -> None:
        """Wait until everything is written, but not for ever."""
        atexit.unregister(self.close)
        with self._changed:
            self._changed.wait_for(lambda: not self._size, LAST_WORDS)

    def _write(self) -> None:
        while True:
            with self._changed:
                if not self._lines:
                    self._changed.wait_for(lambda: bool(self._lines))
                    # Lines come in swarms: to be woken for each one would cost the requests more than the lines do.
                    self._changed.wait(TOGETHER)
                piece = self._lines.popleft()
                while self._lines and len(piece) + len(self._lines[0]) < AT_ONCE // 4:  # four bytes a character at most
                    piece += self._lines.popleft()
            rest = piece.encode(errors="replace")
            try:
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError:
                pass  # closed: nobody will ever read it
            with self._changed:
                self._size -= len(piece)
                dropped, self._dropped = self._dropped, 0
                self._changed.notify_all()
            if dropped:
                structlog.get_logger("idp.logs").warning("lines dropped, for nobody read them", count=dropped)


class _Logger:
    """Writes finished lines to a stream, under a name."""

    def __init__(self, stream: Stream, name: str) -> None:
        self._stream = stream
        self.name = name

    def msg(self, line: str) -> None:
        """Write one line at once, so that two processes do not mix theirs. A closed stream loses it."""
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = exception = msg


def configure(*, level: str, form: Literal["json", "text"], stream: Stream | None = None) -> None:
    """Send our lines and the libraries' to `stream` (standard error). May be called again."""
    out: Stream = sys.stderr if stream is None else stream
    severity = logging.getLevelNamesMapping()[level.upper()]
    last = _renderer(form, out)
    structlog.configure(
        processors=[_whole, last],
        wrapper_class=structlog.make_filtering_bound_logger(severity),
        logger_factory=_factory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _whole],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
            keep_exc_info=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(severity)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(severity, logging.WARNING))
    access = logging.getLogger("uvicorn.access")
    access.handlers[:] = []
    access.propagate = False


def _factory(out: Stream) -> Callable[..., _Logger]:
    def make(name: str = "idp", *_: object) -> _Logger:
        return _Logger(out, name)

    return make


def _renderer(form: Literal["json", "text"], out: Stream) -> Processor:
    if form == "json":
        encode = json.JSONEncoder(default=str).encode
        return lambda _, __, event: encode(event)
    return structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="time", pad_event_to=0)


def _whole(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """All that a line says beside its own fields, which hold no secret afterwards."""
    if "logger" not in event:
        event["logger"] = logger.name
    if (request := REQUEST.get()) is not None:
        event["request_id"] = request
    structlog.processors.add_log_level(logger, method, event)
    _stamp(logger, method, event)
    if "exc_info" in event or "exception" in event or "_record" in event:
        _without_exception_text(event)
    for name in event:
        if _is_secret(name):
            event[name] = BLOT
    return event


def _without_exception_text(event: EventDict) -> None:
    """Type and places instead of the text and the values of an exception."""
    given = event.pop("exc_info", None)
    event.pop("exception", None)
    error = given if isinstance(given, BaseException) else (given[1] if isinstance(given, tuple) else None)
    if given is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["where"] = places(error.__traceback__)
    record: Any = event.get("_record")
    if record is not None:
        record.exc_info = record.exc_text = None


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return name.lower() in _SECRET_NAMES or bool(_SECRET_WORDS & set(name.lower().split("_")))
