"""Small things that cost an operator or a script an afternoon."""

import json
from pathlib import Path

import pytest

from idp.serving import serve
from idp.settings import read_settings
from tests.world.commands import PASSWORD, Run

ALL = "0.0.0.0"  # noqa: S104 - nothing listens here
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--json", "nonsense"),
        ("user", "--json"),
        ("user", "add", "--json"),
        ("user", "list", "--json", "--no-such-option"),
        ("user", "show", "ada", "--events", "many", "--json"),
        ("serve", "--port", "70000", "--json"),
        ("keys", "secret", "--id", "a:b", "--json"),
        ("client", "set", "shop", "--json"),
        ("policy", "check", "--signed-in", "magic", "--json"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_json_for_who_asked_for_json(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.status == 2
    assert ran.out == ""
    said = json.loads(ran.err)
    assert said["error"] == said["problems"][0]
    assert said["error"]


def test_what_can_be_done_is_one_object_and_status_0(run: Run) -> None:
    ran = run("keys", "secret", "--json")
    assert (ran.status, ran.err) == (0, "")
    assert ran.json["secret_key"]


def test_scopes_may_stand_in_one_option(idp: Run) -> None:
    arguments = ("client", "add", "Two", "--redirect-uri", "http://localhost:3000/cb", "--json")
    together = idp(*arguments, "--scope", "openid  profile", "--scope", "email")
    assert together.status == 0, together.err
    assert together.json["scopes"] == ["email", "openid", "profile"]
    changed = idp("client", "set", together.json["client_id"], "--scope", "openid email", "--json")
    assert changed.status == 0, changed.err
    assert changed.json["scopes"] == ["email", "openid"]
    assert idp(*arguments, "--scope", "").status != 0


def test_a_group_that_no_policy_knows_is_refused(idp: Run, settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def add(name: str) -> tuple[int, str]:
        ran = idp("user", "add", name, "--no-phone", "--group", "treasury", "--password-stdin", stdin=PASSWORD)
        return ran.status, ran.err

    status, said = add("vera")
    assert status == 1
    assert "add treasury = " in said
    policy = Path("idp/policy.toml").read_text(encoding="utf-8")
    (tmp_path / "policy.toml").write_text(policy.replace("# treasury", "treasury"), encoding="utf-8")
    settings.setenv("IDP_POLICY", str(tmp_path / "policy.toml"))
    assert add("vera") == (0, "")


@pytest.mark.parametrize(
    ("issuer", "said", "listens"),
    [
        (None, (None, None), ("127.0.0.1", 8000)),
        ("http://localhost:9000", (None, None), ("127.0.0.1", 9000)),
        ("http://127.0.0.1:9000/id", (None, None), ("127.0.0.1", 9000)),
        ("http://[::1]:9000", (None, None), ("::1", 9000)),
        ("http://localhost", (None, None), ("127.0.0.1", 80)),
        ("http://localhost:9000", (None, 0), ("127.0.0.1", 0)),
        ("http://localhost:9000", (ALL, None), (ALL, 9000)),
        ("https://localhost:9000", (None, None), ("127.0.0.1", 8000)),
        ("https://id.example:9000", (None, None), ("127.0.0.1", 8000)),
    ],
)
def test_serve_listens_where_a_loopback_issuer_says(
    issuer: str | None, said: tuple[str | None, int | None], listens: tuple[str, int]
) -> None:
    sending = {"IDP_SMS_GATEWAYS": "webhook", "IDP_WEBHOOK_URL": "https://sms.example/", "IDP_WEBHOOK_SECRET": SECRET}
    settings = read_settings({**sending, **({"IDP_ISSUER": issuer} if issuer else {})})
    assert serve._where(settings, *said) == listens
