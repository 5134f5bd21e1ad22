"""What is loaded before an answer: by `idp serve` nothing that only changes databases, by a command no server."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from idp.crypto import KeyChain
from tests.world.processes import environment
from tests.world.provider import Provider
from tests.world.served import keys_text
from tests.world.waiting import NEVER

# A module inside each, as one that is refused at its door has a line in the list as well.
NEEDLESS = {"alembic.config", "mako.template", "pygments.lexer", "rich.console", "sqlalchemy.util", "webauthn.helpers"}
WORKERS_BUSINESS = {"authlib.oauth2", "jinja2.environment", "joserfc.jwk", "starlette.requests"}
SERVERS_BUSINESS = {"babel.core", "httpx._client", "prometheus_client.registry", "structlog._config", "uvicorn.config"}
EACH = {"PYTHONPROFILEIMPORTTIME": "1"}


@pytest.mark.parametrize(
    ("python", "workers", "variables", "never"),
    [
        pytest.param(["-X", "importtime"], "1", {}, NEEDLESS, id="server"),
        pytest.param(["-X", "importtime"], "2", {}, NEEDLESS | WORKERS_BUSINESS, id="supervisor"),
        pytest.param([], "2", EACH, NEEDLESS, id="supervisor-and-workers"),
    ],
)
def test_a_start_loads_what_answering_needs(
    provider: Provider,
    database_url: str,
    key_chain: KeyChain,
    tmp_path: Path,
    python: list[str],
    workers: str,
    variables: dict[str, str],
    never: set[str],
) -> None:
    environ = environment(
        tmp_path / "data", IDP_DATABASE_URL=database_url, IDP_SECRET_KEYS=keys_text(key_chain), **variables
    )
    with (
        (tmp_path / "loaded").open("wb") as loaded,
        subprocess.Popen(
            [sys.executable, *python, "-m", "idp", "serve", "--port", "0", "--workers", workers],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=loaded,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            assert process.stdout.readline()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(NEVER) == 0
    modules = _modules((tmp_path / "loaded").read_text(encoding="utf-8"))
    assert {"idp.settings", "structlog.processors"} <= modules
    assert never & modules == set()


def test_a_command_that_only_looks_loads_no_server(
    provider: Provider, database_url: str, key_chain: KeyChain, tmp_path: Path
) -> None:
    environ = environment(
        tmp_path / "data", IDP_DATABASE_URL=database_url, IDP_SECRET_KEYS=keys_text(key_chain), **EACH
    )
    done = subprocess.run(
        [sys.executable, "-m", "idp", "user", "show", "alice"], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "ending" in done.stdout
    modules = _modules(done.stderr)
    assert {"idp.settings", "idp.flows.operate.finding"} <= modules
    assert (NEEDLESS | WORKERS_BUSINESS | SERVERS_BUSINESS) & modules == set()


def _modules(said: str) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in said.splitlines() if line.startswith("import time:")}
