"""What runs during a measurement: the embedded PostgreSQL, and beside it one worker at a time."""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench import processes
from idp import localpg
from idp.serving.place import KEY_FILE, read_or_make_keys
from idp.store import migrations

WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class House:
    """A running, migrated database and the keys for it."""

    data_dir: Path
    url: str
    postmaster: int
    secret_keys: str


@contextmanager
def opened(data_dir: Path) -> Iterator[House]:
    """The embedded PostgreSQL in this directory, with the tables of this version, on the core of the worker."""
    with localpg.start(data_dir) as server:
        asyncio.run(migrations.migrate(server.url))
        for pid in processes.family(server.pid):
            processes.pin(pid, processes.cores()[0])
        yield House(data_dir, server.url, server.pid, read_or_make_keys(data_dir / KEY_FILE))


@dataclass(slots=True)
class Worker:
    """One running worker."""

    process: subprocess.Popen[str]
    port: int
    counter: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def statements(self) -> int:
        """How many statements it has run."""
        return int.from_bytes(self.counter.read_bytes(), sys.byteorder)

    def spent(self) -> tuple[float, float]:
        """Seconds of processor time: of the event loop, and of the threads beside it, which hash."""
        ours = processes.cpu_of_thread(self.pid, self.pid)
        return ours, processes.cpu(self.pid) - ours


@contextmanager
def working(
    house: House, what: str, *, profile: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Worker]:
    """A worker of this kind ("idp" or "floor") on its core, until the block ends.

    `profile`: where cProfile's goes. `settings`: by field, beside what a bench needs.
    """
    counter = house.data_dir / "statements"
    counter.write_bytes(bytes(8))
    log = house.data_dir / f"{what}.log"
    order: dict[str, Any] = {
        "what": what,
        "url": house.url,
        "data_dir": str(house.data_dir),
        "secret_keys": house.secret_keys.strip(),
        "cores": sorted(processes.cores()[0]),
        "counter": str(counter),
        "settings": dict(settings or {}),
        "profile": None if profile is None else str(profile),
    }
    command = [sys.executable, "-m", "bench.worker"]
    with told(command, order, log=log, environ=_environ(house.data_dir)) as (process, port):
        yield Worker(process, int(port), counter)


@contextmanager
def told(
    command: Sequence[str], order: Mapping[str, Any], *, log: Path, environ: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that reads its order as one line and answers with one when it is ready; it ends with its input."""
    with log.open("w") as lines:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=lines,
            text=True,
            env=environ,
            cwd=Path(__file__).resolve().parents[1],
        )
    try:
        stdin, stdout = _pipes(process)
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RuntimeError(f"{command[0]} did not start: {log.read_text()[-2000:]}")
        yield process, answer
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def cold_start(data_dir: Path) -> float:
    """Seconds from starting `idp serve` on this directory until it says that a sign-in would work."""
    environ = _environ(data_dir) | {"IDP_DATA_DIR": str(data_dir), "IDP_METRICS": "off"}
    started = time.perf_counter()
    with serving([sys.executable, "-m", "idp"], environ):
        return time.perf_counter() - started


@contextmanager
def serving(
    idp: Sequence[str], environ: Mapping[str, str], *, cwd: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """`idp serve` by this command, from the moment that it says that a sign-in would work until the block ends."""
    process = subprocess.Popen(
        [*idp, "serve", "--json", "--host", "127.0.0.1", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environ,
        cwd=cwd,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise RuntimeError("`idp serve` did not start")
        _await_ready(json.loads(said)["address"])
        yield process
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _await_ready(address: str) -> None:
    until = time.perf_counter() + WITHIN
    while time.perf_counter() < until:
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=5):  # noqa: S310 - our own address
                return
        except urllib.error.URLError:
            time.sleep(0.01)
    raise RuntimeError("`idp serve` is not ready")


def _environ(data_dir: Path) -> dict[str, str]:
    """Ours without settings of Stile. Compiled modules are kept, as they are wherever Stile is installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"PYTHONPYCACHEPREFIX": str(data_dir / "compiled")}
