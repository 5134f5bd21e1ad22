"""What ours is asked, asked of the peer: rows to begin from, and the way through its pages."""

import base64
import hashlib
import hmac
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import repeat
from typing import Any
from uuid import uuid4

import asyncpg

from bench import seed
from bench.client import Connection
from bench.loads import HISTORY, Bench, Drive, Measured, code_in, in_turn, settle
from bench.seed import Person, Rows, Seeds
from idp.factors import password as passwords

LOADS = ("W2", "W3", "W4", "W5", "W7", "W8")
LASTS = 24 * 3600
ENTITY = ("model", "id", "payload", "grant_id", "uid", "expires_at")


class PeerBench:
    """The same operations. Its token, userinfo and introspection endpoints are asked by the code that asks ours."""

    def __init__(self, drive: Drive, seeds: Seeds, cookie_key: str) -> None:
        self.drive = drive
        self.bench = Bench(drive, seeds)
        self.cookie_key = cookie_key.encode()

    async def loads(self, *, seconds: float, most: int, only: frozenset[str]) -> AsyncIterator[Measured]:
        """Those in `only`, in the order in which ours are run."""
        raw, run, bench = self.drive.raw, self.drive.run, self.bench
        await people(raw, HISTORY)
        crowd = await people(raw, 200)
        if only & {"W2", "W4", "W8"}:
            codes = await self._codes(crowd, min(most, int(seconds * 1500)) + self.drive.unmeasured)
            await settle(raw)
            measured = await run("W2", bench.exchange, codes, seconds=seconds, most=most)
            if "W2" in only:
                yield measured
        if "W3" in only:
            bench.refresh.extend(await self._refresh_tokens(crowd, 500))
            await settle(raw)
            yield await run("W3", bench.refreshed, repeat(""), seconds=seconds, most=most)
        if "W4" in only:
            yield await run("W4", bench.userinfo, repeat(""), seconds=seconds, most=most)
        if "W8" in only:
            yield await run("W8", bench.introspected, repeat(""), seconds=seconds, most=most)
        if "W5" in only:
            fresh = await people(raw, min(most, int(seconds * 120)) + self.drive.unmeasured)
            await settle(raw)
            yield await run("W5", self.login, fresh, seconds=2 * seconds, most=most)
        if "W7" in only:
            cookies = deque(await self._sessions(crowd))
            await settle(raw)
            yield await run("W7", self.signed_in, in_turn(cookies), seconds=seconds, most=most)

    async def signed_in(self, connection: Connection, cookie: str) -> None:
        """W7: an authorization request of somebody who is signed in."""
        answer = (await connection.get(self.bench.authorize, f"Cookie: {cookie}\r\n")).want(303)
        code_in(answer.headers["location"])

    async def login(self, connection: Connection, person: Person) -> None:
        """W5: a browser without cookies, from the authorization request over two pages to the tokens."""
        answer = (await connection.get(self.bench.authorize)).want(303)
        page, cookies = answer.headers["location"], dict(answer.cookies)

        def headers() -> str:
            return "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items() if value) + "\r\n"

        (await connection.get(page, headers())).want(200)
        form = {"username": person.username, "password": seed.PASSWORD}
        (await connection.post(f"{page}/password", form, headers())).want(303)
        (await connection.get(page, headers())).want(200)
        form = {"code": person.code(datetime.now(UTC))}  # noqa: TID251 - as in seed
        answer = (await connection.post(f"{page}/totp", form, headers())).want(303)
        resume = "/" + answer.headers["location"].split("/", 3)[3]
        answer = (await connection.get(resume, headers())).want(303)
        await self.bench.exchange(connection, code_in(answer.headers["location"]))

    async def _codes(self, of: list[Person], count: int) -> list[str]:
        """So many codes, ready to be exchanged."""
        more = {
            "redirectUri": seed.REDIRECT_URI,
            "codeChallenge": seed.CHALLENGE,
            "codeChallengeMethod": "S256",
        }
        return await self._granted("AuthorizationCode", of, count, more)

    async def _refresh_tokens(self, of: list[Person], count: int) -> list[str]:
        """So many families, each with its first token."""
        return await self._granted("RefreshToken", of, count, {"gty": "authorization_code", "rotations": 0})

    async def _granted(self, model: str, of: list[Person], count: int, more: dict[str, Any]) -> list[str]:
        rows: Rows = []
        ids: list[str] = []
        for number in range(count):
            person = of[number % len(of)]
            grant_id, token = _id(), _id()
            common = {"accountId": str(person.id), "clientId": "bench", "grantId": grant_id}
            rows.append(_grant(grant_id, person))
            payload = common | more | {"authTime": _now(), "nonce": "n-0", "scope": " ".join(seed.SCOPES)}
            payload |= {"acr": "urn:stile:2fa-strong", "amr": ["pwd", "otp", "mfa"], "sessionUid": _id()}
            rows.append(_entity(model, token, payload, grant_id=grant_id))
            ids.append(token)
        await self.drive.raw.copy_records_to_table("entity", records=rows, columns=ENTITY)
        return ids

    async def _sessions(self, of: list[Person]) -> list[str]:
        """A browser for each of these people, with a grant for the client: its cookies."""
        rows: Rows = []
        cookies: list[str] = []
        for person in of:
            grant_id, session_id, uid = _id(), _id(), _id()
            payload = {
                "uid": uid,
                "accountId": str(person.id),
                "loginTs": _now(),
                "acr": "urn:stile:2fa-strong",
                "amr": ["pwd", "otp", "mfa"],
                "authorizations": {"bench": {"sid": _id(), "grantId": grant_id}},
            }
            rows += [_grant(grant_id, person), _entity("Session", session_id, payload, uid=uid)]
            cookie = f"_session={session_id}"
            cookies.append(f"{cookie}; _session.sig={self._signature(cookie)}")
        await self.drive.raw.copy_records_to_table("entity", records=rows, columns=ENTITY)
        return cookies

    def _signature(self, cookie: str) -> str:
        made = hmac.new(self.cookie_key, cookie.encode(), hashlib.sha1).digest()
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


async def people(raw: "asyncpg.Connection[Any]", count: int) -> list[Person]:
    """So many more people, each with an app."""
    hashed = passwords.hash_password(passwords.Password(seed.PASSWORD))
    made = [
        Person(uuid4(), f"person-{secrets.token_hex(6)}", uuid4(), secrets.token_bytes(20), "") for _ in range(count)
    ]
    rows = [(each.id, each.username, hashed, "Person", f"{each.username}@example.com", each.seed) for each in made]
    columns = ["id", "username", "password_hash", "name", "email", "seed"]
    await raw.copy_records_to_table("person", records=rows, columns=columns)
    return made


def _grant(grant_id: str, person: Person) -> tuple[Any, ...]:
    granted = {"accountId": str(person.id), "clientId": "bench", "openid": {"scope": " ".join(seed.SCOPES)}}
    return _entity("Grant", grant_id, granted)


def _entity(
    model: str, key: str, payload: dict[str, Any], *, grant_id: str | None = None, uid: str | None = None
) -> tuple[Any, ...]:
    now = _now()
    whole = payload | {"jti": key, "kind": model, "iat": now, "exp": now + LASTS}
    return model, key, json.dumps(whole), grant_id, uid, datetime.fromtimestamp(now + LASTS, UTC)


def _id() -> str:
    return secrets.token_urlsafe(32)


def _now() -> int:
    return int(datetime.now(UTC).timestamp())  # noqa: TID251 - as in seed
