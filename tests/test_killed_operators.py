"""An operator's work is killed in the middle, with real processes: done again it is whole, nobody is there twice.

What is killed is a command, or the worker that has a request of the API. No invitation is lost, and none works twice.
"""

import asyncio
import csv
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest

from idp.crypto import KeyChain
from idp.store.sql import Sql
from tests.world.databases import empty
from tests.world.processes import IDP, lives
from tests.world.provider import ISSUER
from tests.world.served import Killer, Served, keys_text, killer_before, people, served
from tests.world.waiting import NEVER, until

pytestmark = pytest.mark.xdist_group("processes")

PASSWORD = "glubber-fozzle-17-x"
TABLE = "username,email\n" + "".join(f"p{number},p{number}@example.com\n" for number in range(3))
SCOPES = ("stile:people:read", "stile:people:write", "stile:factors:write", "stile:clients:write")
_LINKS = Sql("""
SELECT p.username, count(*) FROM link l JOIN account p ON p.id = l.account_id
WHERE l.purpose = 'invite' AND l.used_at IS NULL GROUP BY p.username ORDER BY p.username""")
_AGE = Sql("UPDATE api_request SET begun_at = begun_at - interval '1 minute'")
_NAMED = Sql("SELECT count(*) FROM account WHERE username = :username")


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory, key_chain: KeyChain) -> dict[str, str]:
    """No setting but these; and a policy by which machines may do an operator's work."""
    shipped = (files("idp") / "policy.toml").read_text(encoding="utf-8")
    lines = [
        line.replace(" }", ", machine = true }") if line.startswith(tuple(f'"{scope}"' for scope in SCOPES)) else line
        for line in shipped.splitlines()
    ]
    home = tmp_path_factory.mktemp("operators")
    policy = home / "policy.toml"
    policy.write_text("\n".join(lines), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    own = {
        "IDP_ISSUER": ISSUER,
        "IDP_METRICS": "off",
        "IDP_SMS_GATEWAYS": "console",
        "IDP_LOG_LEVEL": "error",
        "IDP_POLICY": str(policy),
        "IDP_DATA_DIR": str(home),
        "IDP_SECRET_KEYS": keys_text(key_chain),
    }
    return kept | own


@dataclass(slots=True)
class Shell:
    """Where commands are run, and killed from the wire to their database."""

    killer: Killer
    environ: dict[str, str]
    database_url: str

    async def run(self, *arguments: str, at: int = 0, answer: bool = False, stdin: str = "") -> "Ran":
        """A command that is killed at this message; 0: never."""
        settings = self.environ | {"IDP_DATABASE_URL": self.killer.url}
        self.killer.at(at, answer=answer)
        process = await asyncio.create_subprocess_exec(
            *IDP, *arguments, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.killer.workers = lambda: {process.pid}
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), NEVER)
        if self.killer.killed is not None:
            await self.killer.done()
            assert not lives(process.pid)
        assert b"Traceback" not in err
        return Ran(process.returncode or 0, out.decode(), err.decode(), self.killer.killed is not None)

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self.database_url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()


@dataclass(frozen=True, slots=True)
class Ran:
    status: int
    out: str
    err: str
    killed: bool


@pytest.fixture
async def shell(database_url: str, environ: dict[str, str]) -> AsyncIterator[Shell]:
    async with killer_before(database_url) as killer:
        made = Shell(killer, environ, database_url)
        assert (await made.run("user", "add", "warm", "--no-phone", "--password-stdin", stdin=PASSWORD)).status == 0
        yield made


async def messages(shell: Shell, *arguments: str) -> list[tuple[int, bool]]:
    """When to kill it: at every fifth message, and after each of the last statements was obeyed."""
    assert (await shell.run(*arguments)).status == 0
    seen, ends = shell.killer.seen, shell.killer.ends
    assert seen >= 2 * ends > 0
    return [(one, False) for one in range(1, seen + 1, 5)] + [(one, True) for one in range(max(1, ends - 1), ends + 1)]


