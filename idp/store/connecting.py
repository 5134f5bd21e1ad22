"""One connection to PostgreSQL, as a database URL wants it. What it is asked, and by whom, is elsewhere.

Several hosts of one database are asked in order, but one that says nothing keeps nobody from the next.
"""

import asyncio
import re
import ssl
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import asyncpg

from idp.errors import Unavailable
from idp.settings import SYSTEM

if TYPE_CHECKING:  # to the interpreter it is no generic
    Raw = asyncpg.Connection[Any]

HEAD_START = timedelta(seconds=1)  # the driver's own patience is for all hosts together: the first would use it up
_URL = re.compile(r"([a-z+]+://(?:[^/?]*@)?)([^/?]*)(/[^?]*|)(?:\?(.*))?")
_REFUSED = (
    OSError,
    TimeoutError,
    ValueError,
    RuntimeError,  # Kerberos, where its library is not installed
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresError,
)


async def connect(
    url: str, *, patience: float, command_timeout: float | None = None, settings: dict[str, str] | None = None
) -> "Raw":
    """Connect within `patience` seconds; an application_name in the URL is kept. Raises `Unavailable`."""
    parts = _Parts.of(url)
    given = parts.given
    tls: dict[str, Any] = {}
    if given.get("sslrootcert") == SYSTEM:
        try:
            tls = {"ssl": _verified(given)}
        except OSError as error:
            raise Unavailable(f"A certificate for the database cannot be used ({type(error).__name__}).") from None
        url = str(replace(parts, given=given))
    kept = {name: value for name, value in (settings or {}).items() if name != "application_name" or name not in given}

    async def to(one: str) -> "Raw":
        connection: Raw = await asyncpg.connect(
            one,
            timeout=patience,
            command_timeout=command_timeout,
            max_cacheable_statement_size=0,
            server_settings=kept,
            **tls,
        )
        return connection

    urls = each_host(url)
    try:
        return await (to(url) if len(urls) == 1 else _first([to(one) for one in urls]))
    except _REFUSED as error:
        # Its text may hold a piece of the URL: only its name leaves.
        raise Unavailable(f"The database cannot be reached ({type(error).__name__}).") from None


@dataclass(frozen=True, slots=True)
class _Parts:
    """A database URL as `read_database_url` writes it.

    RFC 3986 has one host, so `urllib` takes several of which one is an IPv6 address for a broken one.
    """

    login: str = field(repr=False)
    hosts: str
    path: str
    given: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, url: str) -> "_Parts":
        found = _URL.fullmatch(url)
        assert found is not None, "it was read"
        return cls(found[1], found[2], found[3], dict(parse_qsl(found[4] or "")))

    def __str__(self) -> str:
        query = "&".join(f"{name}={quote(value)}" for name, value in self.given.items())
        return f"{self.login}{self.hosts}{self.path}{'?' if query else ''}{query}"


def each_host(url: str) -> list[str]:
    """The same URL for each host alone, in order."""
    parts = _Parts.of(url)
    given = parts.given
    if given.get("target_session_attrs") == "prefer-standby":
        # This takes knowing all of them.
        return [str(replace(parts, hosts="", given=given | {"host": parts.hosts}) if parts.hosts else parts)]
    if "host" not in given:
        return [str(replace(parts, hosts=host)) for host in parts.hosts.split(",")]
    hosts_given, ports = given["host"].split(","), given.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(hosts_given)
    return [
        str(replace(parts, given=given | {"host": host} | ({"port": port} if port else {})))
        for host, port in zip(hosts_given, ports, strict=True)
    ]


async def _first(attempts: Sequence[Coroutine[Any, Any, "Raw"]]) -> "Raw":
    """The first connection there is; each attempt begins when the one before failed, or has had its head start.

    Raises what the last one did when none succeeds.
    """
    waiting = list(attempts)
    trying: set[asyncio.Task[Raw]] = set()
    chosen: Raw | None = None
    failed: BaseException | None = None
    try:
        while waiting or trying:
            if waiting:
                trying.add(asyncio.create_task(waiting.pop(0)))
            wait = HEAD_START.total_seconds() if waiting else None
            done, _ = await asyncio.wait(trying, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                failed = task.exception()
                if failed is None and chosen is None:
                    chosen = task.result()
                    trying.discard(task)
            if chosen is not None:
                return chosen
            trying -= done
        assert failed is not None
        raise failed
    finally:
        for late in waiting:
            late.close()
        for task in trying:
            task.add_done_callback(_hang_up)
            task.cancel()


def _hang_up(task: "asyncio.Task[Raw]") -> None:
    """A connection that came too late is nobody's."""
    if not task.cancelled() and task.exception() is None:
        task.result().terminate()


def _verified(given: dict[str, str]) -> ssl.SSLContext:
    """`sslrootcert=system` as libpq means it: the system's authorities, and the name of the server checked."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for name, version in (
        ("ssl_min_protocol_version", "minimum_version"),
        ("ssl_max_protocol_version", "maximum_version"),
    ):
        if name in given:
            setattr(context, version, ssl.TLSVersion[given.pop(name).replace(".", "_")])
    if "sslcert" in given:
        context.load_cert_chain(given.pop("sslcert"), given.pop("sslkey", None), given.pop("sslpassword", "") or None)
    if "sslcrl" in given:
        context.load_verify_locations(cafile=given.pop("sslcrl"))
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    # RFC 7301: what PostgreSQL 17 wants to hear where TLS begins without a greeting
    context.set_alpn_protocols(["postgresql"])
    for name in ("sslrootcert", "sslmode", "sslkey", "sslpassword"):
        given.pop(name, None)
    return context
