"""`idp policy audit`: what it prints, and when it fails."""

import json
from pathlib import Path

import pytest

from tests.world.commands import Run

# Text messages alone: quickly searched.
PHONES = """
[levels]
two_factor = "2"
[factors]
sms = "two_factor"
[scopes]
openid = { level = "two_factor" }
"pay" = { level = "two_factor", fresh = "5m", refresh = false }
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    file = tmp_path / "policy.toml"
    file.write_text(PHONES, encoding="utf-8")
    return str(file)


def test_each_scope_and_start_has_its_weakest_way(run: Run, policy: str) -> None:
    ran = run("policy", "audit", "--file", policy)
    assert (ran.status, ran.err) == (0, "")
    assert "\nopenid\n  nothing: no way\n  password: no way\n" in ran.out
    assert "  password and phone: password, text message\n      (an account with phone)\n" in ran.out
    assert "  live cookie: nothing more\n" in ran.out.partition("\npay\n")[0]
    assert "  live cookie: no way\n" in ran.out.partition("\npay\n")[2]
    assert "removing a phone" not in ran.out
    changes = run("policy", "audit", "--file", policy, "--changes").out
    assert "\nremoving a phone, on hold\n  nothing: no way\n" in changes


def test_in_ci_it_fails_when_something_is_weaker(run: Run, policy: str, tmp_path: Path) -> None:
    kept = tmp_path / "weakest.json"
    printed = run("policy", "audit", "--file", policy, "--json")
    assert printed.json["policy"] == policy
    kept.write_text(printed.out, encoding="utf-8")
    same = run("policy", "audit", "--file", policy, "--against", str(kept))
    assert (same.status, same.out) == (0, "Nothing is weaker.\n")
    Path(policy).write_text(PHONES.replace(', fresh = "5m"', ""), encoding="utf-8")
    worse = run("policy", "audit", "--file", policy, "--against", str(kept))
    assert worse.status == 1
    assert worse.out.startswith("Weaker than before:\n")
    assert "  pay of an account with phone, from live cookie: " in worse.out
    told = run("policy", "audit", "--file", policy, "--against", str(kept), "--json")
    assert told.status == 1
    assert told.json["weaker"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"ways": 1}', "[" * 100_000, "\x00"])
def test_what_was_not_printed_by_it_is_refused(run: Run, policy: str, tmp_path: Path, text: str) -> None:
    kept = tmp_path / "weakest.json"
    kept.write_text(text, encoding="utf-8")
    ran = run("policy", "audit", "--file", policy, "--against", str(kept))
    assert (ran.status, ran.out) == (2, "")
    assert "is not what `idp policy audit --json` prints" in " ".join(ran.err.split())


@pytest.mark.parametrize(("command", "option"), [("audit", "--file"), ("audit", "--against"), ("check", "--file")])
def test_a_file_that_is_not_there_is_named(run: Run, command: str, option: str, tmp_path: Path) -> None:
    ran = run("policy", command, option, str(tmp_path / "none"))
    assert (ran.status, ran.out) == (2, "")
    told = " ".join(ran.err.replace("│", " ").split())
    assert option in told
    assert "no such file or directory" in told


def test_the_object_is_one_that_can_be_kept(run: Run, policy: str) -> None:
    found = run("policy", "audit", "--file", policy, "--json").json
    assert found == json.loads(json.dumps(found))
    assert {"policy", "accounts", "starts", "scopes", "changes", "ways"} == set(found)
