"""`python -m bench`: every load and the floor in one run; the table goes to docs/performance.md."""

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import asyncpg
import uvloop

from bench import floor, growth, house, kit, processes, report, seed, sending, versus
from bench.driving import driven
from bench.house import House
from bench.loads import CONNECTIONS, Bench, Measured
from bench.peer import process, turns

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
QUICK = 25  # operations of each load, to see that it works


def main() -> int:
    """0 when everything was measured."""
    given = arguments()
    os.sched_setaffinity(0, processes.cores()[1])
    seconds, most = (5.0, QUICK) if given.quick else (given.seconds, 1_000_000)
    with tempfile.TemporaryDirectory(prefix="stile-bench-") as scratch:
        Path(scratch).chmod(0o711)
        data_dir = given.data or Path(scratch) / "data"
        if given.what == "growth":
            scale = 0.01 if given.quick else 1.0
            sys.stdout.write(growth.run(data_dir, seconds=seconds, most=most, scale=scale))
            return 0
        try:
            if given.peer:
                process.fetch()
            compared = _versus(given, Path(scratch))
        except ValueError as error:
            sys.stderr.write(f"bench: {error}\n")
            return 2
        result = replace(run(data_dir, given, seconds=seconds, most=most), versus=compared)
    sys.stdout.write(report.table(result))
    if not (given.quick or given.only or given.profile or given.dry):
        PAGE.write_text(report.page(result), encoding="utf-8")
    return 0


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "growth"), default="all")
    parser.add_argument("--seconds", type=float, default=6.0, help="for each load (default: 6)")
    parser.add_argument("--quick", action="store_true", help="a few operations of each, to see that it works")
    parser.add_argument("--only", nargs="*", default=[], help="these loads: W1 … W9; no cold start")
    parser.add_argument("--vs", metavar="REV", help="measure this revision too, turn and turn about: ours by theirs")
    parser.add_argument("--peer", action="store_true", help=f"measure {process.NAME} too, turn and turn about")
    parser.add_argument("--rounds", type=int, default=5, help="how often, with --vs and --peer (default: 5)")
    parser.add_argument("--data", type=Path, help="a data directory to use and to keep; else a new one")
    parser.add_argument("--profile", type=Path, help="profile the worker into this file (the figures are then useless)")
    parser.add_argument("--dry", action="store_true", help="do not write docs/performance.md")
    return parser.parse_args()


def _versus(given: argparse.Namespace, scratch: Path) -> versus.Versus | None:
    if not given.vs:
        return None
    everywhere = processes.cores()
    os.sched_setaffinity(0, set.union(*everywhere))  # each bench takes the cores apart by itself
    try:
        rounds, seconds = (1, 1.0) if given.quick else (given.rounds, given.seconds / 2)
        return versus.run(given.vs, scratch, rounds=rounds, seconds=seconds)
    finally:
        os.sched_setaffinity(0, everywhere[1])


def run(data_dir: Path, given: argparse.Namespace, *, seconds: float, most: int) -> report.Result:
    """One whole run on one machine."""
    start = None
    if not given.only and not given.quick:
        house.cold_start(data_dir)  # the first one makes the database
        start = min(house.cold_start(data_dir) for _ in range(3))
    # one after the other where nothing is measured: a slow machine answers eight at once with "not now"
    warm_up, at_once = (1, 1) if given.quick else (12, CONNECTIONS)
    with house.opened(data_dir) as opened, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        with house.working(opened, "floor") as worker:
            server = runner.run(_floor(opened, worker, at_once, seconds=seconds / 2, most=most * 20, warm_up=warm_up))
        crypto = floor.of_crypto(rounds=100 if given.quick else 3000)
        seeds = runner.run(seed.client(opened.url, opened.secret_keys))
        with house.working(opened, "idp", profile=given.profile) as worker:
            begun = processes.resident(worker.pid)
            only = frozenset(given.only)
            loads = runner.run(
                _loads(opened, worker, seeds, at_once, seconds=seconds, most=most, only=only, warm_up=warm_up)
            )
            resident = processes.resident(worker.pid)
        beside = _peer(opened, given, seconds=seconds, most=most) if given.peer else None
        sent = None if only else sending.run(opened, scale=0.05 if given.quick else 1.0)
        version = runner.run(_version(opened))
    checked = None if only else kit.run(rounds=2 if given.quick else 40)
    measured = floor.Floor(*server, *crypto)
    return report.Result(loads, measured, sent, start, begun, resident, version, peer=beside, kit=checked)


def _peer(opened: House, given: argparse.Namespace, *, seconds: float, most: int) -> turns.Turns:
    rounds, warm_up = (1, 1) if given.quick else (given.rounds, turns.WARM_UP)
    only = frozenset(given.only)
    return turns.run(opened, rounds=rounds, seconds=seconds / 2, most=most, only=only, warm_up=warm_up)


async def _floor(
    opened: House, worker: house.Worker, at_once: int, *, seconds: float, most: int, warm_up: int
) -> tuple[float, float, float]:
    async with driven(opened, worker, warm_up=warm_up, at_once=at_once) as drive:
        return await floor.of_server(drive, seconds=seconds, most=most)


async def _loads(
    opened: House,
    worker: house.Worker,
    seeds: seed.Seeds,
    at_once: int,
    *,
    seconds: float,
    most: int,
    only: frozenset[str],
    warm_up: int,
) -> list[Measured]:
    async with driven(opened, worker, warm_up=warm_up, at_once=at_once) as drive:
        return await Bench(drive, seeds).run_all(seconds=seconds, most=most, only=only)


async def _version(opened: House) -> str:
    raw = await asyncpg.connect(opened.url)
    try:
        version: str = await raw.fetchval("SELECT current_setting('server_version')")
        return version
    finally:
        await raw.close()


if __name__ == "__main__":
    sys.exit(main())
