"""HTTP/1.1 as uvicorn speaks it, with an end to patience: slow, endless and unread requests are closed here."""

import asyncio
import http
import sys
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

WHOLE_REQUEST = 10.0  # seconds from its first byte to its last, and for an answer to be taken
HEAD_BYTES = 64 * 1024


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself keeps half a request for ever and headers of any size."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._in_head = False
        self._begun = False
        self._refused = False
        self._head_bytes = 0
        self._trailing_bytes = 0
        self._got_body = False
        self._data = b""
        self._again = b""

    # How long a request may take to arrive.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A new connection: its first request has to come within the time."""
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over, whoever ended it."""
        self._stop(self._deadline)
        self._stop(self._unread)
        self._deadline = self._unread = None
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._begun = self._in_head = True
        self._head_bytes = self._trailing_bytes = 0
        self._start_deadline()

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self._begun = False
        self._stop(self._deadline)
        self._deadline = None
        if not self._refused and not self._wants_another_protocol():
            super().on_message_complete()

    def _start_deadline(self) -> None:
        self._stop(self._deadline)
        self._deadline = self.loop.call_later(WHOLE_REQUEST, self._too_late)

    def _too_late(self) -> None:
        if self.transport.is_closing():
            self.transport.abort()
        elif not self._begun:
            # RFC 9110 15.5.9: 408 is for a request that did not arrive; here none was ever begun
            self.transport.close()
        elif self._in_head or not self.cycle.response_started:
            self._refuse(408)
        else:
            self.transport.close()

    # How much of it there may be.

    def data_received(self, data: bytes) -> None:
        """Some bytes. Those of unfinished headers and of trailers are counted, for the parser keeps them all."""
        if self._refused:
            return
        self._got_body = False
        self._again = data
        while self._again:
            self._data, self._again = self._again, b""
            super().data_received(self._data)
        self._data = b""
        self._count(len(data))

    def _count(self, received: int) -> None:
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += received
            if self._head_bytes > HEAD_BYTES:
                self._too_large()
        elif self._begun and not self._got_body:
            self._trailing_bytes += received
            if self._trailing_bytes > HEAD_BYTES:
                self._refuse(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. What comes after the body is none, and no proxy looked at it (RFC 9110 6.5.1): it is dropped."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """All headers are there: more than fit are refused before anything looks at them."""
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES:
            self._too_large()
        if not self._refused and not self._wants_another_protocol():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._got_body = True
        if not self._refused:
            super().on_body(body)

    def _too_large(self) -> None:
        # RFC 9110 15.5.15 for the address, RFC 6585 5 for the headers
        self._refuse(414 if len(self.url) > HEAD_BYTES // 2 else 431)

    # How long an answer may lie there unread.

    def pause_writing(self) -> None:
        """The other side does not read."""
        super().pause_writing()
        self._stop(self._unread)
        self._unread = self.loop.call_later(WHOLE_REQUEST, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._stop(self._unread)
        self._unread = None

    def on_response_complete(self) -> None:
        """An answer was handed to the transport, which may not have got rid of it yet."""
        super().on_response_complete()
        if self.transport.is_closing() and self._unread is None:
            self._unread = self.loop.call_later(WHOLE_REQUEST, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """No further request came. What was not even read by now never will be."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _refuse(self, status: int) -> None:
        """Answer for ourselves and close. A request that the application already has is taken from it."""
        self._refused = True
        phrase = http.HTTPStatus(status).phrase.encode()
        head = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            head += [name, b": ", value, b"\r\n"]
        head += [
            b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\nconnection: close\r\n",
            b"content-length: %d\r\n\r\n%s" % (len(phrase), phrase),
        ]
        cycle = self._cycle_if_any()
        answered = cycle is not None and cycle.response_complete and not self._in_head
        if not answered and (cycle is None or cycle.response_complete or not cycle.response_started):
            self.transport.write(b"".join(head))
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()
        self._unread = self.loop.call_later(WHOLE_REQUEST, self.transport.abort)

    def _cycle_if_any(self) -> RequestResponseCycle | None:
        """The current one; there is none before the first request."""
        return self.cycle

    # Java's HttpClient wishes for HTTP/2 in each request to an http address. RFC 9110 7.8: a server may ignore that.

    def _wants_another_protocol(self) -> bool:
        return bool(self.parser.should_upgrade()) and any(name == b"upgrade" for name, _ in self.headers)

    def _should_upgrade(self) -> bool:
        return False  # nor to a WebSocket: there is none here

    def _unsupported_upgrade_warning(self) -> None:
        """The parser takes what follows such a head for another protocol's: a new one reads it, without the wish."""
        wished = sys.exception()
        if self._refused or not isinstance(wished, httptools.HttpParserUpgrade) or not self._wants_another_protocol():
            return
        rest = self._data[wished.args[0] :]
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            head += [] if name == b"upgrade" else [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self._again = b"".join([*head, b"\r\n", rest])

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
