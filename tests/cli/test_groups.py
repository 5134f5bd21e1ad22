"""`idp user groups`: who is in what, what follows, and what a running process makes of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from idp.flows.operate.editing import edit_person
from idp.model import AssuranceLevel
from tests.world.commands import Run
from tests.world.provider import Provider
from tests.world.stage import refresh

HERE = ("--redirect-uri", "http://localhost:3000/callback")


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, settings: pytest.MonkeyPatch) -> None:
    usual = Path("idp/policy.toml").read_text(encoding="utf-8")
    rows = '[groups]\nvault = { level = "strong" }\nclerks = { level = "two_factor" }\n#'
    (tmp_path / "policy.toml").write_text(usual.replace("[groups]", rows), encoding="utf-8")
    settings.setenv("IDP_POLICY", str(tmp_path / "policy.toml"))


def test_a_person_is_put_into_exactly_these_groups_and_what_follows_is_said(idp: Run, person: str) -> None:
    pay = f"Payroll {person}"
    assert idp("client", "add", pay, *HERE, "--group", "clerks").status == 0
    joined = idp("user", "groups", person, "clerks", "vault")
    assert (joined.status, joined.err) == (0, "")
    assert joined.out.splitlines() == [
        f"{person} is in clerks and vault.",
        "They need strong for anything from now on; what applications hold from less ends at their next refresh.",
        f"They may use {pay}.",
    ]
    assert idp("user", "groups", person, "vault", "clerks").out == f"{person} is in clerks and vault already.\n"
    assert idp("user", "groups", person, "--json").json["groups"] == ["clerks", "vault"]
    left = idp("user", "groups", person, "vault", "--json").json
    assert (left["changed"], left["groups"]) == (True, ["vault"])
    assert left["consequences"] == [
        f"They may not use {pay} any more: what it holds for them ends at its next refresh."
    ]
    assert idp("user", "groups", person, "--none").out.startswith(f"{person} is in no group.\nThey need two_factor")
    assert idp("user", "groups", person).out == f"{person} is in no group.\n"
    events = idp("user", "show", person, "--json").json["events"]
    changes = [event["fields"]["change"] for event in events if event["event"] == "account.changed"]
    assert changes == ["groups: none", "groups: vault", "groups: clerks vault", "added"]


def test_a_group_without_a_row_is_refused_but_one_that_was_kept_stays(
    idp: Run, person: str, settings: pytest.MonkeyPatch
) -> None:
    assert idp("user", "groups", person, "clerks").status == 0
    refused = idp("user", "groups", person, "finanze")
    assert (refused.status, refused.out) == (1, "")
    assert "'finanze' has no row in the policy" in refused.err
    assert idp("user", "groups", person, "a b").status == 1
    assert idp("user", "groups", person, "clerks", "--none").status == 2
    assert idp("user", "groups", "nobody-there", "clerks").status == 1
    assert idp("user", "groups", "nobody-there").status == 1
    settings.delenv("IDP_POLICY")  # the policy that comes with Stile has no group
    assert idp("user", "groups", person, "vault").status == 1
    assert idp("user", "groups", person, "clerks").out == f"{person} is in clerks already.\n"


async def test_a_running_provider_hears_of_it_at_once(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"ledgers": AssuranceLevel.TWO_FACTOR}
    monkeypatch.setattr(provider.idp, "policy", replace(provider.idp.policy, groups=rows))
    uri = "http://localhost:8007/callback"
    scopes = frozenset({"openid", "offline_access"})
    if "ledger" not in provider.idp.clients:
        await provider.add_client("ledger", uri, scopes=scopes, groups=frozenset({"ledgers"}))
    asked = {"client_id": "ledger", "redirect_uri": uri, "scope": "openid offline_access"}
    await edit_person(provider.idp, "alice", {"groups": ["ledgers"]})
    code = await provider.code(provider.browser(), **asked)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": uri}
    issued = (await provider.token("ledger", **form, code_verifier=provider.pkce.verifier)).json()
    await edit_person(provider.idp, "alice", {"groups": []})
    assert (await refresh(provider, issued["refresh_token"], "ledger")).json()["error"] == "invalid_grant"


def test_a_group_that_lost_its_row_is_warned_of(idp: Run, person: str, settings: pytest.MonkeyPatch) -> None:
    assert idp("user", "groups", person, "vault").status == 0
    assert "vault" not in idp("doctor").out
    assert idp("user", "show", person, "--json").json["warnings"] == []
    settings.delenv("IDP_POLICY")
    # other tests of this database may have left other groups
    warned = next(line for line in idp("doctor").out.splitlines() if line.startswith("warn  groups"))
    assert "no row in the policy for" in warned
    assert "vault" in warned
    told = idp("user", "show", person)
    assert "The group vault has no row in the policy: it raises no floor for them." in told.out
