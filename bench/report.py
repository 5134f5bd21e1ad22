"""The page that says what was measured and how to read it."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from bench.floor import Floor
from bench.kit import Checked
from bench.loads import CONNECTIONS, Measured
from bench.peer.process import NAME
from bench.peer.turns import Turns
from bench.sending import QUEUE, Sending
from bench.versus import MEMORY, SERVE, SHOW, Ratio, Versus

TITLES = {
    "W1": "metadata",
    "W2": "code exchange",
    "W3": "refresh",
    "W4": "userinfo",
    "W5": "whole login, without its argon2id",
    "W6": "second factor (app) alone",
    "W7": "authorize, signed in",
    "W8": "introspection",
    "W9": "a payment: pushed, shown, approved, exchanged",
}
_HEAD = "| load | x floor | target | ms | ours | PostgreSQL | statements | commits | ops/s | p50 ms | p99 ms |"
_ABOUT = """\
# Performance

Written by `make bench`; do not edit. What it costs to run Stile, and how far that is from what it must cost.

{table}
## How to read it

- **x floor comes first, because it travels.** Milliseconds belong to the machine of the run and to what else it did;
  the floor was measured in the same minutes. It is what nobody who does this job on this stack could go below:
  F = a greeting by the same server (uvicorn, uvloop, httptools, Starlette) + two ES256 signatures + one committed
  INSERT through the driver, processor time of both sides. W1 is compared with the greeting alone, W4 and W8 with
  greeting + one row read + one ES256 verification.
- **ms** is processor time per operation, of the worker and of all processes of PostgreSQL together; *ours* and
  *PostgreSQL* take it apart. A W5 is five requests: the page that asks, password, the page for the app's
  code, the code, tokens. Its argon2id, {argon2id:.0f} ms by choice, runs in a thread of its own, which is left out.
- **statements** and **commits** are counted, not estimated; a commit is a transaction that wrote, so it waits for the
  disk.
- **ops/s, p50, p99** are those of one worker on one core that it shares with PostgreSQL, {connections} connections
  without pause: the percentiles are mostly waiting for one's turn.
- **text messages** go to a provider on this machine that answers at once, one by one with pauses, then {queue} at once:
  what is measured is ours, from the commit of the row to the provider's door, rules and budgets judged on the way.
- **the kit** checks distinct tokens, keys at hand, turn and turn about with `cryptography`'s verification of the very
  same signatures; the least of all rounds.
