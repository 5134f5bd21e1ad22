"""What something costs, in passwords: hashing one is our measure, and as slow as the machine is at the moment."""

import time
from collections.abc import Callable

from tests.world import hashing


def least(work: Callable[[], object], rounds: int = 5) -> float:
    """Processor seconds of this thread, the least of several times."""
    spent = []
    for _ in range(rounds):
        began = time.thread_time()
        work()
        spent.append(time.thread_time() - began)
    return min(spent)


def in_passwords(work: Callable[[], object]) -> float:
    """How many passwords could be hashed meanwhile: about 25 ms each on a machine of our days."""
    return least(work) / least(lambda: hashing.FULL[0].hash(hashing.PASSWORD))
