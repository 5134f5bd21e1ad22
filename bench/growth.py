"""What grows with the number of people and of leftovers: the same loads on a small database and on a full one."""

import asyncio
from pathlib import Path

import asyncpg
import uvloop

from bench import house, seed, sending, spending
from bench.driving import driven
from bench.house import House
from bench.loads import Bench, Measured

LOADS = frozenset({"W2", "W5", "W6"})
PEOPLE, LEFTOVERS = 100_000, 200_000


def run(data_dir: Path, *, seconds: float, most: int, scale: float) -> str:
    """A small table: each load before and after, and the ratio."""
    people, leftovers = int(PEOPLE * scale), int(LEFTOVERS * scale)
    with house.opened(data_dir) as opened, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        soon = sending.run(opened, scale=scale)
        small = runner.run(_measured(opened, seconds=seconds, most=most))
        runner.run(_fill(opened, people=people, leftovers=leftovers))
        full = runner.run(_measured(opened, seconds=seconds, most=most))
        runner.run(sending.history(opened.url, int(sending.HISTORY * scale)))
        still = sending.run(opened, scale=scale)
        judged = runner.run(spending.run(opened, scale=scale, rounds=min(most, 1000)))
    lines = [
        f"| load | small, ms | {people} people and {leftovers} expired rows more, ms | ratio | PostgreSQL alone |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for before, after in zip(small, full, strict=True):
        alone = after.database / before.database if before.database else 1.0
        lines.append(
            f"| {before.name} | {before.cpu:.2f} | {after.cpu:.2f} | {after.cpu / before.cpu:.2f} | {alone:.2f} |"
        )
    lines += [
        "",
        f"| text messages | nothing yet | after {int(sending.HISTORY * scale)} |",
        "| --- | ---: | ---: |",
        f"| to the provider, p50 / p99, ms | {soon.p50:.0f} / {soon.p99:.0f} | {still.p50:.0f} / {still.p99:.0f} |",
        f"| messages a second from a queue | {soon.drained:.0f} | {still.drained:.0f} |",
    ]
    return "\n".join(lines) + "\n\n" + judged


async def _measured(opened: House, *, seconds: float, most: int) -> list[Measured]:
    seeds = await seed.client(opened.url, opened.secret_keys)
    with house.working(opened, "idp") as worker:
        async with driven(opened, worker) as drive:
            return await Bench(drive, seeds).run_all(seconds=seconds, most=most, only=LOADS)


async def _fill(opened: House, *, people: int, leftovers: int) -> None:
    raw = await asyncpg.connect(opened.url)
    try:
        await seed.crowd(raw, people)
        await seed.leftovers(raw, leftovers)
        await raw.execute("VACUUM (ANALYZE)", timeout=300)
    finally:
        await raw.close()
