"""The page that says what was measured and how to read it."""

import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from bench.floor import Floor
from bench.loads import Measured

TITLES = {
    "W1": "metadata",
    "W2": "code exchange",
    "W3": "refresh",
    "W4": "userinfo",
    "W5": "whole login, authorize to tokens",
    "W6": "second factor (app) alone",
    "W7": "authorize, signed in",
}


@dataclass(frozen=True, slots=True)
class Result:
    """One run."""

    loads: list[Measured]
    floor: Floor
    start: float
    resident: float
    resident_at_start: float
    postgres: str


def page(result: Result) -> str:
    floor = result.floor
    lines = [
        "| load | × floor | target | ms beside | ours | PostgreSQL | statements | commits | ops/s | p50 | p99 | last |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for load in result.loads:
        beside, ratio, target = _ratio(load, floor)
        lines.append(
            f"| {load.name} {TITLES[load.name]} | {ratio:.2f} | {target} | {beside:.2f} | {load.ours:.2f} | "
            f"{load.database:.2f} | {load.statements:.1f} | {load.commits:.1f} | {load.operations / load.seconds:.0f} | "
            f"{load.percentile(0.5):.1f} | {load.percentile(0.99):.1f} | – |"
        )
    lines += [
        "",
        f"floor: hello {floor.hello:.3f}, read {floor.read:.3f}, write {floor.write:.3f}, sign {floor.sign:.3f}, "
        f"verify {floor.verify:.3f}, argon2id {floor.argon2id:.1f}; F {floor.token:.3f}, lookup {floor.lookup:.3f}",
        f"start {result.start:.2f} s, resident {result.resident_at_start:.0f} → {result.resident:.0f} MB",
        f"{datetime.now(UTC):%Y-%m-%d} {platform.python_version()} {result.postgres} {version('uvicorn')}",  # noqa: TID251
        sys.platform,
    ]
    return "\n".join(lines) + "\n"


def _ratio(load: Measured, floor: Floor) -> tuple[float, float, str]:
    match load.name:
        case "W1":
            return load.cpu, load.cpu / floor.hello, "–"
        case "W4":
            return load.cpu, load.cpu / floor.lookup, "2"
        case "W5":
            beside = load.cpu - floor.argon2id
            return beside, beside / floor.token, "5 ms"
        case "W6":
            return load.cpu, load.cpu / floor.token, "2 ms"
        case _:
            return load.cpu, load.cpu / floor.token, "2"
