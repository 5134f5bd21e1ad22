"""What is asked of the provider, one operation each, and how each is driven and measured."""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import repeat
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import asyncpg

from bench import processes, seed
from bench.client import Connection, Unexpected
from bench.house import House
from bench.seed import Paused, Person, Seeds
from idp.model import Details

CONNECTIONS = 8
PAYMENT = (
    '[{"type":"payment","amount":{"amount":"1250.00","currency":"EUR"},"payee":"Maria Silva",'
    '"account":"DE89370400440532013000"}]'
)
APPROVES = Details(PAYMENT).digest.hex()
PUSHED = {
    "redirect_uri": seed.REDIRECT_URI,
    "response_type": "code",
    "scope": "openid",
    "state": "af0ifjsldkj",
    "nonce": "n-0S6_WzA2Mj",
    "code_challenge": seed.CHALLENGE,
    "code_challenge_method": "S256",
    "authorization_details": PAYMENT,
}
HISTORY = 5000


@dataclass(frozen=True, slots=True)
class Measured:
    """One load: how many operations, what each cost in milliseconds of processor time, how long they took.

    `hashing` is what threads beside the event loop did: argon2id. It is in neither of the other two.
    """

    name: str
    operations: int
    seconds: float
    ours: float
    hashing: float
    database: float
    statements: float
    commits: float
    latencies: list[float] = field(repr=False)

    @property
    def cpu(self) -> float:
        """Ours and the database's together."""
        return self.ours + self.database

    def percentile(self, part: float) -> float:
        """Milliseconds that this part of the operations stayed under."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]


Operation = Callable[[Connection, Any], Awaitable[None]]


class Driven(Protocol):
    """A process under load."""

    @property
    def pid(self) -> int: ...
    @property
    def port(self) -> int: ...
    def statements(self) -> int: ...
    def spent(self) -> tuple[float, float]: ...


@dataclass(slots=True)
class Drive:
    """A worker under load, and what to read its costs from."""

    house: House
    worker: Driven
    raw: "asyncpg.Connection[Any]"
    connections: list[Connection]
    warm_up: int = 12  # operations of each connection: PostgreSQL plans a statement five times before it keeps the plan

    @property
    def unmeasured(self) -> int:
        """How many operations of each load do not count."""
        return self.warm_up * len(self.connections)

    async def run(self, name: str, one: Operation, supply: Iterable[Any], *, seconds: float, most: int) -> Measured:
        """One operation after the other on every connection, until the time, the supply or `most` runs out."""
        source = iter(supply)
        left, until = self.unmeasured, math.inf  # not measured: statements are planned
        latencies: list[float] = []

        async def drive(connection: Connection) -> None:
            nonlocal left
            while left > 0 and time.perf_counter() < until:
                left -= 1
                item = next(source, None)
                if item is None:
                    return
                began = time.perf_counter()
                await one(connection, item)
                latencies.append(time.perf_counter() - began)

        await self._together(drive)
        latencies.clear()
        left = most
        before = await self._reading()
        started = time.perf_counter()
        until = started + seconds
        await self._together(drive)
        took = time.perf_counter() - started
        after = await self._reading()
        ours, hashing, database, statements, commits = (b - a for a, b in zip(before, after, strict=True))
        count = len(latencies)
        if count == 0:
            raise Unexpected(f"{name}: nothing was prepared for it")
        per = 1000 / count
        cpu = (ours * per, hashing * per, database * per)
        return Measured(name, count, took, *cpu, statements / count, commits / count, latencies)

    async def _together(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        await asyncio.gather(*map(work, self.connections))

    async def _reading(self) -> tuple[float, float, float, float, float]:
        # Every transaction that wrote has a number; those that only read have none.
        written = await self.raw.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        ours, hashing = self.worker.spent()
        return ours, hashing, processes.cpu_of_family(self.house.postmaster), self.worker.statements(), written


async def get(connection: Connection, path: str) -> None:
    """One answer of 200 to a GET."""
    (await connection.get(path)).want(200)


class Bench:
    """The operations W1 to W9. They feed one another: exchanged codes bring tokens to look up."""

    def __init__(self, drive: Drive, seeds: Seeds) -> None:
        self.drive = drive
        self.seeds = seeds
        self.access: deque[str] = deque(maxlen=1000)
        self.refresh: deque[str] = deque()
        self.authorize = "/authorize?" + urlencode(
            {
                "client_id": "bench",
                "redirect_uri": seed.REDIRECT_URI,
                "response_type": "code",
                "scope": "openid profile email",
                "state": "af0ifjsldkj",
                "nonce": "n-0S6_WzA2Mj",
                "code_challenge": seed.CHALLENGE,
                "code_challenge_method": "S256",
            }
        )

    async def run_all(self, *, seconds: float, most: int, only: frozenset[str]) -> list[Measured]:
        """Every load (or those in `only`), by name."""
        found = [each async for each in self.loads(seconds=seconds, most=most, only=only)]
        return sorted(found, key=lambda each: each.name)

    async def loads(self, *, seconds: float, most: int, only: frozenset[str]) -> AsyncIterator[Measured]:
        """Every load (or those in `only`) in turn, each with fresh rows."""
        raw, run = self.drive.raw, self.drive.run
        await seed.history(raw, HISTORY)
        crowd = await seed.people(raw, self.seeds, 200)

        def wanted(name: str) -> bool:
            return not only or name in only

        if wanted("W1"):
            path = "/.well-known/openid-configuration"
            yield await run("W1", get, repeat(path), seconds=seconds, most=most)
        if wanted("W2") or wanted("W4") or wanted("W8"):
            codes = await seed.codes(
                raw, self.seeds.keys, crowd, min(most, int(seconds * 1500)) + self.drive.unmeasured
            )
            await settle(raw)
            measured = await run("W2", self.exchange, codes, seconds=seconds, most=most)
            if wanted("W2"):
                yield measured
        if wanted("W3"):
            self.refresh.extend(await seed.refresh_tokens(raw, crowd, 500))
            await settle(raw)
            yield await run("W3", self.refreshed, repeat(""), seconds=seconds, most=most)
        if wanted("W4"):
            yield await run("W4", self.userinfo, repeat(""), seconds=seconds, most=most)
        if wanted("W8"):
            yield await run("W8", self.introspected, repeat(""), seconds=seconds, most=most)
        if wanted("W5"):
            people = await seed.people(raw, self.seeds, min(most, int(seconds * 60)) + self.drive.unmeasured)
            await settle(raw)
            yield await run("W5", self.login, people, seconds=2 * seconds, most=most)
        if wanted("W6"):
            people = await seed.people(raw, self.seeds, min(most, int(seconds * 800)) + self.drive.unmeasured)
            logins = await seed.paused(raw, self.seeds.keys, people)
            await settle(raw)
            yield await run("W6", self.second_factor, logins, seconds=seconds, most=most)
        if wanted("W7"):
            tokens = deque(await seed.sessions(raw, self.seeds.keys, crowd, proved=("password", "totp")))
            await settle(raw)
            yield await run("W7", self.signed_in, in_turn(tokens), seconds=seconds, most=most)
        if wanted("W9"):
            people = await seed.people(raw, self.seeds, min(most, int(seconds * 400)) + self.drive.unmeasured)
            signed_in = await seed.signed_in(raw, self.seeds.keys, people)
            await settle(raw)
            yield await run("W9", self.approved, signed_in, seconds=seconds, most=most)

    async def exchange(self, connection: Connection, code: str) -> None:
        """W2: a code for tokens."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": seed.REDIRECT_URI,
            "code_verifier": seed.VERIFIER,
        }
        answer = (await connection.post("/token", form, self.seeds.basic)).want(200)
        self.access.append(_member(answer.body, b"access_token"))

    async def refreshed(self, connection: Connection, _: str) -> None:
        """W3: a refresh token for tokens and its successor."""
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh.popleft()}
        answer = (await connection.post("/token", form, self.seeds.basic)).want(200)
        self.refresh.append(_member(answer.body, b"refresh_token"))

    async def userinfo(self, connection: Connection, _: str) -> None:
        """W4: an access token for claims."""
        token = self.access[0]
        self.access.rotate(-1)
        (await connection.get("/userinfo", f"Authorization: Bearer {token}\r\n")).want(200)

    async def introspected(self, connection: Connection, _: str) -> None:
        """W8: an access token, as its client asks about it."""
        token = self.access[0]
        self.access.rotate(-1)
        form = {"token": token, "token_type_hint": "access_token"}
        answer = (await connection.post("/introspect", form, self.seeds.basic)).want(200)
        if b'"active":true' not in answer.body:
            raise Unexpected(f"not active: {answer.body[:300]!r}")

    async def signed_in(self, connection: Connection, token: str) -> None:
        """W7: an authorization request of somebody who is signed in."""
        answer = (await connection.get(self.authorize, f"Cookie: stile={token}\r\n")).want(303)
        code_in(answer.headers["location"])

    async def approved(self, connection: Connection, login: Paused) -> None:
        """W9: a payment, from the pushed request over the page and its answer to the token."""
        pushed = (await connection.post("/par", PUSHED, self.seeds.basic)).want(201)
        query = urlencode({"client_id": "bench", "request_uri": _member(pushed.body, b"request_uri")})
        headers = f"Cookie: stile={login.token}\r\nX-Forwarded-For: {login.person.address}\r\n"
        page = (await connection.get(f"/authorize?{query}", headers)).want(200).body
        path = page.partition(b'/totp"')[0].rpartition(b'"')[2].decode()
        more = {"approves": APPROVES}
        await self.exchange(
            connection, await self._totp(connection, path, login.session_id, login.person, headers, more)
        )

    async def second_factor(self, connection: Connection, login: Paused) -> None:
        """W6: the code of an app."""
        headers = f"Cookie: stile={login.token}\r\nX-Forwarded-For: {login.person.address}\r\n"
        await self._totp(connection, f"/i/{login.interaction_id}", login.session_id, login.person, headers)

    async def _totp(
        self,
        connection: Connection,
        page: str,
        session_id: UUID,
        person: Person,
        headers: str,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """The code of an app is the last thing asked: the answer leads to the client."""
        path = f"{page}/totp"
        code = person.code(datetime.now(UTC))  # noqa: TID251 - as in seed
        form = {"csrf": self.seeds.csrf(session_id, path), "code": code, **more}
        return code_in((await connection.post(path, form, headers)).want(303).headers["location"])

    async def login(self, connection: Connection, person: Person) -> None:
        """W5: a browser without cookies, from the authorization request over two pages to the tokens."""
        address = f"X-Forwarded-For: {person.address}\r\n"
        cookies = dict((await connection.get(self.authorize, address)).want(200).cookies)
        session_id = UUID(hex=cookies["stile"].partition(".")[0])

        def headers() -> str:
            return "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()) + f"\r\n{address}"

        path = self.authorize.replace("?", "/password?", 1)
        form = {"csrf": self.seeds.csrf(session_id, path), "username": person.username, "password": seed.PASSWORD}
        answer = (await connection.post(path, form, headers())).want(303)
        page, cookies = answer.headers["location"], cookies | answer.cookies
        (await connection.get(page, headers())).want(200)
        await self.exchange(connection, await self._totp(connection, page, session_id, person, headers()))


async def settle(raw: "asyncpg.Connection[Any]") -> None:
    """What was written in bulk is analysed now, not by chance in the middle of a measurement."""
    # Empty tables are left alone, as PostgreSQL would: plans made for an analysed empty table read the whole of it once
    # it has filled.
    for (table,) in await raw.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        if await raw.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):  # noqa: S608 - our own tables
            await raw.execute(f"ANALYZE {table}")


def in_turn(items: deque[str]) -> Iterable[str]:
    """One after the other, for ever."""
    while True:
        yield items[0]
        items.rotate(-1)


def _member(body: bytes, name: bytes) -> str:
    """A string member of a JSON object, without parsing the rest: the load is to be cheap."""
    _, found, rest = body.partition(b'"' + name + b'":"')
    if not found:
        raise Unexpected(f"no {name.decode()} in {body[:300]!r}")
    return rest.partition(b'"')[0].decode()


def code_in(location: str) -> str:
    """The code of an answer that succeeded."""
    given = parse_qs(urlsplit(location).query)
    if "code" not in given:
        raise Unexpected(f"no code in {location}")
    return given["code"][0]
