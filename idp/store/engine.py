"""The way to PostgreSQL: statements run by asyncpg. The only module that opens connections."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from weakref import WeakSet

import asyncpg

from idp.clock import DatabaseClock
from idp.errors import Unavailable
from idp.store.connecting import connect
from idp.store.pool import Pool, sure
from idp.store.sql import Runnable

Row = asyncpg.Record  # values by the names of the statement's columns
PATIENCE = timedelta(seconds=5)  # for a free connection, or for a lock; then the honest answer is "not now"
_COMMAND = 10.0  # seconds for one statement
_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_BROKEN = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, starting, cancelled
    asyncpg.InsufficientResourcesError,  # too many connections, disk or memory full
    asyncpg.TransactionRollbackError,  # deadlock
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


class _Runs:
    """Whoever runs statements. Every one raises `Unavailable` when the database cannot answer."""

    __slots__ = ()

    async def one(self, statement: Runnable, /, **values: Any) -> Row | None:  # noqa: ANN401 - values of any column type
        """The first row, or None."""
        row: Row | None = await self.run("fetchrow", statement, values)
        return row

    async def value(self, statement: Runnable, /, **values: Any) -> Any:  # noqa: ANN401 - as above
        """The first column of the first row; None without one."""
        row = await self.one(statement, **values)
        return None if row is None else row[0]

    async def all(self, statement: Runnable, /, **values: Any) -> list[Row]:  # noqa: ANN401 - as above
        """Every row."""
        rows: list[Row] = await self.run("fetch", statement, values)
        return rows

    async def run(self, how: str, statement: Runnable, values: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        """What the driver's method of this name answers."""
        raise NotImplementedError


