"""What `idp policy check` and `audit` say of sites."""

from pathlib import Path

import pytest

from idp.cli import main
from idp.flows.operate.trying import Asked, try_sign_in
from idp.policy import load_policy
from idp.policy.weakest import alike
from tests.world.guarded import LOGS, WIKI, rows
from tests.world.policies import BEFORE
from tests.world.provider import Provider


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "policy.toml"
    path.write_text(BEFORE + rows(), encoding="utf-8")
    return str(path)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["policy", "check", *arguments]) == 0
    return capsys.readouterr().out


def test_the_rows_are_told(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "--file", file)
    row = next(line for line in told.splitlines() if line.startswith(f"{WIKI}/admin"))
    assert row.split() == [f"{WIKI}/admin", "strong", "within", "15", "minutes", "as", "the", "site"]
    assert f"site:{WIKI}" not in told
    told = said(capsys, "--file", file, "--json")
    assert f'"{WIKI}": {{"title": "Wiki"' in told
    assert f"site:{WIKI}" not in told


@pytest.mark.parametrize(
    ("address", "steps"),
    [(f"http://{WIKI}/page", 2), (f"{WIKI}/Admin/x?y", 2), (f"https://{LOGS}", 2), (f"{LOGS}/%61dmin", 2)],
)
def test_an_address_is_walked_to_its_end(
    file: str, capsys: pytest.CaptureFixture[str], address: str, steps: int
) -> None:
    told = said(capsys, "--file", file, "--site", address)
    assert "left out" not in told
    assert told.count("the person gives") == steps
    assert "=> proceed: openid site:" in told
    assert ("needs strong" in told) == ("dmin" in address)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--site", "http://evil.example/"], "The policy has no site 'evil.example'"),
        (["--site", f"{WIKI}/x/../admin"], "is refused (403)"),
        (["--site", WIKI, "--scope", "openid"], "An address says by itself who asks"),
    ],
)
def test_a_wrong_address_is_told_what_to_do(
    file: str, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    assert main(["policy", "check", "--file", file, *arguments]) == 2
    assert why in " ".join(capsys.readouterr().err.split())


def test_the_weakest_way_into_a_row_is_looked_for() -> None:
    together = alike(load_policy(BEFORE + rows()))
    row = f"site:{WIKI}/admin"
    assert any(row in names for names in together)


async def test_who_is_in_no_group_is_told_so(provider: Provider) -> None:
    found = await try_sign_in(provider.idp, Asked(username="bob", site=f"http://{WIKI}/"))
    assert not found.walked.granted
    assert found.walked.answer == "403: bob is in no group that gets in there, whatever they prove"
    assert (await try_sign_in(provider.idp, Asked(username="alice", site=f"http://{WIKI}/"))).walked.granted
