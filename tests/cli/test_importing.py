"""`idp import`: what it says of a file, and what it says of a wrong one."""

from pathlib import Path

import pytest

from tests.world.commands import Run

REALM = str(Path(__file__).parents[1] / "importing" / "harbour.json")
SECRETS = ("shop-secret-invented-0001", "pa5qcNawNreEmWtMhc1v", "uEXOXWpPhiXY061", "+44 7700 900101")


def test_a_dry_run_lists_what_does_not_come(idp: Run) -> None:
    said = idp("import", "keycloak", REALM, "--dry-run")
    assert said.status == 0, said.err
    assert "would come" in said.out
    assert "client wild: redirect URI https://wild.example.com/*" in said.out
    assert [secret for secret in SECRETS if secret in said.out + said.err] == []


def test_json_is_one_object_with_every_name(idp: Run) -> None:
    found = idp("import", "keycloak", REALM, "--dry-run", "--json").json
    assert found["dry_run"] is True
    assert {"anna", "carla", "elena"} <= {each["who"] for each in found["left"]}
    assert set(found["people"]) | set(found["people_there"]) >= {"anna", "bruno"}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param(("keycloack", REALM), 2, "there are keycloak", id="source"),
        pytest.param(("keycloak", REALM, "--group", "treasury"), 2, "THEIRS=OURS", id="group"),
        pytest.param(("keycloak", REALM, "--group", "a=nobody"), 1, "no row in the policy", id="no such group"),
        pytest.param(("keycloak", "/nowhere.json"), 1, "No such file", id="no file"),
        pytest.param(("keycloak", "/"), 1, "directory", id="directory"),
        pytest.param(("keycloak", "-"), 1, "cannot be read", id="nothing on standard input"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(idp: Run, arguments: tuple[str, ...], status: int, said: str) -> None:
    ran = idp("import", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
