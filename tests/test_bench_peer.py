"""What is measured beside the peer, and that nobody needs the peer who does not ask for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import report
from bench.floor import Floor
from bench.loads import Measured
from bench.peer import process
from bench.peer.loads import LOADS
from bench.peer.turns import Beside, Turns
from bench.versus import ratio_of
from tests.world.waiting import NEVER

ROOT = Path(__file__).resolve().parents[1]


def quick(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    command = [sys.executable, "-m", "bench", "--quick", "--peer", *words]
    return subprocess.run(
        command, cwd=ROOT, env=kept | environ, capture_output=True, text=True, timeout=NEVER * 5, check=False
    )


def result(peer: Turns | None) -> report.Result:
    loads = [Measured(name, 10, 1.0, 0.5, 0.0, 0.5, 1.0, 1.0, [0.01]) for name in ("W1", "W2")]
    return report.Result(loads, Floor(*(1.0,) * 6), None, None, 90.0, 100.0, "18.4", peer=peer)


def test_the_column_and_the_table_of_the_peer_are_there_when_it_was_run() -> None:
    figures = {"W2": Beside(ratio_of([(1.0, 2.0), (1.0, 4.0), (1.0, 5.0)]), 6.0, 3.0)}
    page = report.page(result(Turns("9.13.3", "v20.20.2", 3, figures)))
    lines = {line.split(" |")[0]: line for line in page.splitlines() if line.startswith("| ")}
    assert lines["| load"].endswith("| against node-oidc-provider |")
    assert lines["| W1 metadata"].endswith("|  |")
    assert "| W2 code exchange | 1.00 | 4.00 | 0.25 | 0.20, 0.50 | 6.0, 3.0 |" in page
    assert next(line for line in page.splitlines() if line.startswith("| W2 ")).endswith("| 0.25 |")
    assert "node-oidc-provider 9.13.3, node 20.20.2" in page


def test_no_figure_of_the_peer_is_there_when_it_was_not_run() -> None:
    assert process.NAME not in report.table(result(None))


def test_without_node_the_bench_says_what_is_missing_before_it_measures_anything(tmp_path: Path) -> None:
    done = quick(PATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == "bench: --peer measures node-oidc-provider, which needs node (20 or newer) and npm\n"


@pytest.mark.skipif(
    shutil.which("node") is None or not process.installed(), reason="the peer's packages: make bench PEER=1"
)
def test_each_load_happens_on_both_sides() -> None:
    done = quick("--only", *LOADS)
    assert done.returncode == 0, done.stderr[-3000:]
    table = done.stdout.partition("| against node-oidc-provider | here")[2]
    found = {line[2:4]: line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| W")}
    # What the library asks of its storage, and no more: 6 for a code, 5 for an authorization request.
    asked = {load: tuple(round(float(each)) for each in cells[-1].split(",")) for load, cells in found.items()}
    assert asked == {"W2": (6, 3), "W3": (6, 3), "W4": (3, 0), "W5": (22, 10), "W7": (5, 2), "W8": (2, 0)}
