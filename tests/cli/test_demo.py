"""`idp demo` as a process: where it keeps what it made."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from tests.world.ports import free_port
from tests.world.waiting import NEVER

IDP = [sys.executable, "-m", "idp"]


def test_people_whose_passwords_everybody_knows_are_not_where_serve_finds_them(tmp_path: Path) -> None:
    share = tmp_path / "share"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    kept["PATH"] = os.defpath  # as for who runs `make demo`: the environment of the checkout is not on it
    port = free_port(in_a_row=3)
    process = subprocess.Popen(
        [Path(sys.executable).with_name("idp"), "demo", "--port", str(port)],
        env=kept | {"XDG_DATA_HOME": str(share)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline(), process.stderr.read() if process.stderr else ""
        (commands,) = [line for line in map(str, (process.stdout.readline() for _ in range(8))) if "Commands" in line]
        assert [path.name for path in share.iterdir()] == ["stile-demo"]
        pasted = commands.partition("Commands")[2]
        listed = subprocess.run(["sh", "-c", pasted], env=kept, capture_output=True, text=True, check=True)
        assert "alice@example.com" in listed.stdout
        # Commands beside it obey its policy: there the people with a role have one. Their links lead to it.
        beside = kept | dict(word.split("=", 1) for word in shlex.split(commands) if "=" in word)
        invited = subprocess.run(
            [*IDP, "user", "invite", "kim"], env=beside, capture_output=True, text=True, check=True
        )
        assert invited.stdout.startswith(f"http://localhost:{port}/link/")
        ran = subprocess.run(
            [*IDP, "user", "groups", "ada", "--json"], env=beside, capture_output=True, text=True, check=True
        )
        assert json.loads(ran.stdout)["groups"] == ["admins"]
        shown = subprocess.run([*IDP, "policy", "show", "--json"], env=beside, capture_output=True, check=True)
        assert json.loads(shown.stdout)["policy"] == str(share / "stile-demo" / "policy.toml")
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=NEVER)
    assert process.returncode == 0
    assert f"kept in {share / 'stile-demo'}; the same command goes on with it." in said


def test_it_ends_without_a_word_where_nobody_reads_what_it_says(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [*IDP, "demo", "--port", str(free_port(in_a_row=3))],
            env=kept | {"IDP_DATA_DIR": str(tmp_path / "data")},
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=NEVER,
            check=False,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert not (tmp_path / "data" / "postgres" / "data" / "postmaster.pid").exists()
