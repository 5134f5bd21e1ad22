"""`idp completion`: what a shell shows at TAB, and what it costs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world.commands import Run

IDP = Path(sys.executable).parent / "idp"


def at_tab(**asked: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([IDP], env={**os.environ, **asked}, capture_output=True, text=True, check=True)


def test_bash_completes_commands_options_and_choices(run: Run) -> None:
    script = run("completion", "bash").out
    typed = "; ".join(
        f'COMP_WORDS=({words}); COMP_CWORD={words.count(" ")}; _idp_completion idp; echo "${{COMPREPLY[*]}}"'
        for words in ("idp user rem", "idp user list --st", "idp user list --state ''", "idp aud", "idp import k")
    )
    path = f"{IDP.parent}:{os.environ['PATH']}"
    said = subprocess.run(
        ["bash", "-c", f"{script}\n{typed}"],
        env={**os.environ, "PATH": path, "LC_ALL": "C"},  # bash complains of a language that is not installed
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stderr == ""
    assert [" ".join(line.split()) for line in said.stdout.splitlines()] == [
        "remove remove-authenticator",
        "--state",
        "enabled disabled frozen invited",
        "audit",
        "keycloak kratos",
    ]


def test_zsh_and_fish_complete_too(run: Run) -> None:
    assert run("completion", "zsh").out.startswith("#compdef idp\n")
    assert run("completion", "fish").out.startswith("complete --command idp ")
    zsh = at_tab(_IDP_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="idp user rena")
    assert '"rename":"Give a person another username."' in zsh.stdout
    fish = at_tab(
        _IDP_COMPLETE="complete_fish", _TYPER_COMPLETE_FISH_ACTION="get-args", _TYPER_COMPLETE_ARGS="idp user rena"
    )
    assert fish.stdout == "rename\tGive a person another username.\n"


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish on this machine")
def test_a_real_fish_completes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "idp.fish").write_text(run("completion", "fish").out, encoding="utf-8")
    asked = "source $argv[1]; complete -C 'idp user rena'; complete -C 'idp import a'"
    said = subprocess.run(
        ["fish", "--no-config", "-c", asked, str(tmp_path / "idp.fish")],
        env={**os.environ, "PATH": f"{IDP.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.splitlines() == ["rename\tGive a person another username.", "auth0", "authentik"]


def test_a_shell_that_nobody_has_is_told(run: Run) -> None:
    refused = run("completion", "tcsh")
    assert refused.status == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in refused.err
    assert "Value error" not in refused.err
    assert set(json.loads(run("completion", "fish", "--json").out)) == {"shell", "script"}


@pytest.mark.parametrize("room", ["idp.flows", "idp.store", "idp.settings", "asyncpg", "rich.console", "cryptography"])
def test_a_tab_loads_nothing_of_the_house(room: str) -> None:
    said = at_tab(_IDP_COMPLETE="complete_bash", COMP_WORDS="idp user s", COMP_CWORD="2", PYTHONPROFILEIMPORTTIME="1")
    assert sorted(said.stdout.split()) == ["sessions", "set", "show"]
    assert f" {room}\n" not in said.stderr
    assert f" {room}." not in said.stderr
