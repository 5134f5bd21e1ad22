"""This tree against another revision: each one's own bench in an environment of its own, turn and turn about."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import house, processes

ROOT = Path(__file__).resolve().parents[1]
LOADS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9")
SERVE, SHOW, MEMORY = "idp serve to ready", "idp user show", "resident after all loads"
PASSWORD = "a lamp that nobody lit"
_ROW = re.compile(r"^\| (?:(W\d) )?(.*?) \|")


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours by theirs, pair by pair: the median, the least and the most; and the median of each side."""

    ours: float
    theirs: float
    ratio: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Versus:
    """One comparison. `figures` by load, then processor seconds of commands and megabytes of memory, by name."""

    revision: str
    rounds: int
    figures: Mapping[str, Ratio]


@dataclass(frozen=True, slots=True)
class _Tree:
    root: Path
    python: Path


def run(revision: str, scratch: Path, *, rounds: int, seconds: float, say: bool = True) -> Versus:
    """Measure both, one after the other, `rounds` times. Raises `ValueError` for what git knows no commit by."""
    found: dict[str, list[tuple[float, float]]] = {}
    with _other(revision, scratch / "other") as (name, other):
        mine = _Tree(ROOT, Path(sys.executable))
        for number in range(rounds):
            # who goes first alternates, so that neither always has the quieter or the warmer machine
            order = (mine, other) if number % 2 == 0 else (other, mine)
            measured = {tree.root: _measure(tree, scratch / f"{number}-{tree is mine:d}", seconds) for tree in order}
            ours, theirs = measured[mine.root], measured[other.root]
            for figure in ours.keys() & theirs.keys():
                found.setdefault(figure, []).append((ours[figure], theirs[figure]))
            if say:
                sys.stderr.write(f"round {number + 1} of {rounds} is measured\n")
    return Versus(name, rounds, {figure: ratio_of(pairs) for figure, pairs in found.items()})


def ratio_of(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """What these pairs of ours and theirs come to."""
    ratios = sorted(ours / theirs for ours, theirs in pairs)
    ours, theirs = (median(side) for side in zip(*pairs, strict=True))
    return Ratio(ours, theirs, median(ratios), ratios[0], ratios[-1])


@contextmanager
def _other(revision: str, where: Path) -> Iterator[tuple[str, _Tree]]:
    """A worktree of that revision, with the environment that its own lock file describes."""
    git = ["git", "-C", str(ROOT)]
    known = subprocess.run(
        [*git, "rev-parse", "--verify", "--quiet", "--short", f"{revision}^{{commit}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if known.returncode:
        raise ValueError(f"git knows no commit {revision!r} here: name one with its whole history fetched")
    subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(where), revision], check=True)
    try:
        environ = {
            key: value for key, value in os.environ.items() if not key.startswith(("UV_", "VIRTUAL_ENV", "MAKE"))
        }
        subprocess.run(
            ["make", "--silent", "env", f"PYTHON={sys.executable}"],
            cwd=where,
            env=environ,
            check=True,
            stdout=sys.stderr,
        )
        yield known.stdout.strip(), _Tree(where, where / ".venv" / "bin" / "python")
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", str(where)], check=False)


def _measure(tree: _Tree, data_dir: Path, seconds: float) -> dict[str, float]:
    """Milliseconds of each load, megabytes afterwards, processor seconds of the commands."""
    done = subprocess.run(
        [
            str(tree.python),
            "-m",
            "bench",
            "--dry",
            "--seconds",
            str(seconds),
            "--data",
            str(data_dir),
            "--only",
            *LOADS,
        ],
        cwd=tree.root,
        env=_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the bench of {tree.root.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return read(done.stdout) | _commands(tree, data_dir)


def read(printed: str) -> dict[str, float]:
    """The figures that travel, out of the table that a bench prints: columns are found by their names."""
    found: dict[str, float] = {}
    column = 0
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0] == "load" and "ms" in cells:
            column = cells.index("ms")
        elif (row := _ROW.match(line)) is not None and row[1] in LOADS:
            found[row[1]] = float(cells[column])
        elif cells[0] == MEMORY:
            found[MEMORY] = float(cells[1].split()[0])
    return found


def _commands(tree: _Tree, data_dir: Path) -> dict[str, float]:
    """Processor seconds: of `idp serve` from its start until a sign-in would work, and of a command beside it."""
    environ = _environ() | {"IDP_DATA_DIR": str(data_dir), "IDP_METRICS": "off"}

    def idp(*words: str, given: str = "") -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [str(tree.python), "-m", "idp", *words, "--json"]
        done = subprocess.run(
            command, cwd=tree.root, env=environ, input=given, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"idp {' '.join(words)}: {done.stderr[-1000:]}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    costs: list[float] = []
    shown: list[float] = []
    for _ in range(3):
        with house.serving([str(tree.python), "-m", "idp"], environ, cwd=tree.root) as process:
            costs.append(_ours(process.pid))
            if not costs[1:]:
                idp("user", "add", "versus", "--phone", "+37256789045", "--password-stdin", given=PASSWORD)
            shown.append(idp("user", "show", "versus"))
    return {SERVE: min(costs), SHOW: min(shown)}


def _ours(pid: int) -> float:
    """Processor seconds of a process and its descendants, without the PostgreSQL among them."""
    total, waiting = 0.0, [pid]
    while waiting:
        each = waiting.pop()
        try:
            if not Path(f"/proc/{each}/comm").read_text().startswith("postgres"):
                total += processes.cpu(each)
                waiting += [child for child in processes.family(each) if child != each]
        except OSError:
            continue
    return total


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "PYTHON"))}


def table(versus: Versus) -> str:
    """The comparison alone, for who reads it in a terminal."""
    units = {SERVE: "s", SHOW: "s", MEMORY: "MB"}
    lines = [
        f"| | here | {versus.revision} | ratio | least, most of {versus.rounds} |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in (*LOADS, SERVE, SHOW, MEMORY):
        if name in versus.figures:
            each, unit = versus.figures[name], units.get(name, "ms")
            lines.append(
                f"| {name} | {each.ours:.2f} {unit} | {each.theirs:.2f} {unit} | {each.ratio:.2f} "
                f"| {each.least:.2f}, {each.most:.2f} |"
            )
    return "\n".join(lines) + "\n"
