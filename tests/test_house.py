"""The house rules that a linter does not know: sizes, first lines, names, and who reads the clock."""

import ast
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "idp").rglob("*.py"))


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_a_module_is_one_room(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300, "two rooms"


@pytest.mark.parametrize("path", [path for path in MODULES if path.stat().st_size], ids=_id)
def test_a_module_says_first_what_is_here(path: Path) -> None:
    found = ast.get_docstring(ast.parse(path.read_text()))
    assert found
    assert found.splitlines()[0].endswith((".", "?", ":")), found.splitlines()[0]


def test_no_module_is_named_for_nothing() -> None:
    meaningless = {"utils", "util", "helpers", "helper", "common", "misc", "services", "managers", "handlers"}
    assert not {path.stem for path in MODULES} & meaningless


def test_only_the_clock_reads_the_clock() -> None:
    reads = re.compile(r"\bdatetime\.(now|utcnow|today)\(|\btime\.time\(")
    found = [_id(path) for path in MODULES if reads.search(path.read_text())]
    # the demo's relying parties stand outside the provider and have clocks of their own
    assert [name for name in found if not name.startswith("idp/demo/")] == ["idp/clock.py"]


def test_help_is_there_at_once() -> None:
    # 300 ms on an idle machine (design 11), where Python alone takes 15 to 20
    assert min(_time("-m", "idp", "--help") for _ in range(3)) < 16 * min(_time("-c", "pass") for _ in range(3))


def _time(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_nothing_of_one_machine_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    homes = re.compile(r"/(?:home|Users)/[a-z]+/|/root/\w")
    found = [
        name
        for name in listed.stdout.split("\0")
        if name
        and name != "uv.lock"
        and (ROOT / name).is_file()
        and homes.search((ROOT / name).read_text(errors="replace"))
    ]
    assert found in ([], ["tests/test_house.py"])


@pytest.mark.xdist_group("processes")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="tests run in one process, one after the other")
def test_what_must_not_run_beside_its_like_is_kept_together(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@processes")
