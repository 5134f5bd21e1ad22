"""An operator at a shell: files that are none, streams that are closed, a full disk, Ctrl-C. Told, with no loss."""

import os
import re
import resource
import signal
import subprocess
from pathlib import Path
from time import monotonic

import pytest

from tests.world.commands import Run
from tests.world.processes import IDP, environment
from tests.world.waiting import NEVER

PEOPLE = "username,email\n" + "".join(f"full{number},full{number}@example.com\n" for number in range(50))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(PEOPLE.encode("utf-16"), "UTF-16", id="utf-16"),
        pytest.param(b"username\nann\nm\xfcller\n", "Line 3 is not in UTF-8", id="latin-1"),
        pytest.param(b"username,name\nann," + b"a" * 10_000_000, "Line 2 has a cell of more than", id="10 MB"),
        pytest.param(b"username\n\xef\xbb\xbf\x00\n", "NUL", id="nul"),
        pytest.param(b'username\n"ann\n', "Line 2 is no CSV", id="quote"),
    ],
)
def test_a_table_that_is_none_is_told_by_both_commands(idp: Run, tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    for command in (("user", "add", "--from", str(file)), ("import", "csv", str(file))):
        ran = idp(*command)
        assert (ran.status, ran.out) == (1, ""), ran
        assert said in ran.err


@pytest.mark.parametrize("source", ["keycloak", "auth0", "authentik", "kratos", "ldif", "stile"])
def test_a_file_that_is_empty_or_what_windows_calls_unicode_is_told(idp: Run, tmp_path: Path, source: str) -> None:
    file = tmp_path / "file"
    for content, said in ((b"", "it is empty"), ('{"realm": "r"}'.encode("utf-16"), "iconv -f UTF-16 -t UTF-8")):
        file.write_bytes(content)
        ran = idp("import", source, str(file))
        assert (ran.status, ran.out) == (1, "")
        assert said in ran.err


def test_where_a_file_is_broken_is_told(idp: Run, tmp_path: Path) -> None:
    file = tmp_path / "realm.json"
    file.write_text('{"realm": "r",\n "users": [\n' + '{"username": "ann"},\n' * 50_000 + '{"username": ann}]}')
    ran = idp("import", "keycloak", str(file))
    assert ran.err == "The file cannot be read, after character 1050027, on line 50003: not JSON in UTF-8.\n"


@pytest.mark.parametrize(
    ("redirected", "status", "said"),
    [
        pytest.param("import csv - <&-", 1, "The file is empty", id="no input for import"),
        pytest.param("user add --from - <&-", 1, "The file is empty", id="no input for a table"),
        pytest.param("user add zed --no-phone --password-stdin <&-", 1, "password", id="no input for a password"),
        pytest.param("user list >&-", 1, "Standard output is closed", id="no output"),
        pytest.param("user list <&- >&- 2>&-", 1, "", id="nothing"),
        pytest.param("user show nobody 2>&-", 1, "", id="nobody to tell"),
        pytest.param("user list > /dev/full", 1, "No space left", id="full"),
        pytest.param("export - > /dev/full", 1, "No space left", id="export to what is full"),
    ],
)
def test_streams_may_be_closed(served_dir: Path, redirected: str, status: int, said: str) -> None:
    ran = _shell(served_dir, redirected)
    assert (ran.returncode, ran.stdout) == (status, "")
    assert said in ran.stderr
    assert "broke" not in ran.stderr


def test_who_has_seen_enough_is_told_no_more(served_dir: Path) -> None:
    ran = _shell(served_dir, "export - | true; echo ${PIPESTATUS[0]}")
    assert (ran.stdout, ran.stderr) == ("1\n", "")


@pytest.mark.parametrize("command", [("export",), ("user", "add", "--from")])
def test_a_full_disk_leaves_no_file_and_nobody(idp: Run, served_dir: Path, tmp_path: Path, command: tuple[str]) -> None:
    people, out = tmp_path / "people.csv", tmp_path / "out"
    people.write_text(PEOPLE, encoding="utf-8")
    arguments = [*command, str(people), "--out", str(out)] if command[0] == "user" else [*command, str(out)]
    ran = subprocess.run(
        [*IDP, *arguments],
        env=environment(served_dir),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        capture_output=True,
        check=False,
        text=True,
        timeout=NEVER,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "File too large" in ran.stderr
    assert sorted(tmp_path.iterdir()) == [people]
    assert idp("user", "show", "full1").status == 1


def test_where_links_cannot_be_written_nobody_is_invited(idp: Run, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text(PEOPLE, encoding="utf-8")
    for out, status, said in (
        ("-", 2, "on standard output"),
        ("/nowhere/links.csv", 1, "No such file or directory. Nobody was invited."),
        (str(people / "links"), 1, "Not a directory"),
    ):
        ran = idp("user", "add", "--from", str(people), "--out", out)
        assert (ran.status, ran.out) == (status, "")
        assert said in ran.err
        assert "database" not in ran.err
    assert idp("user", "show", "full1").status == 1


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_is_quiet_while_modules_are_loaded(served_dir: Path) -> None:
    """From the first line of ours on: before it Python itself says what it was at."""
    assert any(_interrupted(served_dir) for _ in range(4)), "Ctrl-C is ours to handle before there is anything to tell"


def _interrupted(served_dir: Path) -> bool:
    """Whether it was, while nothing handles it; it may be over before it is seen."""
    with subprocess.Popen(
        [*IDP, "audit", "--follow"],
        env=environment(served_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        ends = monotonic() + 8
        while not _caught(process.pid) and monotonic() < ends:
            pass  # Python begins
        while _caught(process.pid) and monotonic() < ends:
            pass  # and comes to us
        seen = not _caught(process.pid)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=NEVER)
    assert process.returncode in {130, -signal.SIGINT}
    assert err == ""
    return seen


def _caught(pid: int) -> bool:
    """Whether a process has a handler of its own for SIGINT."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> (signal.SIGINT - 1) & 1)


def _shell(served_dir: Path, line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", f'"$OUR_PYTHON" -m idp {line}'],
        env=environment(served_dir, OUR_PYTHON=IDP[0]) | {"PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
        text=True,
        timeout=NEVER,
    )
