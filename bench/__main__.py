"""`python -m bench`: every load and the floor in one run; the table goes to docs/performance.md."""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

import asyncpg
import uvloop

from bench import floor, growth, house, processes, report, seed
from bench.house import House
from bench.loads import CONNECTIONS, Bench, Drive, Measured
from bench.client import Connection

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def main() -> int:
    """0 when everything was measured."""
    given = arguments()
    os.sched_setaffinity(0, processes.cores()[1])
    with tempfile.TemporaryDirectory(prefix="stile-bench-") as scratch:
        Path(scratch).chmod(0o711)
        data_dir = given.data or Path(scratch) / "data"
        if given.what == "growth":
            sys.stdout.write(growth.run(data_dir, seconds=given.seconds, scale=0.01 if given.quick else 1.0))
            return 0
        result = run(data_dir, given)
    text = report.page(result)
    sys.stdout.write(text)
    if not given.quick and not given.only and not given.profile and not given.dry:
        PAGE.write_text(text, encoding="utf-8")
    return 0


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "growth"), default="all")
    parser.add_argument("--seconds", type=float, default=6.0, help="for each load (default: 6)")
    parser.add_argument("--quick", action="store_true", help="a few operations of each, to see that it works")
    parser.add_argument("--only", nargs="*", default=[], help="these loads: W1 … W7")
    parser.add_argument("--data", type=Path, help="a data directory to use and to keep; else a new one")
    parser.add_argument("--profile", type=Path, help="profile the worker into this file (the figures are then useless)")
    parser.add_argument("--dry", action="store_true", help="do not write docs/performance.md")
    return parser.parse_args()


def run(data_dir: Path, given: argparse.Namespace) -> report.Result:
    """One whole run on one machine."""
    seconds, most = (given.seconds, 1_000_000) if not given.quick else (5.0, 40)
    start = 0.0
    if not given.only:
        house.cold_start(data_dir)  # the first one makes the database
        start = min(house.cold_start(data_dir) for _ in range(1 if given.quick else 3))
    with house.opened(data_dir) as opened, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        with house.working(opened, "floor") as worker:
            server = runner.run(_floor(opened, worker, seconds=seconds / 2, most=most))
        crypto = floor.of_crypto(rounds=100 if given.quick else 3000)
        with house.working(opened, "idp", profile=given.profile) as worker:
            begun = processes.resident(worker.pid)
            measured = runner.run(_loads(opened, worker, seconds=seconds, most=most, only=frozenset(given.only)))
            resident = processes.resident(worker.pid)
        version = runner.run(_version(opened))
    return report.Result(
        loads=measured,
        floor=floor.Floor(*server, *crypto),
        start=start,
        resident=resident,
        resident_at_start=begun,
        postgres=version,
    )


async def _drive(opened: House, worker: house.Worker, *, warm_up: int = 12) -> Drive:
    connections = [await Connection.open(worker.port) for _ in range(CONNECTIONS)]
    return Drive(opened, worker, await asyncpg.connect(opened.url), connections, warm_up)


async def _floor(opened: House, worker: house.Worker, *, seconds: float, most: int) -> tuple[float, float, float]:
    drive = await _drive(opened, worker)
    try:
        return await floor.of_server(drive, seconds=seconds, most=most)
    finally:
        await _leave(drive)


async def _loads(
    opened: House, worker: house.Worker, *, seconds: float, most: int, only: frozenset[str]
) -> list[Measured]:
    seeds = await seed.client(opened.url, opened.secret_keys)
    await asyncio.sleep(0.3)  # the worker hears of the new client
    drive = await _drive(opened, worker)
    try:
        return await Bench(drive, seeds).run_all(seconds=seconds, most=most, only=only)
    finally:
        await _leave(drive)


async def _leave(drive: Drive) -> None:
    for connection in drive.connections:
        connection.close()
    await drive.raw.close()


async def _version(opened: House) -> str:
    raw = await asyncpg.connect(opened.url)
    try:
        version: str = await raw.fetchval("SELECT current_setting('server_version')")
        return version
    finally:
        await raw.close()


if __name__ == "__main__":
    sys.exit(main())
