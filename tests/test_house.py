"""The house rules that a linter does not know: sizes, first lines, names, and who reads the clock."""

import ast
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "idp").rglob("*.py"))
KIT = sorted((ROOT / "kits" / "python" / "stile_rp").rglob("*.py"))
TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "world")


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_a_module_is_one_room() -> None:
    lines = {_id(path): len(path.read_text().splitlines()) for path in MODULES + KIT}
    assert {name: count for name, count in lines.items() if count > 300} == {}, "two rooms"


def test_a_module_says_first_what_is_here() -> None:
    modules = [path for path in MODULES + KIT if path.stat().st_size]
    first = {_id(path): (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0] for path in modules}
    assert {name: line for name, line in first.items() if not line.endswith((".", "?", ":"))} == {}


def test_no_module_is_named_for_nothing() -> None:
    meaningless = {"utils", "util", "helpers", "helper", "common", "misc", "services", "managers", "handlers"}
    assert not {path.stem for path in MODULES + KIT} & meaningless


def test_the_kit_knows_nothing_of_the_provider() -> None:
    imports = re.compile(r"^\s*(?:from|import) idp\b", re.MULTILINE)
    assert [_id(path) for path in KIT if imports.search(path.read_text())] == []


def test_only_the_clock_reads_the_clock() -> None:
    reads = re.compile(r"\bdatetime\.(now|utcnow|today)\(|\btime\.time\(")
    found = [_id(path) for path in MODULES if reads.search(path.read_text())]
    # the demo's relying parties stand outside the provider and have clocks of their own
    assert [name for name in found if not name.startswith("idp/demo/")] == ["idp/clock.py"]


# What is no operator's to choose: waits of machines, what a standard fixes, what follows from a bound of the policy.
TECHNICAL = {
    "door.A_YEAR": "what a browser keeps of a language somebody chose",
    "account.TWICE": "a press that comes twice is one press",
    "authenticators.AGAIN_AFTER": "a pause between two rounds",
    "breakers.OPEN_FOR": "how a gateway that fails is tried again",
    "breakers.PROBE_FOR": "how a gateway that fails is tried again",
    "breakers.WINDOW": "how a gateway that fails is tried again",
    "deliver.CALL": "a call's patience",
    "deliver.LOST": "a pause between two looks",
    "trail._LATE": "a row of the trail is seen when its transaction ends",
    "engine.PATIENCE": "a statement's patience",
    "health.PATIENCE": "a check's patience",
    "clients.SEEN_EVERY": "a pause between two looks",
    "secrets.LONGEST_KEPT": "what an operator may say in a command",
    "checkup.AGAIN": "a press that comes twice is one press",
    "checkup.FRESH": "a pause between two looks",
    "checkup.KNOWN": "what a page tells of a look",
    "checkup.LONGEST": "a check's patience",
    "checkup.PATIENCE": "a check's patience",
    "stored.KEYS_OLD": "what a command warns of",
    "stored.LATE": "what a command warns of",
    "stored.OFFSET": "what a command warns of",
    "connecting.HEAD_START": "a pause between two hosts",
    "keys.KEPT_BY_CLIENTS": "what libraries do, whatever we say",
    "sealed_keys.VERIFY_AFTER_RETIREMENT": "follows from the longest life of a token",
    "leases.LEASE": "how long one sender has a message to itself",
    "messages.MARGIN": "what a message needs to arrive and be typed",
    "middleware.LIMIT": "an answer's patience",
    "notes.LIFE": "a sentence that waits for its page",
    "outgoing.SHOWN_FOR": "the development inbox",
    "repeats.AT_WORK": "longer than an answer takes",
    "repeats.KEPT": "what clients of the API are promised",
    "senders.FINISH": "a sender's patience at the end",
    "senders.POLL": "a pause between two looks",
    "spending.LOOK_BACK": "what a command shows",
    "sweep.KEEP_DENIALS": "follows from the longest month of a budget",
    "sweep.KEEP_ENDED": "a late answer still finds what it belongs to",
    "sweep.KEEP_LINKS": "whoever comes late is told so",
    "sweep.KEEP_MESSAGES": "what receipts and figures look back on",
    "sweep.KEEP_REMOVED": "longer than any form may be sent",
    "trail._LATELY": "what a list shows",
    "totp.PERIOD": "RFC 6238, and every app",
    "untold.AT_MOST": "a pause between two rounds",
    "walk.EARLIER": "what a command supposes",
}


def test_how_long_things_live_is_the_policys_to_say() -> None:
    inside = {"factors", "flows", "oidc", "store", "web"}
    rooms = [path for path in MODULES if path.relative_to(ROOT / "idp").parts[0] in inside]
    spans = {f"{path.stem}.{name}" for path in rooms for name in _spans(ast.parse(path.read_text()))}
    assert spans == set(TECHNICAL), "a row of idp/policy.toml, or here with the reason"


def _spans(module: ast.Module) -> list[str]:
    """The constants of a module that are a timedelta."""
    return [
        target.id
        for line in module.body
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Call)
        for target in line.targets
        if isinstance(target, ast.Name) and ast.unparse(line.value.func) == "timedelta"
    ]


def test_no_test_is_another_ones_world() -> None:
    """What tests share stands in tests/world."""
    shared = re.compile(r"^(?:from|import) (tests\.(?!world\b)\S+)", re.MULTILINE)
    found = {_id(path): shared.findall(path.read_text()) for path in TESTS}
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_no_test_waits_for_a_time() -> None:
    """A pause is too short on one machine and too long on another, and so is the patience of a library."""
    naps = re.compile(r"\btime\.sleep\(")
    calls = re.compile(r"\bhttpx\.(?:get|post|Client)\((?:[^()]|\([^()]*\))*\)")
    found = {_id(path): [*naps.findall(path.read_text()), *calls.findall(path.read_text())] for path in TESTS}
    hasty = {name: [one for one in calls if "timeout=" not in one] for name, calls in found.items()}
    assert {name: calls for name, calls in hasty.items() if calls} == {}
    assert [_id(path) for path in TESTS if re.search(r"\bbrowser\.new_", path.read_text())] == []


def test_help_is_there_at_once() -> None:
    # 300 ms on an idle machine (design 11), where Python alone takes 15 to 20
    assert min(_time("-m", "idp", "--help") for _ in range(3)) < 16 * min(_time("-c", "pass") for _ in range(3))


def _time(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_nothing_of_one_machine_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    homes = re.compile(r"/(?:home|Users)/[a-z]+/|/root/\w")
    found = [
        name
        for name in listed.stdout.split("\0")
        if name
        and name != "uv.lock"
        and (ROOT / name).is_file()
        and homes.search((ROOT / name).read_text(errors="replace"))
    ]
    assert found in ([], ["tests/test_house.py"])


@pytest.mark.xdist_group("processes")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="tests run in one process, one after the other")
def test_what_must_not_run_beside_its_like_is_kept_together(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@processes")