class Connection(_Runs):
    """A connection inside a transaction."""

    __slots__ = ("_on_statement", "_raw")

    def __init__(self, raw: "asyncpg.Connection[Any]", on_statement: Callable[[str], None] | None) -> None:
        self._raw = raw
        self._on_statement = on_statement

    async def run(self, how: str, statement: Runnable, values: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        """See `_Runs`."""
        sql, arguments = statement.prepare(values)
        if self._on_statement is not None:
            self._on_statement(sql)
        return await getattr(self._raw, how)(sql, *arguments)


def _end(pool: Pool, raw: "asyncpg.Connection[Any]", error: BaseException) -> None:
    """Part with a connection after an error. Raises `Unavailable` when it was not the caller's mistake."""
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        # The primary became a standby: this connection is good for nothing, the next may find the new one.
        pool.throw_away(raw)
        raise Unavailable("The database is read-only: a standby, or default_transaction_read_only is on.") from None
    pool.after(raw, error)
    if isinstance(error, _BROKEN):
        # The text of a database error may hold a row: only its name leaves.
        raise Unavailable(f"The database did not answer ({type(error).__name__}).") from None


class Database(_Runs):
    """A pool of connections. Each statement is its own transaction; `transaction` groups several."""

    def __init__(self, url: str, *, size: int = 10, patience: timedelta = PATIENCE) -> None:
        self._url = url
        self._size = size
        self._patience = patience.total_seconds()
        self._pool: Pool | None = None
        self._unconfirmed: WeakSet[object] = WeakSet()
        self.on_statement: Callable[[str], None] | None = None  # tests count statements here

    async def open(self) -> None:
        """Connect. Raises `Unavailable` with a sentence for the operator."""
        pool = Pool(self._connect, size=self._size, patience=self._patience)
        try:
            pool.give_back(await pool.take())
        except _BROKEN as error:
            raise Unavailable(f"The database cannot be reached ({type(error).__name__}).") from None
        self._pool = pool

    async def _connect(self) -> "asyncpg.Connection[Any]":
        raw = await connect(
            self._url,
            command_timeout=_COMMAND,
            patience=self._patience,
            settings={
                "application_name": "stile",
                "timezone": "UTC",
                "jit": "off",
                # All of ours find rows by key, whatever the values: one plan will do, and is made once.
                "plan_cache_mode": "force_generic_plan",
                "statement_timeout": "10000",
                "lock_timeout": f"{self._patience * 1000:.0f}",
                "idle_in_transaction_session_timeout": "10000",
                # Whoever hung up waits for no lock any more.
                "client_connection_check_interval": "1000",
            },
        )
        raw.add_log_listener(self._notice)
        try:
            await raw.set_type_codec("jsonb", schema="pg_catalog", encoder=_to_json, decoder=json.loads, format="text")
        except BaseException:
            raw.terminate()
            raise
        return raw

    def _notice(self, raw: object, message: object) -> None:
        """A cancelled wait for a synchronous standby ends in success, and says in a warning that it may be lost.

        Called before the statement returns. The text is in the server's language; the place in its source is not.
        """
        if getattr(message, "server_source_function", None) == "SyncRepWaitForLSN":
            self._unconfirmed.add(raw)

    def _back(self, pool: Pool, raw: "asyncpg.Connection[Any]") -> None:
        """Part with a connection after success. Raises `Unavailable` if what was committed may be lost."""
        if raw in self._unconfirmed:
            self._unconfirmed.discard(raw)
            pool.throw_away(raw)
            raise Unavailable("The database has committed, but no standby has confirmed it.")
        pool.give_back(raw)

    async def close(self) -> None:
        """Give every connection back."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close(within=5)

    @property
    def connections(self) -> tuple[int, int]:
        """How many connections are open, and how many of them nobody uses."""
        return (0, 0) if self._pool is None else self._pool.counts()

    async def _take(self) -> tuple[Pool, "asyncpg.Connection[Any]"]:
        pool = self._pool
        if pool is None:
            raise Unavailable("The database is not open.")
        try:
            return pool, await pool.take()
        except _BROKEN as error:
            raise Unavailable(f"The database cannot be reached ({type(error).__name__}).") from None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator["asyncpg.Connection[Any]"]:
        pool, raw = await self._take()
        try:
            yield raw
        except BaseException as error:
            _end(pool, raw, error)
            raise
        self._back(pool, raw)

    async def run(self, how: str, statement: Runnable, values: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        """See `_Runs`; a transaction of its own."""
        pool, raw = await self._take()
        try:
            answer = await Connection(raw, self.on_statement).run(how, statement, values)
        except BaseException as error:
            _end(pool, raw, error)
            raise
        self._back(pool, raw)
        return answer

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """All or nothing (READ COMMITTED). Nothing in it may wait for the network."""
        async with self._connection() as raw:
            transaction = raw.transaction()
            await transaction.start()
            try:
                yield Connection(raw, self.on_statement)
            except Exception as error:
                # After a cancellation, or an error of the wire, nobody waits for a ROLLBACK: hanging up is one.
                if sure(error):
                    await transaction.rollback()
                raise
            await transaction.commit()

    async def follow(self, clock: DatabaseClock) -> None:
        """Measure the clock's offset once. Raises `Unavailable`."""
        async with self._connection() as raw:
            asked = time.monotonic()
            database_time = await raw.fetchval("SELECT clock_timestamp()")
            clock.follow(database_time, asked=asked, answered=time.monotonic())

    async def ping(self) -> None:
        """One round trip. Raises `Unavailable`, also when nothing can be written here: a standby, or so configured."""
        async with self._connection() as raw:
            if await raw.fetchval("SELECT current_setting('transaction_read_only') = 'on'"):
                raise asyncpg.ReadOnlySQLTransactionError

    async def listen(
        self, channels: dict[str, Callable[[], None]], *, lost: asyncio.Event, heard: asyncio.Event
    ) -> "asyncpg.Connection[Any]":
        """A connection of its own that calls back on NOTIFY; `lost` and `heard` are set when it breaks.

        The caller closes it.
        """

        def broken(_: object) -> None:
            lost.set()
            heard.set()

        try:
            raw = await connect(self._url, patience=self._patience, command_timeout=_COMMAND)
            raw.add_termination_listener(broken)
            for channel, callback in channels.items():
                await raw.add_listener(channel, lambda *_, call=callback: call())
        except _BROKEN as error:
            raise Unavailable(f"The database cannot be reached ({type(error).__name__}).") from None
        return raw

    async def check(self, raw: "asyncpg.Connection[Any]") -> None:
        """Whether a connection of `listen` still reaches the server. Raises `Unavailable`."""
        try:
            await raw.fetchval("SELECT 1", timeout=self._patience)
        except _BROKEN as error:
            raise Unavailable(f"The database did not answer ({type(error).__name__}).") from None


Conn = Connection | Database
