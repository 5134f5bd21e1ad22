"""docs/decisions/README.md leads newcomers to files and names that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "decisions" / "README.md"
NAMED = re.compile(r"`(?P<path>[\w./-]+\.\w+)(?::(?P<name>[^`]+))?`")
ANSWERS = [
    [(named["path"], named["name"]) for named in NAMED.finditer(line)]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| Where", "| ---"))
]


def test_every_question_is_answered_by_three_files_at_most() -> None:
    assert [len({path for path, _ in answer}) for answer in ANSWERS if not 1 <= len(answer) <= 3] == []
    assert len(ANSWERS) == 14


@pytest.mark.parametrize(("path", "name"), [named for answer in ANSWERS for named in answer])
def test_what_an_answer_names_is_there(path: str, name: str | None) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    if name is not None:
        assert name in (_names(ast.parse(text)) if path.endswith(".py") else text)


def _names(module: ast.Module) -> set[str]:
    """What a module defines: functions, classes and constants."""
    found: set[str] = set()
    for line in module.body:
        match line:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                found.add(name)
            case ast.Assign(targets=targets):
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(name)):
                found.add(name)
    return found


def test_every_decision_is_listed() -> None:
    pages = {page.name for page in PAGE.parent.glob("0*.md")}
    assert pages == set(re.findall(r"\]\((0[^)]+)\)", PAGE.read_text(encoding="utf-8")))
