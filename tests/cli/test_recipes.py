"""What the pages of docs/recipes say exists here. That the applications do it is `make recipes`, over the network."""

import ast
import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_group

from idp.cli import app
from idp.policy.loading import default_policy
from idp.settings.table import Settings
from tests.world.commands import Run
from tests.world.policies import OURS

RECIPES = Path(__file__).resolve().parents[2] / "docs" / "recipes"
PAGES = sorted(path for path in RECIPES.glob("*.md") if path.name != "README.md")
REGISTER = re.compile(r"^```sh register\n(.*?)^```$", re.MULTILINE | re.DOTALL)
POLICY = re.compile(r"^```toml policy\n(\[\w+\]\n)(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = "By its documented settings; not run."


def _walked() -> set[str]:
    """The names that `docs/recipes/run --only` takes."""
    module = ast.parse((RECIPES / "walks.py").read_text(encoding="utf-8"))
    tables = [line.value for line in module.body if isinstance(line, ast.AnnAssign) and line.value is not None]
    keys = [key for table in tables if isinstance(table, ast.Dict) for key in table.keys]
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def test_a_page_was_run_or_says_that_it_was_not() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in PAGES}
    assert {name for name, text in texts.items() if "\n## Last run\n" in text} == _walked()
    assert {name for name, text in texts.items() if NOT_RUN in text} == set(texts) - _walked()


def test_the_first_page_names_every_other_one() -> None:
    first = (RECIPES / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\[[\w-]+\.md\]\(([\w-]+\.md)\)", first)
    assert linked == list(dict.fromkeys(linked))
    assert sorted(linked) == [path.name for path in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_registration_is_accepted_and_every_scope_can_come(
    page: Path, run: Run, settings: pytest.MonkeyPatch, served_dir: Path, tmp_path: Path
) -> None:
    settings.setenv("IDP_DATA_DIR", str(served_dir))
    text = page.read_text(encoding="utf-8")
    for table, rows in POLICY.findall(text):
        policy = OURS.replace(table, table + rows, 1)
        assert policy != OURS
        (tmp_path / "policy.toml").write_text(policy, encoding="utf-8")
        settings.setenv("IDP_POLICY", str(tmp_path / "policy.toml"))
    (register,) = REGISTER.findall(text)
    program, *words = shlex.split(register.replace("\\\n", " "))
    assert program == "idp"
    ran = run(*words, "--json")
    assert ran.status == 0, ran.err
    shown = run("client", "show", ran.json["client_id"], "--json").json
    assert run("client", "remove", ran.json["client_id"], "--yes").status == 0
    assert shown["left_out"] == {}
    assert shown["home_uri"], "people find it on their account page"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_names_of_ours_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fields = {f"IDP_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bIDP_[A-Z_]+\b", text)) - fields == set()
    levels = set(default_policy().levels.values())
    assert set(re.findall(r"\burn:stile:[\w-]+", text)) - levels == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_command_of_ours_in_a_sentence_exists_with_its_options(page: Path) -> None:
    said = re.findall(r"`(idp [a-z][^`]*)`", page.read_text(encoding="utf-8"))
    assert [line for line in said if not _known(line.split()[1:])] == []


def _known(words: list[str]) -> bool:
    group, *rest = words
    room = get_group(app).commands.get(group)
    command = getattr(room, "commands", {}).get(rest[0]) if rest else room
    known = (
        {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
        if command
        else set()
    )
    return command is not None and {word for word in rest if word.startswith("--")} <= known
