"""A provider in a process of its own, people with apps, and the examples of the kit beside it, as processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.world import processes
from tests.world.demonstration import Person
from tests.world.ports import free_port
from tests.world.waiting import NEVER, until

EXAMPLES = Path(__file__).resolve().parents[2] / "kits" / "python" / "examples"
PASSWORD = "tulip gravel 77 ocean"


@dataclass(frozen=True, slots=True)
class Served:
    """A running `idp serve`."""

    issuer: str
    home: Path

    def person(self, username: str, phone: str) -> Person:
        """Somebody with an authenticator app that is trusted."""
        given = ("--phone", phone, "--name", f"{username.title()} Ader", "--password-stdin")
        command(self.home, "user", "add", username, *given, given=PASSWORD)
        uri = command(self.home, "user", "totp", username)["otpauth_uri"]
        return Person(username, PASSWORD, phone, parse_qs(urlsplit(uri).query)["secret"][0])

    def client(self, name: str, base_url: str, *more: str) -> dict[str, str]:
        """An application, as an operator registers it; its id and secret as an example wants them."""
        told = command(
            self.home,
            *("client", "add", name, "--first-party", "--redirect-uri", f"{base_url}/callback"),
            *(
                "--audience",
                f"{base_url}/api",
                "--post-logout-uri",
                f"{base_url}/signed-out",
                "--scope",
                "openid profile transfers:write",
                *more,
            ),
        )
        secret = {"OIDC_CLIENT_ID": told["client_id"], "OIDC_CLIENT_SECRET": told["client_secret"]}
        return {"OIDC_ISSUER": self.issuer, "OIDC_BASE_URL": base_url, "OIDC_AUDIENCE": f"{base_url}/api", **secret}


def command(home: Path, *arguments: str, given: str = "") -> dict[str, Any]:
    """What a command says in JSON."""
    environ = processes.environment(home)
    line = [*processes.IDP, *arguments, "--json"]
    done = subprocess.run(line, env=environ, input=given, capture_output=True, text=True, check=False, timeout=NEVER)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@contextmanager
def served(home: Path, **more: str) -> Iterator[Served]:
    """A provider with nobody in it, and with `more` settings."""
    port = free_port()
    settings = {"IDP_ISSUER": f"http://localhost:{port}", "IDP_SMS_COUNTRIES": "EE", **more}
    with processes.serving(home, "--port", str(port), **settings):
        yield Served(settings["IDP_ISSUER"], home)


@contextmanager
def example(name: str, log: Path, port: int, environ: dict[str, str]) -> Iterator[str]:
    """One of the kit's examples, started as its reader would."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, str(EXAMPLES / name)],
            env={**os.environ, **environ, "PORT": str(port)},
            stdout=said,
            stderr=said,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(f"http://localhost:{port}/nothing-here", timeout=NEVER)
        except httpx.TransportError:
            return False
        return True

    try:
        assert until(answers)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(NEVER)
    assert "Traceback" not in log.read_text(), log.read_text()
