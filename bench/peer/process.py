"""The peer as a process: its packages, its database on the server of ours, its thread that hashes."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
from joserfc.jwk import ECKey

from bench import processes, seed
from bench.house import House, told
from bench.seed import Seeds

HERE = Path(__file__).resolve().parent
LOCK = HERE / "package-lock.json"
FETCHED = HERE / "node_modules" / ".fetched"  # a copy of the lock file of that time
NAME = "node-oidc-provider"
DATABASE = "peer"
OLDEST = 20  # of node; it would rather have 22, and says so in its log
POOL = 10  # connections: the default of IDP_POOL_SIZE
# What idp.store.engine gives to its connections.
SETTINGS = "-c timezone=UTC -c jit=off -c plan_cache_mode=force_generic_plan -c statement_timeout=10000"


def fetch() -> None:
    """Its packages, as the lock file has them. Raises `ValueError` with one sentence where that cannot be."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise ValueError(f"--peer measures {NAME}, which needs node ({OLDEST} or newer) and npm")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.lstrip("v").partition(".")[0]) < OLDEST:
        raise ValueError(f"--peer needs node {OLDEST} or newer, and this is {said.strip()}")
    if installed():
        return
    if subprocess.run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=HERE, stdout=2, check=False).returncode:
        raise ValueError(f"the packages of {NAME} could not be fetched")
    shutil.copyfile(LOCK, FETCHED)


def installed() -> bool:
    """Whether the packages are there that the lock file names."""
    return FETCHED.exists() and FETCHED.read_bytes() == LOCK.read_bytes()


def version() -> str:
    """That of the package, as it is locked."""
    locked = json.loads(LOCK.read_text(encoding="utf-8"))
    return str(locked["packages"]["node_modules/oidc-provider"]["version"])


@dataclass(slots=True)
class Peer:
    """One running process of it."""

    process: subprocess.Popen[str]
    port: int
    hashing: int
    node: str
    cookie_key: str

    @property
    def pid(self) -> int:
        return self.process.pid

    def statements(self) -> int:
        """How many statements it has run."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def spent(self) -> tuple[float, float]:
        """Seconds of processor time: of all its threads but one, and of the one that hashes."""
        hashing = processes.cpu_of_thread(self.pid, self.hashing)
        return processes.cpu(self.pid) - hashing, hashing


async def database(house: House) -> str:
    """An empty database of its own, with its tables: the URL."""
    raw = await asyncpg.connect(house.url)
    try:
        await raw.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await raw.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await raw.close()
    url = urlsplit(house.url)._replace(path=f"/{DATABASE}").geturl()
    raw = await asyncpg.connect(url)
    try:
        await raw.execute((HERE / "tables.sql").read_text(encoding="utf-8"))
    finally:
        await raw.close()
    return url


@contextmanager
def working(house: House, seeds: Seeds) -> Iterator[Peer]:
    """One process of it on this database and on the core of the worker, until the block ends."""
    cookie_key = secrets.token_hex(32)
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "bench"}, private=True)
    order = {
        "database": _connection(house.url),
        "jwks": {"keys": [key.as_dict(private=True)]},
        "cookieKey": cookie_key,
        "client": {"id": seeds.client.id, "secret": seeds.secret, "redirectUri": seed.REDIRECT_URI},
    }
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("NODE_", "PG", "UV_"))}
    environ["NODE_ENV"] = "production"
    command = [shutil.which("node") or "node", str(HERE / "server.mjs")]
    with told(command, order, log=house.data_dir / "peer.log", environ=environ) as (process, answer):
        said = json.loads(answer)
        processes.pin(process.pid, processes.cores()[0])
        yield Peer(process, said["port"], said["hashing"], said["node"], cookie_key)


def _connection(url: str) -> dict[str, str | int]:
    """A URL of asyncpg's as the words of node-postgres."""
    parts = urlsplit(url)
    given = parse_qs(parts.query)
    return {
        "host": given["host"][0],
        "port": int(given["port"][0]),
        "user": parts.username or "",
        "password": parts.password or "",
        "database": parts.path.lstrip("/"),
        "options": SETTINGS,
        "max": POOL,
    }
