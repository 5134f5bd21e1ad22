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
    """Measure each load on both, one right after the other, `rounds` times. `only`: of `LOADS`, all if empty."""
    wanted = frozenset(LOADS) & (only or frozenset(LOADS))
    found: dict[str, list[tuple[Measured, Measured]]] = {}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seeds = runner.run(seed.client(opened.url, opened.secret_keys))
        beside = replace(opened, url=runner.run(process.database(opened)))
        with house.working(opened, "idp") as worker, process.working(beside, seeds) as peer:

            async def turns(number: int) -> None:
                async with (
                    driven(opened, worker, warm_up=warm_up) as ours,
                    driven(beside, peer, warm_up=warm_up) as theirs,
                ):
                    sides = {
                        peer.pid: Bench(ours, seeds).loads(seconds=seconds, most=most, only=wanted),
                        worker.pid: PeerBench(theirs, seeds, peer.cookie_key).loads(
                            seconds=seconds, most=most, only=wanted
                        ),
                    }
                    for _ in wanted:
                        measured: dict[int, Measured] = {}
                        # who goes first alternates, so that neither always has the quieter or the warmer machine
                        for other in list(sides)[:: 1 if number % 2 == 0 else -1]:
                            with _stopped(other):
                                measured[other] = await anext(sides[other])
                        pair = measured[peer.pid], measured[worker.pid]
                        found.setdefault(pair[0].name, []).append(pair)

            for number in range(rounds):
                runner.run(turns(number))
                sys.stderr.write(f"round {number + 1} of {rounds} beside {process.NAME} is measured\n")
    figures = {name: _beside(found[name]) for name in sorted(found)}
    return Turns(process.version(), peer.node, rounds, figures)


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
