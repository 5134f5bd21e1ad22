"""Ours and the peer on one PostgreSQL, turn and turn about: ours by theirs, pair by pair."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import uvloop

from bench import house, seed
from bench.driving import driven
from bench.house import House
from bench.loads import Bench, Measured
from bench.peer import process
from bench.peer.loads import LOADS, PeerBench
from bench.versus import Ratio, ratio_of

WARM_UP = 25  # operations of each connection that do not count: PostgreSQL plans, and node compiles what is hot


@dataclass(frozen=True, slots=True)
class Beside:
    """One load on both sides; statements and commits are the peer's."""

    ratio: Ratio
    statements: float
    commits: float


@dataclass(frozen=True, slots=True)
class Turns:
    """One comparison, by load."""

    version: str
    node: str
    rounds: int
    figures: Mapping[str, Beside]


def run(
    opened: House, *, rounds: int, seconds: float, most: int, only: frozenset[str], warm_up: int = WARM_UP
) -> Turns:
    """Measure both, one after the other, `rounds` times. `only`: of `LOADS`, all of them if empty."""
    wanted = frozenset(LOADS) & (only or frozenset(LOADS))
    found: dict[str, list[tuple[Measured, Measured]]] = {}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seeds = runner.run(seed.client(opened.url, opened.secret_keys))
        beside = replace(opened, url=runner.run(process.database(opened)))
        with house.working(opened, "idp") as worker, process.working(beside, seeds) as peer:

            async def ours() -> list[Measured]:
                async with driven(opened, worker, warm_up=warm_up) as drive:
                    return await Bench(drive, seeds).run_all(seconds=seconds, most=most, only=wanted)

            async def theirs() -> list[Measured]:
                async with driven(beside, peer, warm_up=warm_up) as drive:
                    return await PeerBench(drive, seeds, peer.cookie_key).run_all(
                        seconds=seconds, most=most, only=wanted
                    )

            sides = ((ours, peer.pid), (theirs, worker.pid))
            for number in range(rounds):
                measured: dict[int, list[Measured]] = {}
                # who goes first alternates, so that neither always has the quieter or the warmer machine
                for turn, other in sides if number % 2 == 0 else sides[::-1]:
                    with _stopped(other):
                        measured[other] = runner.run(turn())
                for pair in zip(measured[peer.pid], measured[worker.pid], strict=True):
                    found.setdefault(pair[0].name, []).append(pair)
                sys.stderr.write(f"turn {number + 1} of {rounds} beside {process.NAME} is measured\n")
    return Turns(process.version(), peer.node, rounds, {name: _beside(pairs) for name, pairs in found.items()})


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """What is not measured stands still: background work of one side would be in the figures of the other."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _beside(pairs: list[tuple[Measured, Measured]]) -> Beside:
    return Beside(
        ratio_of([(ours.cpu, theirs.cpu) for ours, theirs in pairs]),
        median(theirs.statements for _, theirs in pairs),
        median(theirs.commits for _, theirs in pairs),
    )
