"""The command line, called in this process on an embedded PostgreSQL of its own, or as a process that is killed."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from functools import partialmethod
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import structlog

from idp import localpg
from idp.cli import main
from idp.store import engine
from tests.world.commands import PASSWORD, Ran, Run
from tests.world.waiting import NEVER


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """A shell's background job ignores SIGINT, and so would whatever it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def served_dir(embedded: localpg.LocalPostgres) -> Path:
    """A data directory whose PostgreSQL runs for the whole session, as under `idp serve`."""
    return embedded.data_dir


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """No setting but a data directory in which there is nothing; and logging as it was, afterwards.

    A command waits for the database as long as it takes: on a busy machine the first connection is slow.
    """
    patient = partialmethod(engine.Database.__init__, patience=timedelta(seconds=NEVER))
    monkeypatch.setattr(engine.Database, "__init__", patient)
    monkeypatch.setattr(engine, "_COMMAND", NEVER)
    for name in list(os.environ):
        if name.startswith("IDP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("IDP_DATA_DIR", str(tmp_path / "data"))
    ours = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("asyncpg", "httpx", "alembic", "uvicorn.error")}
    yield monkeypatch
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    structlog.configure(**ours)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process."""

    def call(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin.encode())))
        capsys.readouterr()
        status = main(list(arguments))
        said = capsys.readouterr()
        return Ran(status, said.out, said.err)

    return call


@pytest.fixture
def idp(run: Run, served_dir: Path, settings: pytest.MonkeyPatch) -> Run:
    """Run a command on the database of the session."""
    settings.setenv("IDP_DATA_DIR", str(served_dir))
    return run


@pytest.fixture
def person(idp: Run, request: pytest.FixtureRequest) -> str:
    """A person of this test's own."""
    name = f"p{abs(hash(request.node.nodeid)) % 10**10}"
    added = idp("user", "add", name, "--phone", "+37256789045", "--password-stdin", stdin=PASSWORD)
    assert added.status == 0, added.err
    return name