async def test_a_batch_that_is_killed_is_all_or_nobody_and_loses_no_link(shell: Shell, tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text(TABLE, encoding="utf-8")
    await empty(shell.database_url)
    batch = ("user", "add", "--from", str(table), "--out")
    whole, nobody = 0, 0
    for at, answer in await messages(shell, *batch, str(tmp_path / "first.csv")):
        await empty(shell.database_url)
        kept = {name: tmp_path / f"{name}-{at}-{answer}.csv" for name in ("killed", "again")}
        if not (await shell.run(*batch, str(kept["killed"]), at=at, answer=answer)).killed:
            continue  # it was over before
        (came,) = (await shell.rows("SELECT count(*) FROM account"))[0]
        assert came in {0, 3}
        again = await shell.run(*batch, str(kept["again"]))
        assert again.status == 0, again.err
        if came:
            whole += 1
            assert "Of these have set no password yet: p0, p1, p2." in again.out
            assert not kept["again"].exists()
        else:
            nobody += 1
        links = list(csv.DictReader(kept["killed" if came else "again"].read_text(encoding="utf-8").splitlines()))
        assert [row["username"] for row in links] == ["p0", "p1", "p2"]
        live = "SELECT account_id, count(*) FROM link WHERE purpose = 'invite' AND used_at IS NULL GROUP BY account_id"
        assert [number for _, number in await shell.rows(live)] == [1, 1, 1]
        trail = "SELECT count(*) FROM audit_event WHERE fields->>'change' = 'invited'"
        assert await shell.rows(trail) == [(3,)]
    assert whole
    assert nobody


async def test_links_that_were_never_printed_are_given_anew(shell: Shell, tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text(TABLE, encoding="utf-8")
    await empty(shell.database_url)
    batch = ("user", "add", "--from", str(table))
    last = (await messages(shell, *batch))[-1]
    await empty(shell.database_url)
    killed = await shell.run(*batch, at=last[0], answer=last[1])
    assert (killed.killed, killed.out) == (True, "")
    again = await shell.run(*batch)
    assert "Invited 0 people." in again.out
    assert "p0, p1, p2. Whoever has no link that works gets another with `idp user invite NAME`." in again.out
    given = await shell.run("user", "invite", "p1", "--email", "p1@example.com")
    assert given.status == 0, given.err
    assert "/link/invite/" in given.out


async def test_a_removal_that_is_killed_is_done_or_not_begun(shell: Shell) -> None:
    await empty(shell.database_url)

    async def add() -> None:
        added = await shell.run("user", "add", "ada", "--phone", "+37256789045", "--password-stdin", stdin=PASSWORD)
        assert added.status == 0, added.err

    await add()
    remove = ("user", "remove", "ada", "--yes")
    moments = await messages(shell, *remove)
    statuses = set()
    for at, answer in moments:
        await add()
        if not (await shell.run(*remove, at=at, answer=answer)).killed:
            continue
        again = await shell.run(*remove)
        statuses.add(again.status)
        assert again.status == 0 or "There is no user named 'ada'." in again.err
        left = "SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM authenticator)"
        assert await shell.rows(left) == [(0, 0)]
    assert statuses == {0, 1}
    removed = "SELECT count(*) FROM audit_event WHERE name = 'account.removed'"
    assert await shell.rows(removed) == [(len(moments) + 1,)]


@pytest.fixture(scope="module")
async def mortal(
    database_url: str, key_chain: KeyChain, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Served, Killer]]:
    """Workers that reach their database through a killer, and a program that calls their API."""
    home = tmp_path_factory.mktemp("mortal")
    await empty(database_url)
    async with AsyncExitStack() as stack:
        killer = await stack.enter_async_context(killer_before(database_url))
        made = await stack.enter_async_context(people(database_url, key_chain, home))
        kinds = frozenset({"client_credentials"})
        await made.add_client("reports", "", grant_types=kinds, redirect_uris=(), scopes=frozenset(SCOPES))
        provider = await stack.enter_async_context(served(made, environ | {"IDP_DATABASE_URL": killer.url}, home))
        killer.workers = provider.workers
        yield provider, killer


async def test_a_request_with_a_key_is_done_once_whenever_its_worker_dies(mortal: tuple[Served, Killer]) -> None:
    """Done again with its key it is told, or nobody knows; then who looks finds out, and takes another key."""
    provider, killer = mortal
    answer = await provider.token("reports", grant_type="client_credentials", scope=" ".join(SCOPES))
    assert answer.status_code == 200, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    browser = provider.browser()

    async def invite(username: str, key: str) -> httpx.Response:
        sent = {"username": username, "email": f"{username}@example.com"}
        return await browser.http.post("/api/v1/invitations", json=sent, headers=headers | {"Idempotency-Key": key})

    killer.at(0)
    assert (await invite("first", "first")).status_code == 201
    killer.rest()
    moments = [(one, False) for one in range(1, killer.seen + 1, 4)]
    moments += [(one, True) for one in range(1, killer.ends + 1)]
    told: set[object] = set()
    for at, obeyed in moments:
        who = f"n{at}{'a' if obeyed else ''}"
        killer.at(at, answer=obeyed)
        with suppress(httpx.TransportError):
            await invite(who, who)
        await killer.done()
        assert await asyncio.to_thread(until, lambda: not lives(killer.killed or 0))
        killer.rest()
        assert await asyncio.to_thread(until, lambda: len(provider.workers()) == 2)
        await provider.rows(_AGE)
        again = await invite(who, who)
        body = again.json()
        if again.status_code == 201 and body["link"] is not None:
            told.add("done now")
            link = body["link"]
        else:
            told.add(body.get("type", "told again"))
            assert again.status_code in {201, 409}, again.text
            look = await browser.http.get("/api/v1/people", params={"username": who}, headers=headers)
            assert look.json()["total"] in {0, 1}
            anew = await invite(who, str(uuid4()))
            assert anew.status_code == 201, anew.text
            link = anew.json()["link"]
        assert await provider.rows(_NAMED, username=who) == [(1,)]
        page = await provider.browser().get(urlsplit(link).path)
        assert page.status_code == 200
        assert f'action="{urlsplit(link).path}"' in page.text
    assert told == {"done now", "told again", "urn:stile:problem:outcome_unknown"}
    assert {number for _, number in await provider.rows(_LINKS)} == {1}
