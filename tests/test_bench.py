"""The bench measures what it says: each load really happens, and is counted. How fast is not asked here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import versus
from tests.world.waiting import NEVER

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    environ["PATH"] = str(tmp_path_factory.mktemp("empty"))  # neither node nor anything else is needed
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=NEVER * 5,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def cells(printed: str, load: str) -> list[str]:
    line = next(line for line in printed.splitlines() if line.startswith(f"| {load} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("load", "statements", "commits"),
    [
        pytest.param("W1", 0, 0, id="metadata asks the database nothing"),
        pytest.param("W2", 1, 1, id="a code is exchanged in one statement"),
        pytest.param("W3", 1, 1, id="a refresh is one statement"),
        pytest.param("W4", 1, 0, id="userinfo reads once"),
        pytest.param("W5", 7, 4, id="a whole login"),
        pytest.param("W6", 2, 1, id="a second factor: load, answer"),
        pytest.param("W7", 1, 0, id="authorize with a session writes nothing"),
        pytest.param("W8", 1, 0, id="introspection reads once"),
        pytest.param("W9", 5, 4, id="a payment: push, page, load and answer, exchange"),
    ],
)
def test_each_load_happens_within_its_budget(printed: str, load: str, statements: int, commits: int) -> None:
    found = cells(printed, load)
    # Senders and the clock ask about twice a second beside it, so that on a slow machine more falls on each operation.
    beside = 0.5 + 3 / max(0.5, float(found[8]))
    assert float(found[6]) == pytest.approx(statements, abs=beside)
    assert float(found[7]) == pytest.approx(commits, abs=beside)
    assert float(found[9]) > 0


def test_the_floor_and_the_worker_are_there(printed: str) -> None:
    figures = dict(re.findall(r"^\| ([^|]+?) \| ([0-9.]+)", printed, re.MULTILINE))
    assert {"greeting", "ES256 signature", "F"} <= figures.keys()
    assert float(figures["F"]) > 0
    assert 20 < float(figures["resident after start"]) < 500
    assert 0 < float(figures["access token checked by the kit"]) < 10


def test_a_revision_that_git_does_not_know_is_told_as_such() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--vs", "no-such-revision"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=NEVER * 5,
        check=False,
    )
    assert done.returncode == 2
    assert "git knows no commit 'no-such-revision'" in done.stderr


def test_the_table_of_another_revision_is_read_by_its_headings(printed: str) -> None:
    found = versus.read(printed)
    assert set(found) == {"W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", versus.MEMORY}
    assert found["W2"] == float(cells(printed, "W2")[3])
    other = "| load | ms | more |\n| --- | ---: | ---: |\n| W2 code exchange | 7.25 | 1 |\n"
    assert versus.read(other) == {"W2": 7.25}
