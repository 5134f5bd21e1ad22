"""The whole demonstration as a process of its own, and the people in it. What they do there is in the tests."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from subprocess import PIPE, Popen
from threading import Timer
from typing import Any

import httpx
import pyotp

from tests.world.ports import free_port
from tests.world.waiting import NEVER, comes, until

NEWCOMER = "tulip gravel 77 ocean"


@dataclass(slots=True)
class Person:
    """Somebody with a phone, whose messages are in the inbox, and perhaps an app."""

    username: str
    password: str
    phone: str
    secret: str | None = None
    last_step: int = 0
    codes_seen: list[str] = field(default_factory=list)

    def app_code(self) -> str:
        """One that was not used, and works for half a minute yet: the provider takes one step more and one less.

        Whoever confirms a third time within half a minute waits for it, as people do.
        """
        assert self.secret is not None
        app = pyotp.TOTP(self.secret)

        def now() -> int:
            return app.timecode(datetime.now(UTC))  # noqa: TID251 - an authenticator app has a clock of its own

        self.last_step = max(now(), self.last_step + 1)
        assert until(lambda: self.last_step <= now() + 1)
        return app.generate_otp(self.last_step)


@dataclass(frozen=True, slots=True)
class Demo:
    """A running `idp demo`, as it announced itself."""

    provider: str
    bank: str
    notes: str
    start: str
    inbox: str
    alice: Person
    bob: Person
    data_dir: Path
    newcomers: list[Person] = field(default_factory=list)

    async def texts(self, person: Person) -> list[str]:
        """The messages to this person as the inbox page shows them, newest first."""
        async with httpx.AsyncClient(timeout=NEVER) as http:
            page = (await http.get(self.inbox)).raise_for_status().text
        page = page.replace("<bdi>", "").replace("</bdi>", "")
        rows = re.findall(r"<strong>(\+[^<]+)</strong>.*?<p class=\"text\">(.*?)</p>", page, re.DOTALL)
        return [unescape(text) for to, text in rows if to[-3:] == person.phone[-3:]]

    async def codes(self, person: Person) -> list[str]:
        """The codes sent to this person, newest first."""
        found = [re.match(r"\d{6}\b", text) for text in await self.texts(person)]
        return [code[0] for code in found if code is not None]

    async def new_code(self, person: Person) -> str:
        """The newest code sent to this person, once it is another than the last time: the sender takes its moment."""

        async def came() -> bool:
            return (await self.codes(person))[:1] not in ([], person.codes_seen[-1:])

        await comes(came)
        newest = (await self.codes(person))[0]
        person.codes_seen.append(newest)
        return newest

    async def add(self, username: str, phone: str) -> Person:
        """One person more, made by the operator while everything runs."""
        command = [sys.executable, "-m", "idp", "user", "add", username, "--phone", phone, "--password-stdin", "--json"]
        process = await asyncio.create_subprocess_exec(
            *command, env=environment(self.data_dir), stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        out, err = await process.communicate(NEWCOMER.encode())
        assert process.returncode == 0, err
        assert json.loads(out)["username"] == username
        self.newcomers.append(Person(username, NEWCOMER, phone))
        return self.newcomers[-1]


def environment(data_dir: Path) -> dict[str, str]:
    """What a command sees: no setting of whoever runs the tests."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    return {**ours, "IDP_DATA_DIR": str(data_dir)}


@contextmanager
def running(data_dir: Path, **more: str) -> Iterator[Demo]:
    """`idp demo` from nothing, with these settings. Afterwards Ctrl-C, and nothing of it is left.

    No process, no port, no complaint.
    """
    port = free_port(in_a_row=3)
    command = [sys.executable, "-m", "idp", "demo", "--port", str(port), "--json"]
    complaints = data_dir.with_suffix(".stderr")
    with complaints.open("wb") as stderr:
        process = Popen(command, env=environment(data_dir) | more, stdout=PIPE, stderr=stderr, start_new_session=True)
    assert process.stdout is not None
    late = Timer(NEVER, process.kill)
    late.start()
    told = process.stdout.readline()
    late.cancel()
    try:
        assert told, complaints.read_text()
        yield _announced(json.loads(told), data_dir)
    finally:
        # A group of its own, as a shell gives to what it starts: Ctrl-C reaches PostgreSQL's processes too.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        status = process.wait(NEVER)
        rest = process.stdout.read()
        process.stdout.close()
    said = (status, rest, complaints.read_text())
    assert said == (0, b"", ""), said
    assert _left(data_dir) == []
    for number in range(port, port + 3):
        socket.create_server(("127.0.0.1", number)).close()


def _announced(told: dict[str, Any], data_dir: Path) -> Demo:
    page = httpx.get(told["start"], timeout=NEVER).raise_for_status().text
    phones = re.findall(r"<dt>Phone</dt><dd><code>([^<]+)</code>", page)
    alice, bob = (
        Person(one["username"], one["password"], phone)
        for one, phone in list(zip(told["people"], phones, strict=True))[:2]
    )
    secret = re.search(r"class=\"secret\">([A-Z2-7]+)<", page)
    assert secret is not None
    alice.secret = secret[1]
    where = {name: told[name] for name in ("provider", "bank", "notes", "start", "inbox")}
    return Demo(**where, alice=alice, bob=bob, data_dir=data_dir)


def _left(data_dir: Path) -> list[str]:
    """Processes that were started with this directory, in their arguments or their environment."""
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if str(data_dir).encode() in known:
                left.append(known.partition(b"\0")[0].decode(errors="replace"))
    return left