- **resident after all loads** holds about 20 MB that the C library keeps for the next argon2id; how to get them back is
  in [operations](operations.md#the-shape).
- **against another revision**: both are measured on this machine, each by its own bench and in an environment of its
  own, turn and turn about; a ratio is ours by theirs, the median of the pairs. `make bench VS=REV` writes that column.
- **against node-oidc-provider**: the fastest of its kind, beside ours on the same PostgreSQL in a database of its own,
  turn and turn about, and what is not measured stands still. A ratio is processor time of server and PostgreSQL,
  ours by theirs, the median of the pairs. It has what it needs and no more: one table with its keys, prepared
  statements, a pool as large as ours, ES256, refresh tokens that rotate, sessions, grants and interactions that are
  kept, a person looked up where it asks for one, a page for the password and one for the app (seven requests). It has
  no limits, no audit rows, no policy and no log line. Its access tokens are opaque where ours are signed, for it
  accepts signed ones neither at its userinfo nor at its introspection. Its argon2id has a thread of its own too, and is
  left out. `make bench PEER=1` writes that column; it needs node (20 or newer) and npm, which fetches what
  `bench/peer/package-lock.json` names.
- **below which a load cannot go**: its greetings, rows read, rows committed and signatures alone, at the prices of the
  floor, are {least5:.1f} ms for W5 (five requests, seven statements, four of them commits), {least6:.1f} ms for W6
  and {least7:.1f} ms for W7. What is above that is ours: pages, forms, policy, audit rows, limits and the indexes that
  keep them fast. The targets of W5, W6 and W7 leave less for it than it takes.

One worker as `idp serve` runs it, the embedded PostgreSQL beside it with its settings for durability untouched, people
from different addresses behind a trusted proxy, ES256 for the tokens, a client secret for the client. The load comes
from another core. Background work (outbox, sweeper, clock) goes on meanwhile and is in the figures.

`python -m bench growth` asks what 100,000 more people, 200,000 expired rows more in each table and a million messages
sent before change. It takes a few minutes and writes nothing. `--only W2 --profile FILE` profiles a load.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One run. `start` is None where it was not measured."""

    loads: list[Measured]
    floor: Floor
    sending: Sending | None
    start: float | None
    resident_at_start: float
    resident: float
    postgres: str
    versus: Versus | None = None
    peer: Turns | None = None
    kit: Checked | None = None


def page(result: Result) -> str:
    """All of docs/performance.md."""
    floor = result.floor
    return _ABOUT.format(
        table=table(result),
        argon2id=floor.argon2id,
        connections=CONNECTIONS,
        queue=QUEUE,
        least5=_least(floor, requests=5, reads=3, commits=4, signatures=2),
        least6=_least(floor, requests=1, reads=1, commits=1),
        least7=_least(floor, requests=1, reads=1, commits=0),
    )


def _least(floor: Floor, *, requests: int, reads: int, commits: int, signatures: int = 0) -> float:
    """Milliseconds that so much traffic costs on the bare stack."""
    return requests * floor.hello + reads * floor.read + commits * floor.write + signatures * floor.sign


def table(result: Result) -> str:
    """The figures."""
    floor = result.floor
    lines = [
        *_loads(result),
        "",
        "| floor | ms |",
        "| --- | ---: |",
        f"| greeting | {floor.hello:.3f} |",
        f"| one row read | {floor.read:.3f} |",
        f"| one row written and committed | {floor.write:.3f} |",
        f"| ES256 signature | {floor.sign:.3f} |",
        f"| ES256 verification | {floor.verify:.3f} |",
        f"| argon2id (19 MiB, t=2) | {floor.argon2id:.1f} |",
        f"| F | {floor.token:.3f} |",
        "",
        *_sent(result.sending),
        *_kit(result.kit),
        "| worker | | target |",
        "| --- | ---: | ---: |",
    ]
    if result.start is not None:
        lines.append(f"| `idp serve` to ready, initialised database | {result.start:.2f} s | 2 s |")
    lines += [
        f"| resident after start | {result.resident_at_start:.0f} MB | 120 MB |",
        f"| {MEMORY} | {result.resident:.0f} MB | 120 MB |",
        "",
        *_commands(result.versus),
        *_turns(result.peer),
        _made_with(result),
        "",
    ]
    return "\n".join(lines)


def _kit(checked: Checked | None) -> list[str]:
    """The kit's line."""
    if checked is None:
        return []
    line = f"| access token checked by the kit | {checked.ours:.3f} | {checked.ratio:.2f} | 1.5 |"
    return ["| application | ms | x its ES256 verification | target |", "| --- | ---: | ---: | ---: |", line, ""]


def _loads(result: Result) -> list[str]:
    """A line for each load, and a column more for each that was measured beside it."""
    lines = [_HEAD, "| --- |" + " ---: |" * 10, *(_line(load, result.floor) for load in result.loads)]
    if result.versus is not None:
        lines = _beside(lines, result, result.versus.revision, result.versus.figures)
    if result.peer is not None:
        lines = _beside(lines, result, NAME, {name: each.ratio for name, each in result.peer.figures.items()})
    return lines


def _beside(lines: list[str], result: Result, whom: str, ratios: Mapping[str, Ratio]) -> list[str]:
    more = [f" against {whom} |", " ---: |"]
    more += [f" {ratios[load.name].ratio:.2f} |" if load.name in ratios else "  |" for load in result.loads]
    return [line + cell for line, cell in zip(lines, more, strict=True)]


def _turns(peer: Turns | None) -> list[str]:
    if peer is None:
        return []
    lines = [
        f"| against {NAME} | here, ms | there, ms | ratio | least, most of {peer.rounds} | statements, commits there |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, each in peer.figures.items():
        ratio = each.ratio
        lines.append(
            f"| {name} {TITLES[name]} | {ratio.ours:.2f} | {ratio.theirs:.2f} | {ratio.ratio:.2f} "
            f"| {ratio.least:.2f}, {ratio.most:.2f} | {each.statements:.1f}, {each.commits:.1f} |"
        )
    return [
        *lines,
        "",
        f"{_today()}, {NAME} {peer.version}, node {peer.node.lstrip('v')}, both on this PostgreSQL.",
        "",
    ]


def _commands(versus: Versus | None) -> list[str]:
    if versus is None:
        return []
    lines = [f"| against {versus.revision} | here | there | ratio |", "| --- | ---: | ---: | ---: |"]
    for name, unit in ((SERVE, "s of processor"), (SHOW, "s of processor"), (MEMORY, "MB")):
        if name in versus.figures:
            each = versus.figures[name]
            lines.append(f"| {name} | {each.ours:.2f} {unit} | {each.theirs:.2f} {unit} | {each.ratio:.2f} |")
    return [*lines, ""]


def _sent(sending: Sending | None) -> list[str]:
    if sending is None:
        return []
    return [
        "| text messages | |",
        "| --- | ---: |",
        f"| commit to the provider's door, p50 | {sending.p50:.0f} ms |",
        f"| commit to the provider's door, p99 | {sending.p99:.0f} ms |",
        f"| a queue of {QUEUE} drains at | {sending.drained:.0f} a second |",
        "",
    ]


def _made_with(result: Result) -> str:
    return (
        f"{_today()}, Stile {version('stile-idp')}, Python {platform.python_version()}, "
        f"PostgreSQL {result.postgres}, uvicorn {version('uvicorn')}, asyncpg {version('asyncpg')}."
    )


def _today() -> str:
    return f"{datetime.now(UTC):%d %B %Y}"  # noqa: TID251


def _line(load: Measured, floor: Floor) -> str:
    ratio, target = _against(load, floor)
    cells = [
        f"{load.name} {TITLES[load.name]}",
        f"{ratio:.1f}",
        target,
        f"{load.cpu:.2f}",
        f"{load.ours:.2f}",
        f"{load.database:.2f}",
        f"{load.statements:.1f}",
        f"{load.commits:.1f}",
        f"{load.operations / load.seconds:.0f}",
        f"{load.percentile(0.5):.1f}",
        f"{load.percentile(0.99):.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _against(load: Measured, floor: Floor) -> tuple[float, str]:
    """The ratio to the floor, and the target for it or for the milliseconds."""
    match load.name:
        case "W1":
            return load.cpu / floor.hello, ""
        case "W4" | "W8":
            return load.cpu / floor.lookup, "2 x"
        case "W5":
            return load.cpu / floor.token, "5 ms"
        case "W6":
            return load.cpu / floor.token, "2 ms"
        case "W9":
            return load.cpu / floor.token, "1.3 x (W6 + W2)"
        case _:
            return load.cpu / floor.token, "2 x"
