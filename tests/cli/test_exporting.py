"""`idp export`: a file for its owner alone, whole or not there; and back by `idp import stile`."""

import json
import stat
from pathlib import Path

import pytest

from tests.world.commands import Run

PASSPHRASE = "seven boats in a row"


def test_an_export_is_a_file_for_its_owner_alone(idp: Run, person: str, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    said = idp("export", str(file), "--json").json
    assert said["secrets"] == "none"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert person in [line["person"]["username"] for line in lines if "person" in line]
    assert lines[-1]["end"]["people"] == said["people"]
    assert "$argon2" not in file.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".out")] == []


def test_it_is_written_over_nothing(idp: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("mine", encoding="utf-8")
    ran = idp("export", str(file))
    assert (ran.status, file.read_text(encoding="utf-8")) == (2, "mine")
    assert "is there already" in ran.err


def test_standard_output_is_the_export_and_nothing_else(idp: Run, person: str) -> None:
    ran = idp("export", "-")
    assert next(json.loads(line) for line in ran.out.splitlines())["stile"] == "export"
    assert ran.out.count(person) >= 1


def test_what_is_sealed_comes_back_with_its_passphrase_alone(idp: Run, person: str, tmp_path: Path) -> None:
    file = str(tmp_path / "all.jsonl")
    assert idp("export", file, "--with-secrets", "--passphrase-stdin", stdin=PASSPHRASE).status == 0
    for stdin, said in (("another passphrase", "not the one"), (None, "are sealed")):
        more = [] if stdin is None else ["--passphrase-stdin"]
        ran = idp("import", "stile", file, "--dry-run", *more, stdin=stdin or "")
        assert (ran.status, ran.out) == (1, "")
        assert said in ran.err
    found = idp("import", "stile", file, "--dry-run", "--passphrase-stdin", "--json", stdin=PASSPHRASE).json
    assert person in found["people_there"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param(("export", "x", "--in-clear"), 2, "--with-secrets", id="in clear without"),
        pytest.param(("export", "x", "--passphrase-stdin"), 2, "--with-secrets", id="passphrase without"),
        pytest.param(("export", "x", "--with-secrets"), 2, "--passphrase-stdin", id="no terminal"),
        pytest.param(("export", "x", "--with-secrets", "--passphrase-stdin"), 2, "12 characters", id="short"),
        pytest.param(("export", "-", "--json"), 2, "give a FILE", id="both to standard output"),
        pytest.param(("export", "/nowhere/x"), 1, "No such file", id="no directory"),
        pytest.param(("import", "stile", "x", "--vouch-totp"), 2, "as it was", id="options"),
        pytest.param(("import", "csv", "x", "--passphrase-stdin"), 2, "FILE of Stile", id="passphrase of another"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(idp: Run, arguments: tuple[str, ...], status: int, said: str) -> None:
    ran = idp(*arguments, stdin="short")
    assert (ran.status, ran.out) == (status, "")
    assert said in " ".join(ran.err.split())
