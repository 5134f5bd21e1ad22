"""docs/specs.md names code and tests that exist."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"\| (?P<section>[^|`]+) \| (?P<what>[^|]+) \| `(?P<code>[^`]+)` \| `(?P<test>[^`]+)` \|")
LINES = [
    line
    for line in (ROOT / "docs" / "specs.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| section", "| ---"))
]
CLAIMED = (
    *("RFC 6749", "RFC 6750", "RFC 7636", "RFC 7662", "RFC 7009", "RFC 8414", "RFC 9068", "RFC 9207", "RFC 9470"),
    *("OIDC Core", "OIDC Discovery", "Form Post", "RP-Initiated Logout"),
)


@pytest.mark.parametrize("line", LINES)
def test_a_row_names_code_and_a_test_that_exist(line: str) -> None:
    row = ROW.fullmatch(line)
    assert row is not None
    module, _, function = row["code"].partition(":")
    assert callable(getattr(importlib.import_module(f"idp.{module}"), function))
    path, _, name = row["test"].partition(":")
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name.startswith("test_")
    assert name in defined


def test_every_specification_we_name_has_a_row() -> None:
    assert [each for each in CLAIMED if not any(line.startswith(f"| {each} ") for line in LINES)] == []
