"""argon2id for next to nothing, where its price does not matter: in full it would be a third of what all tests take.

Who measures it, or looks at what is stored, asks for the fixture `argon2id`; other processes pay in full.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import argon2

from idp.factors import password

Costs = tuple[argon2.PasswordHasher, str]

PASSWORD = "correct horse battery staple"
FULL: Costs = (password._HASHER, password.NOBODY)
CHEAP: Costs = (
    argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=32, salt_len=16),
    re.sub(r"\$m=\d+,t=\d+,", "$m=8,t=1,", password.NOBODY),
)


@contextmanager
def at(costs: Costs) -> Iterator[None]:
    """What the product pays for a password meanwhile."""
    before = password._HASHER, password.NOBODY
    password._HASHER, password.NOBODY = costs
    try:
        yield
    finally:
        password._HASHER, password.NOBODY = before


@cache
def _hashed(costs: Costs) -> str:
    return costs[0].hash(PASSWORD)


def hashed() -> str:
    """The password of all the people of the tests, as it would be stored now."""
    return _hashed((password._HASHER, password.NOBODY))
