"""What `idp serve` loads before it answers: on a database that is up to date, nothing that only changes databases."""

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
NEEDLESS = {"alembic.config", "mako.template", "pygments.lexer", "rich.console", "sqlalchemy.util"}
WORKERS_BUSINESS = {"authlib.oauth2", "jinja2.environment", "joserfc.jwk", "starlette.requests"}
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
    lines = (tmp_path / "loaded").read_text(encoding="utf-8").splitlines()
    modules = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert {"idp.settings", "structlog.processors"} <= modules
    assert never & modules == set()
