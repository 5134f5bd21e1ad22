"""`idp export`: a file for its owner alone, whole or not there; and back by `idp import stile`."""

import fcntl
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import typer

from idp.cli.exporting import written
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


def test_what_a_killed_export_left_goes_with_the_next_and_nothing_else(idp: Run, tmp_path: Path) -> None:
    file, left, held = tmp_path / "a[b].jsonl", tmp_path / ".a[b].jsonl.0123abcd", tmp_path / ".a[b].jsonl.4567cdef"
    others = [tmp_path / ".a[b].jsonl.bak", tmp_path / ".ab.jsonl.0123abcd", tmp_path / "mine"]
    for each in (left, held, *others):
        each.write_text("a number", encoding="utf-8")
    link = tmp_path / ".a[b].jsonl.89abcdef"
    link.symlink_to(tmp_path / "mine")
    with held.open("rb") as by_another:
        fcntl.flock(by_another, fcntl.LOCK_EX)
        assert idp("export", str(file)).status == 0
    assert sorted(tmp_path.iterdir()) == sorted([file, held, link, *others])


def test_of_many_exports_to_one_place_one_is_written_and_nothing_left(tmp_path: Path) -> None:
    """Each clears what others left, and never what one is writing."""
    for number in range(25):
        file, together = tmp_path / f"{number}.jsonl", Barrier(8)

        def one(who: int, file: Path = file, together: Barrier = together) -> bool:
            together.wait()
            try:
                with written(file) as to:
                    to.write(f"{who}\n" * 100)
            except (FileExistsError, typer.BadParameter):
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(one, range(8))) == 1
        assert len(set(file.read_text(encoding="utf-8").splitlines())) == 1
    assert len(list(tmp_path.iterdir())) == 25


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
    assert found["vouched_for"]
    told = idp("import", "stile", file, "--dry-run", "--passphrase-stdin", stdin=PASSPHRASE).out
    assert "vouches" not in told


def test_that_nothing_vouches_is_said_where_it_is_written_and_where_it_is_read(idp: Run, tmp_path: Path) -> None:
    for number, more in enumerate(([], ["--with-secrets", "--in-clear"])):
        file = str(tmp_path / f"{number}.jsonl")
        assert "Nothing vouches for it" in idp("export", file, *more).out
        assert idp("import", "stile", file, "--dry-run").out.startswith("Nothing vouches for this file")
        assert not idp("import", "stile", file, "--dry-run", "--json").json["vouched_for"]


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
