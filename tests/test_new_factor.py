"""A new factor: mypy names every place that must know it, and the page that says how one is added lists no others."""

import re
import subprocess
import sys
from pathlib import Path
from shutil import copytree

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/decisions/0011-adding-a-factor.md"
MOST = 10


def listed() -> list[str]:
    return re.findall(r"^\d+\. `([^`]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_mypy_names_every_place_that_must_know_a_new_factor(tmp_path: Path) -> None:
    house = copytree(ROOT / "idp", tmp_path / "idp")
    put(house / "model/factors.py", before="\n\n@dataclass", what='    SMARTCARD = "smartcard"\n')
    put(house / "store/signin/consuming.py", before="Evidence = ", what="class Inserted: ...\n\n\n")
    put(
        house / "store/signin/consuming.py",
        before="\n\n\n@dataclass(frozen=True, slots=True)\nclass Use",
        what=" | Inserted",
    )
    # What names no factor need not know one: without the rest and the libraries it takes two seconds, not fifteen.
    asked = [path.relative_to(tmp_path) for path in sorted(house.rglob("*.py")) if names_factors(path)]
    options = ("--config-file", ROOT / "pyproject.toml", "--cache-dir", tmp_path / "cache", "--follow-imports", "skip")
    mypy: tuple[str | Path, ...] = (sys.executable, "-m", "mypy", *options, *asked)
    said = subprocess.run(mypy, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    named = set(re.findall(r'^(\S+?):\d+: error: Argument 1 to "assert_never" has', said, re.MULTILINE))
    assert named == {place for place in listed() if (ROOT / place).exists()}, said


def put(path: Path, *, before: str, what: str) -> None:
    text = path.read_text(encoding="utf-8")
    at = text.index(before)
    path.write_text(text[:at] + what + text[at:], encoding="utf-8")


def names_factors(path: Path) -> bool:
    return "model" in path.parts or bool(re.search(r"\b(Factor|Evidence)\b", path.read_text(encoding="utf-8")))


def test_a_factor_takes_ten_files_at_most() -> None:
    assert 0 < len(listed()) == len(set(listed())) <= MOST
