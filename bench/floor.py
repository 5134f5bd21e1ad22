"""The floor: what nobody who does this job on this machine could go below."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from bench import processes
from bench.loads import Drive, get
from idp.factors import password as passwords

CREATE = """
DROP TABLE IF EXISTS bench_floor;
CREATE TABLE bench_floor (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, body text NOT NULL
);
INSERT INTO bench_floor (at, body) VALUES (now(), 'x');
"""


@dataclass(frozen=True, slots=True)
class Floor:
    """Milliseconds of processor time; `read` and `write` are one statement, both sides, without the request."""

    hello: float
    read: float
    write: float
    sign: float
    verify: float
    argon2id: float

    @property
    def token(self) -> float:
        """F: a request, two signatures, one committed statement."""
        return self.hello + 2 * self.sign + self.write

    @property
    def lookup(self) -> float:
        """A request, one statement that reads, one verification."""
        return self.hello + self.read + self.verify


async def of_server(drive: Drive, *, seconds: float, most: int) -> tuple[float, float, float]:
    """A greeting; and, beyond that, a row read and a row written and committed."""
    await drive.raw.execute(CREATE)
    hello, read, write = [
        (await drive.run(path, get, repeat(path), seconds=seconds, most=most)).cpu
        for path in ("/hello", "/read", "/write")
    ]
    return hello, read - hello, write - hello


def of_crypto(*, rounds: int) -> tuple[float, float, float]:
    """One ES256 signature, one verification, one argon2id as we set it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processes.cores()[0])
    try:
        key = ec.generate_private_key(ec.SECP256R1())
        public, message, algorithm = key.public_key(), b"x" * 400, ec.ECDSA(SHA256())
        signature = key.sign(message, algorithm)
        password = passwords.Password("correct horse battery staple")
        hashed = passwords.hash_password(password)
        return (
            _cost(lambda: key.sign(message, algorithm), rounds),
            _cost(lambda: public.verify(signature, message, algorithm), rounds),
            _cost(lambda: passwords.verify(password, hashed=hashed), max(rounds // 50, 2)),
        )
    finally:
        os.sched_setaffinity(0, before)


def _cost(work: Callable[[], object], rounds: int) -> float:
    work()
    began = time.process_time()
    for _ in range(rounds):
        work()
    return 1000 * (time.process_time() - began) / rounds
