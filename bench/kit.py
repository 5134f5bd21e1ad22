"""What the kit's check of an access token costs, beside the ES256 verification that it cannot do without."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

from bench import processes
from stile_rp import RelyingParty, jose, require
from stile_rp.testing import FakeProvider

TOKENS = 200
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Checked:
    """Milliseconds of processor time for one token, the least of all rounds."""

    ours: float
    floor: float

    @property
    def ratio(self) -> float:
        """Ours by the floor."""
        return self.ours / self.floor


def run(*, rounds: int) -> Checked:
    """Both on the same tokens, turn and turn about, keys at hand."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processes.cores()[0])
    try:
        provider = FakeProvider()
        party = RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)
        need, [key] = require("transfers:write"), provider.keys
        assert isinstance(key, ECKey)
        public, algorithm = key.public_key, ec.ECDSA(SHA256())
        tokens = [provider.access_token(scope="openid transfers:write") for _ in range(TOKENS)]
        signed = [_signed(token) for token in tokens]
        ours = floor = float("inf")
        for _ in range(rounds):
            floor = min(floor, _cost(lambda one: public.verify(*one, algorithm), signed))
            ours = min(ours, _cost(lambda token: party.check(f"Bearer {token}", need), tokens))
        return Checked(ours, floor)
    finally:
        os.sched_setaffinity(0, before)


def _signed(token: str) -> tuple[bytes, bytes]:
    read = jose.read(token, {})
    r, s = (int.from_bytes(half, "big") for half in (read.signature[:32], read.signature[32:]))
    return encode_dss_signature(r, s), read.signed


def _cost(work: Callable[[T], object], over: Sequence[T]) -> float:
    began = time.process_time()
    for one in over:
        work(one)
    return 1000 * (time.process_time() - began) / len(over)
