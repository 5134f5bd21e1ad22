"""Several hosts of one database: asked in order, but one that says nothing keeps nobody from the next."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

if TYPE_CHECKING:
    import asyncpg

    Raw = asyncpg.Connection[Any]

HEAD_START = timedelta(seconds=1)  # the driver's own patience is for all hosts together: the first would use it up


def each(url: str) -> list[str]:
    """The same URL for each host alone, in order."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    if given.get("target_session_attrs") == "prefer-standby":
        return [url]  # this takes knowing all of them
    if "host" not in given:
        login, at, hosts = parts.netloc.rpartition("@")
        return [urlunsplit(parts._replace(netloc=f"{login}{at}{host}")) for host in hosts.split(",")]
    hosts_given, ports = given["host"].split(","), given.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(hosts_given)
    found = []
    for host, port in zip(hosts_given, ports, strict=True):
        alone = given | {"host": host} | ({"port": port} if port else {})
        query = "&".join(f"{name}={quote(value)}" for name, value in alone.items())
        found.append(urlunsplit(parts._replace(query=query)))
    return found


async def first(attempts: Sequence[Coroutine[Any, Any, "Raw"]]) -> "Raw":
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
