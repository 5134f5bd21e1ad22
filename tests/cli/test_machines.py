"""Clients that act for themselves: from the policy over `idp client add` to a token that a resource server accepts."""

from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from tests.world.commands import Run
from tests.world.processes import serving
from tests.world.waiting import NEVER

ROWS = """
"reports:read" = { machine = "only" }
"stock:read" = { level = "two_factor", machine = true, ttl = "2m" }
"""
BACK = ("--redirect-uri", "http://localhost:3000/callback")
MACHINE = ("--grant-type", "client_credentials")


@pytest.fixture
def policy(tmp_path: Path, settings: pytest.MonkeyPatch) -> Path:
    """The policy that comes with Stile, with a scope for machines only and one for machines too."""
    file = tmp_path / "policy.toml"
    usual = (files("idp") / "policy.toml").read_text(encoding="utf-8")
    file.write_text(usual.replace("[groups]", f"{ROWS}\n[groups]"))
    settings.setenv("IDP_POLICY", str(file))
    return file


def test_a_machine_goes_from_its_registration_to_introspection(run: Run, policy: Path, tmp_path: Path) -> None:
    home = tmp_path / "data"
    with serving(home, IDP_POLICY=str(policy)) as (_, said):
        scopes = ("--scope", "reports:read", "--scope", "stock:read")
        made = run("client", "add", "Robot", *MACHINE, *scopes, "--audience", "api", "--json").json
        api = run("client", "add", "Reports", *MACHINE, "--client-id", "api", "--json").json
        both = run(
            "client", "add", "Shop", *BACK, *MACHINE, "--grant-type", "authorization_code", *scopes, "--json"
        ).json
        assert made["scopes"] == ["reports:read", "stock:read"]
        assert api["scopes"] == []
    # Started anew, so that nobody has to wait for the word of what was registered.
    with serving(home, IDP_POLICY=str(policy)) as (_, said):
        server = said["address"]

        def ask(path: str, client: dict[str, str], **form: str) -> httpx.Response:
            auth = (client["client_id"], client["client_secret"])
            return httpx.post(f"{server}{path}", data=form, auth=auth, timeout=NEVER)

        given = ask("/token", made, grant_type="client_credentials", scope="reports:read")
        assert given.status_code == 200, given.text
        token = given.json()
        assert token["scope"] == "reports:read"
        assert not {"refresh_token", "id_token"} & token.keys()
        seen = ask("/introspect", api, token=token["access_token"]).json()
        assert (seen["active"], seen["sub"], seen["client_id"]) == (True, made["client_id"], made["client_id"])
        assert not {"acr", "amr", "auth_time"} & seen.keys()
        everything = ask("/token", made, grant_type="client_credentials").json()
        assert (everything["scope"], everything["expires_in"]) == ("reports:read stock:read", 120)
        for client, scope in ((made, "openid"), (made, "profile reports:read"), (made, "transfers:write"), (api, "x")):
            refused = ask("/token", client, grant_type="client_credentials", scope=scope)
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
        asked = {"client_id": both["client_id"], "redirect_uri": BACK[1], "response_type": "code"}
        pkce = {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
        answer = httpx.get(f"{server}/authorize", params={**asked, **pkce, "scope": "reports:read"}, timeout=NEVER)
        assert "error=invalid_scope" in answer.headers["location"]
        bearer = {"authorization": f"Bearer {token['access_token']}"}
        assert httpx.get(f"{server}/userinfo", headers=bearer, timeout=NEVER).status_code in {401, 403}
        revoked = ask("/revoke", made, token=token["access_token"])
        assert revoked.status_code == 200
        assert ask("/introspect", api, token=token["access_token"]).json() == {"active": False}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param((*BACK, "--scope", "reports:read"), "for machines only", id="no machine"),
        pytest.param((*MACHINE, "--scope", "openid"), "scopes for machines: reports:read, stock:read", id="no person"),
        pytest.param((*MACHINE, "--scope", "transfers:write"), "granted by people", id="strong"),
    ],
)
def test_a_scope_that_a_client_could_never_have_is_refused(
    idp: Run, policy: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = idp("client", "add", "Never", *arguments)
    assert (ran.status, ran.out) == (1, ""), ran.err
    assert sentence in ran.err
    assert ran.err.count("\n") == 1


def test_the_policy_shows_what_machines_may_have(run: Run, policy: Path) -> None:
    ran = run("policy", "check")
    assert "machines only" in next(line for line in ran.out.splitlines() if line.startswith("reports:read"))
    assert "machines too" in next(line for line in ran.out.splitlines() if line.startswith("stock:read"))
    told = run("policy", "check", "--json").json["scopes"]
    assert [(told[name]["people"], told[name]["machines"]) for name in ("reports:read", "stock:read", "openid")] == [
        (False, True),
        (True, True),
        (True, False),
    ]
    why = run("policy", "check", "--scope", "openid", "--scope", "reports:read", "--json").json["left_out"]
    assert why == [{"asked": "reports:read", "why": "Some client is not registered for it"}]


def test_the_policy_says_how_a_machine_gets_its_scopes(idp: Run, policy: Path) -> None:
    both = (*BACK, "--grant-type", "authorization_code", *MACHINE, "--scope", "openid", "--scope", "reports:read")
    assert idp("client", "add", "Walker", *MACHINE, "--scope", "reports:read stock:read").status == 0
    assert idp("client", "add", "Runner", *both).status == 0

    def check(*said: str) -> tuple[bool, str, list[dict[str, str]]]:
        told = idp("policy", "check", *said, "--json").json
        return told["granted"], told["answer"], told["left_out"]

    itself = "Walker gets {} for itself, by client_credentials: no person is asked"
    assert check("--client", "Walker", "--scope", "reports:read") == (True, itself.format("reports:read"), [])
    assert check("--client", "Walker") == (True, itself.format("reports:read stock:read"), [])
    granted, _, left = check("--client", "Walker", "--scope", "openid")
    assert (granted, left) == (False, [{"asked": "openid", "why": "Walker is not registered for it"}])
    assert check("--client", "Runner", "--scope", "reports:read")[:2] == (
        True,
        "Runner gets reports:read for itself, by client_credentials: no person is asked",
    )
    granted, answer, left = check("--client", "Runner", "--scope", "openid", "--scope", "reports:read")
    assert (granted, answer[:15]) == (True, "proceed: openid")
    why = "it is for machines only, and no person can grant it: Runner gets it by client_credentials"
    assert left == [{"asked": "reports:read", "why": why}]


def test_a_policy_is_named_as_it_was_given(run: Run, policy: Path, settings: pytest.MonkeyPatch) -> None:
    settings.chdir(policy.parent)
    assert run("policy", "check", "--file", "policy.toml").out.startswith("policy.toml is right.")
    settings.delenv("IDP_POLICY")
    assert run("policy", "check").out.startswith("The policy that comes with Stile is right.")
