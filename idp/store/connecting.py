"""One connection to PostgreSQL, as a database URL wants it. What it is asked, and by whom, is elsewhere."""

import ssl
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import asyncpg

from idp.errors import Unavailable
from idp.settings import SYSTEM
from idp.store import hosts

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
) -> "asyncpg.Connection[Any]":
    """Connect within `patience` seconds; an application_name in the URL is kept. Raises `Unavailable`."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    tls: dict[str, Any] = {}
    if given.get("sslrootcert") == SYSTEM:
        try:
            tls = {"ssl": _verified(given)}
        except OSError as error:
            raise Unavailable(f"A certificate for the database cannot be used ({type(error).__name__}).") from None
        url = urlunsplit(parts._replace(query="&".join(f"{name}={quote(value)}" for name, value in given.items())))
    kept = {name: value for name, value in (settings or {}).items() if name != "application_name" or name not in given}

    async def to(one: str) -> "asyncpg.Connection[Any]":
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            one,
            timeout=patience,
            command_timeout=command_timeout,
            max_cacheable_statement_size=0,
            server_settings=kept,
            **tls,
        )
        return connection

    urls = hosts.each(url)
    try:
        return await (to(url) if len(urls) == 1 else hosts.first([to(one) for one in urls]))
    except _REFUSED as error:
        # Its text may hold a piece of the URL: only its name leaves.
        raise Unavailable(f"The database cannot be reached ({type(error).__name__}).") from None


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
