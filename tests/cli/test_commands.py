"""The rest of the commands, and what all of them have in common."""

import asyncio
import base64
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from idp.cli import app
from idp.crypto import new_secret_key
from idp.errors import IdpError
from idp.flows.checks import stored
from idp.serving.place import KEY_FILE, read_or_make_keys
from idp.store import migrations
from tests.world import databases
from tests.world.commands import PASSWORD, Run
from tests.world.mailing import ALLOWED

COMMANDS = [
    ("serve",),
    ("demo",),
    ("migrate",),
    ("import",),
    ("export",),
    ("doctor",),
    ("audit",),
    ("completion",),
    ("policy", "check"),
    ("policy", "show"),
    ("policy", "try"),
    ("policy", "audit"),
    ("sms", "test"),
    ("sms", "fake"),
    ("sms", "log"),
    ("sms", "rules"),
    ("sms", "unblock"),
    ("sms", "blocks"),
    ("email", "test"),
    ("email", "bounces"),
    *(("keys", name) for name in ("list", "rotate", "secret")),
    *(
        ("client", name)
        for name in ("add", "list", "show", "set", "disable", "enable", "secret", "remove", "try", "logo")
    ),
    *(
        ("user", name)
        for name in (
            "add",
            "list",
            "show",
            "totp",
            "phone",
            "recovery",
            "remove-authenticator",
            "password",
            "disable",
            "enable",
            "freeze",
            "reset",
            "invite",
            "recover",
            "unlock",
            "claims",
            "email",
            "groups",
            "set",
            "rename",
            "remove",
            "sessions",
            "devices",
        )
    ),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example_and_speaks_json(run: Run, command: tuple[str, ...]) -> None:
    ran = run(*command, "--help")
    assert ran.status == 0
    assert "Examples:" in ran.out
    assert f"  idp {' '.join(command)}" in ran.out
    assert "--json" in ran.out


def test_no_command_is_missing_above() -> None:
    from typer.main import get_group

    group = get_group(app)
    there = {
        (name, *inner)
        for name, command in group.commands.items()
        for inner in ([(each,) for each in command.commands] if hasattr(command, "commands") else [()])
    }
    assert there == set(COMMANDS)


def test_help_is_there_before_anybody_wonders() -> None:
    loaded = "import sys; from idp.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    heavy = {
        "sqlalchemy",
        "asyncpg",
        "starlette",
        "uvicorn",
        "authlib",
        "joserfc",
        "httpx",
        "pydantic",
        "alembic",
        "rich",
    }
    assert not heavy & {name.partition(".")[0] for name in ran.stderr.split()}


def test_the_version_is_told(run: Run) -> None:
    assert re.fullmatch(r"stile-idp \d+\.\d+\.\d+\S*\n", run("--version").out)


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("user", "nonsense"), ("serve", "--port", "99999"), ("user", "show")]
)
def test_a_wrong_command_line_is_status_2_and_nothing_on_stdout(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err


def test_all_wrong_settings_are_told_at_once(run: Run, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_ISSUER", "http://login.example.com")
    settings.setenv("IDP_POOL_SIZE", "many")
    settings.setenv("IDP_NONSENSE", "1")
    for command in (("user", "list"), ("serve",), ("migrate",), ("policy", "check"), ("sms", "test", "--to", "+1")):
        ran = run(*command)
        assert (ran.status, ran.out) == (2, "")
        assert all(name in ran.err for name in ("IDP_ISSUER", "IDP_POOL_SIZE", "IDP_NONSENSE"))
    ran = run("user", "list", "--json")
    assert len(json.loads(ran.err)["problems"]) == 3


def test_a_database_that_is_not_there_is_one_sentence(run: Run, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_DATABASE_URL", "postgresql://idp:sesame-7@127.0.0.1:1/idp")
    settings.setenv("IDP_SECRET_KEYS", new_secret_key("k1"))
    for command in (("user", "list"), ("migrate",)):
        ran = run(*command)
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.endswith("cannot be reached (ConnectionRefusedError). `idp doctor` says what to look at.\n")
        assert "sesame" not in ran.err
        assert "Traceback" not in ran.err


def test_a_wrong_password_for_the_database_is_one_sentence(
    run: Run, server_url: str, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("IDP_DATABASE_URL", re.sub(r"//([^:@/]+)[^@]*@", r"//\1:sesame-7@", server_url))
    settings.setenv("IDP_SECRET_KEYS", new_secret_key("k1"))
    for command in (("user", "list"), ("migrate",)):
        ran = run(*command)
        assert (ran.status, ran.out) == (1, "")
        assert "InvalidPasswordError" in ran.err
        assert ran.err.count("\n") == 1
        assert "sesame" not in ran.err
    assert run("doctor").status == 1


@pytest.mark.parametrize("command", [("user", "list"), ("user", "totp", "ada"), ("sms", "rules"), ("keys", "list")])
def test_where_no_database_is_a_command_says_so_and_makes_none(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ran = run(*command)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"There is no database in {tmp_path / 'data'}: set IDP_DATA_DIR ")
    assert "idp serve" in ran.err
    assert "idp migrate" in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["IDP_SMS_GATEWAYS", "IDP_NUMBER_INTEL"])
def test_serve_reads_every_name_before_it_makes_a_database(
    run: Run, settings: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    settings.setenv(name, "smpsm")
    ran = run("serve", "--port", "0")
    assert (ran.status, ran.out) == (2, "")
    assert f"{name}: 'smpsm' is not installed (there are: " in ran.err
    assert not (tmp_path / "data").exists()


def test_the_first_person_may_come_before_the_first_start(run: Run) -> None:
    assert run("user", "add", "ada", "--no-phone", "--password-stdin", stdin=PASSWORD).status == 0
    assert run("user", "list", "--json").json["total"] == 1


def test_a_data_directory_that_cannot_be_is_one_sentence(
    run: Run, settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings.setenv("IDP_DATA_DIR", str(tmp_path / "file"))
    ran = run("user", "list")
    assert ran.status == 1
    assert "not a directory" in ran.err
    assert ran.err.count("\n") == 1


# Migrations


def test_migrating_an_up_to_date_database_does_nothing(idp: Run) -> None:
    idp("user", "list")
    ran = idp("migrate", "--json")
    assert ran.json["changed"] is False
    assert ran.json["from"] == ran.json["to"]
    assert "Nothing to do" in idp("migrate").out


def test_a_migration_that_is_not_there_is_refused(idp: Run) -> None:
    ran = idp("migrate", "--to", "beef")
    assert (ran.status, ran.out) == (1, "")
    assert "beef" in ran.err


@pytest.mark.parametrize("to", ["base", f"-{len(list(migrations.directory().glob('versions/*.py')))}"])
def test_deleting_everything_asks_first(idp: Run, person: str, to: str) -> None:
    ran = idp("migrate", "--to", to)
    assert (ran.status, ran.out) == (2, "")
    assert "--yes" in ran.err
    assert idp("user", "show", person).status == 0


def test_a_database_of_ones_own_is_not_migrated_unasked(
    run: Run, server_url: str, settings: pytest.MonkeyPatch
) -> None:
    name = f"stile_cli_{os.getpid()}"
    settings.setenv("IDP_DATABASE_URL", asyncio.run(databases.make(server_url, name)))
    try:
        settings.setenv("IDP_SECRET_KEYS", new_secret_key("k1"))
        refused = run("user", "list")
        assert refused.status == 1
        assert "idp migrate" in refused.err
        migrated = run("migrate", "--json")
        assert migrated.json["from"] is None
        assert run("user", "list", "--json").json == {"users": [], "total": 0, "after": None}
        back = run("migrate", "--to", "base", "--yes", "--json")
        assert back.json["to"] is None
        assert run("user", "list").status == 1
    finally:
        asyncio.run(databases.drop(server_url, name))


# Keys


def test_a_secret_key_is_made_without_any_settings(run: Run, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_DATABASE_URL", "nonsense")
    ran = run("keys", "secret", "--json")
    key_id, _, encoded = ran.json["secret_key"].partition(":")
    assert ran.json["id"] == key_id
    assert len(base64.urlsafe_b64decode(encoded + "=")) == 32
    assert run("keys", "secret", "--id", "mine").out.startswith("mine:")
    assert run("keys", "secret", "--id", "a:b").status == 2


def test_rotation_promotes_the_keys_that_were_next(idp: Run) -> None:
    idp("user", "list")
    before = {key["kid"]: key["state"] for key in idp("keys", "list", "--json").json["keys"]}
    early = idp("keys", "rotate")
    assert early.status == 1
    assert "rotate after" in early.err
    assert {key["kid"]: key["state"] for key in idp("keys", "list", "--json").json["keys"]} == before
    current = idp("keys", "rotate", "--now", "--json").json["current"]
    after = {key["kid"]: key["state"] for key in idp("keys", "list", "--json").json["keys"]}
    assert {kid for kid, state in before.items() if state == "next"} == set(current)
    assert {kid for kid, state in after.items() if state == "current"} == set(current)
    assert all(after[kid] == "retired" for kid, state in before.items() if state == "current")
    assert sum(state == "next" for state in after.values()) == 2


def test_the_key_file_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    first = read_or_make_keys(path)
    assert read_or_make_keys(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / KEY_FILE
    read_or_make_keys(path)
    path.chmod(mode)
    with pytest.raises(IdpError, match="chmod 600"):
        read_or_make_keys(path)


def test_a_key_file_with_a_bad_key_is_refused_without_repeating_it(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.touch(mode=0o600)
    path.write_text("k1:c2hvcnQ\n")
    with pytest.raises(IdpError, match="5 bytes") as refused:
        read_or_make_keys(path)
    assert "c2hvcnQ" not in str(refused.value)


def test_a_lost_key_file_is_not_replaced_by_another(idp: Run, served_dir: Path) -> None:
    idp("user", "list")
    path = served_dir / KEY_FILE
    kept = path.rename(served_dir / "kept")
    try:
        ran = idp("user", "list")
        assert ran.status == 1
        assert "restore it" in ran.err
        assert not path.exists()
        check = idp("doctor", "--json")
        assert check.status == 1
        assert {"check": "secret keys", "state": "FAIL"}.items() <= next(
            one for one in check.json["checks"] if one["check"] == "secret keys"
        ).items()
    finally:
        kept.rename(path)


# Policy


def test_the_policy_is_told_in_plain_words(run: Run) -> None:
    ran = run("policy", "check")
    assert ran.status == 0
    assert re.search(r"transfers:write +strong +in the same request +5 minutes +never refreshed", ran.out)
    fields = run("policy", "check", "--json").json
    assert fields["scopes"]["transfers:write"]["level"] == "strong"


def test_codes_by_email_need_a_way_to_send_mail(run: Run, settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(ALLOWED)
    settings.setenv("IDP_POLICY", str(file))

    def found() -> dict[str, str]:
        checks = run("doctor", "--json").json["checks"]
        return next(one for one in checks if one["check"] == "policy")

    for command in (("serve", "--port", "0"), ("client", "add", "Shop", "--redirect-uri", "http://localhost/back")):
        ran = run(*command)
        assert ran.status != 0, command
        assert "factors.email needs IDP_SMTP_URL" in ran.err
    assert found()["state"] == "FAIL"
    assert "IDP_SMTP_URL" in str(found())
    settings.setenv("IDP_SMTP_URL", "smtp://localhost?starttls=never")
    settings.setenv("IDP_SMTP_FROM", "no-reply@acme.example")
    assert found()["state"] == "ok"
    assert "email gives two_factor" in run("policy", "check").out
    walked = run("policy", "check", "--scope", "transfers:write", "--signed-in", "email", "--json").json
    assert [step["answered"] for step in walked["steps"]][:1] == ["gives the code: totp"]


def test_every_mistake_in_a_policy_is_told(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('[levels]\ntwo_factor = "a"\n[factors]\nsms = "strong"\n[scopes]\nopenid = {level = "no"}\n')
    ran = run("policy", "check", "--file", str(file))
    assert (ran.status, ran.out) == (2, "")
    assert "factors.sms" in ran.err
    assert "openid" in ran.err
    assert run("policy", "check", "--file", str(tmp_path / "none")).status == 2


def test_a_decision_is_walked_through(run: Run) -> None:
    walked = run("policy", "check", "--scope", "openid", "--scope", "transfers:write", "--json").json
    asked = [step["asked"].split(",")[0] for step in walked["steps"]]
    assert asked[0] == "ask for password by password"
    assert any("totp" in step for step in asked)
    assert walked["granted"] is True
    assert "urn:stile:2fa-strong" in walked["answer"]


def test_what_is_asked_for_and_left_out_is_named_with_the_reason(idp: Run) -> None:
    registered = idp("client", "add", "Left out", "--redirect-uri", "https://a.example/", "--scope", "openid")
    assert registered.status == 0, registered.err
    asked = ("openid", "transfers:write", "nonsense", "authenticators:write")
    arguments = [word for scope in asked for word in ("--scope", scope)]
    ran = idp("policy", "check", "--client", "Left out", *arguments, "--acr", "urn:typo")
    assert "transfers:write is left out: Left out is not registered for it" in ran.out
    assert "nonsense is left out: the policy has no such scope" in ran.out
    assert "urn:typo is left out" in ran.out
    told = idp("policy", "check", "--client", "Left out", *arguments, "--json").json["left_out"]
    assert [line["asked"] for line in told] == ["transfers:write", "nonsense", "authenticators:write"]
    told = idp("policy", "check", "--client", "Left out", "--scope", "offline_access", "--json").json["left_out"]
    assert told[0]["why"] == "Left out is not registered for it"
    assert idp("policy", "check", "--scope", "openid", "--json").json["left_out"] == []


def test_somebody_signed_in_elsewhere_by_a_passkey_is_asked_for_it_again(run: Run) -> None:
    walked = run("policy", "check", "--scope", "transfers:write", "--signed-in", "passkey", "--json").json
    assert walked["granted"] is True
    assert "passkey" in walked["steps"][0]["asked"]
    assert "as phr (pwd+swk+user+mfa)" in walked["answer"]


def test_somebody_signed_in_elsewhere_is_asked_for_the_app_alone(run: Run) -> None:
    walked = run("policy", "check", "--scope", "openid", "--scope", "transfers:write", "--signed-in", "sms", "--json")
    kinds = [step["asked"].split()[2] for step in walked.json["steps"]]
    assert "password" not in kinds
    assert "second_factor" in kinds


def test_a_person_without_an_app_is_refused_what_needs_one(idp: Run, person: str) -> None:
    arguments = ("--user", person, "--scope", "openid", "--scope", "transfers:write")
    ran = idp("policy", "check", *arguments, "--json")
    assert ran.status == 0
    assert ran.json["granted"] is False
    assert "unmet_authentication_requirements" in ran.json["answer"]
    assert idp("policy", "check", "--client", "nobody").status == 1
    assert idp("policy", "check", "--signed-in", "magic").status == 2


# Text messages


def test_a_test_message_goes_out_and_its_fate_is_told(run: Run) -> None:
    ran = run("sms", "test", "--to", "+37256789045", "--json")
    assert ran.status == 0
    assert ran.json["gateway"] == "console"
    assert ran.json["outcome"] == "accepted"
    assert ran.json["to"] == "+372•••••045"
    assert "This is a test message" in ran.err


def test_a_message_that_fails_is_status_1(run: Run, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_SMS_GATEWAYS", "smspm")
    settings.setenv("IDP_SMSPM_HASH", "sesame-hash")
    settings.setenv("IDP_SMSPM_TOKEN", "sesame-token")
    settings.setenv("IDP_SMSPM_URL", "http://127.0.0.1:1")
    ran = run("sms", "test", "--to", "+37256789045")
    assert ran.status == 1
    assert "the provider was not reached; check its URL" in ran.out
    assert "sesame" not in ran.out + ran.err
    assert run("sms", "test", "--to", "+37256789045", "--gateway", "pigeon").status == 2
    assert run("sms", "test", "--to", "12").status == 1


# Doctor


def test_a_healthy_provider_is_told_so(idp: Run, settings: pytest.MonkeyPatch) -> None:
    idp("user", "list")
    settings.setenv("IDP_ISSUER", "http://localhost:1")
    ran = idp("doctor", "--json")
    assert ran.status == 0, ran.out
    states = {one["check"]: one["state"] for one in ran.json["checks"]}
    good = ("settings", "policy", "database", "clock", "migrations", "secret keys", "signing", "outbox")
    assert {states[name] for name in good} == {"ok"}
    assert states["issuer"] == "warn"
    assert "nothing answers" in idp("doctor").out


def test_the_doctor_sees_keys_that_do_not_open(idp: Run, person: str, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_SECRET_KEYS", new_secret_key("other"))
    ran = idp("doctor", "--json")
    assert ran.status == 1
    found = [one["found"] for one in ran.json["checks"] if one["check"] == "secret keys"]
    assert "which is not there" in found[0]


def test_the_doctor_tells_of_phones_that_no_numbering_plan_knows(
    idp: Run, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def phones() -> list[str]:
        return [one["found"] for one in idp("doctor", "--json").json["checks"] if one["check"] == "phones"]

    assert phones() == []
    monkeypatch.setattr(stored, "textable", lambda _: False)  # as libphonenumber does after a plan changed
    (found,) = phones()
    assert "numbering plans" in found
    assert person


def test_the_doctor_lists_wrong_settings_and_says_so_in_its_status(run: Run, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_NONSENSE", "1")
    ran = run("doctor")
    assert ran.status == 1
    assert "FAIL" in ran.out
    assert "IDP_NONSENSE" in ran.out


def test_the_doctor_reads_the_languages(run: Run, settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def found() -> list[tuple[str, str]]:
        checks = run("doctor", "--json").json["checks"]
        return [(one["state"], one["found"]) for one in checks if one["check"] == "languages"]

    assert found() == [("ok", "en, es, et")]
    catalogue = tmp_path / "own" / "locale" / "fi" / "LC_MESSAGES" / "stile.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text('msgid ""\nmsgstr "Language: fi\\n"\n\nmsgid "Sign in"\nmsgstr "Kirjaudu %(sisaan)s"\n')
    settings.setenv("IDP_TEMPLATES", str(tmp_path / "own"))
    broken, missing = found()
    assert broken[0] == missing[0] == "warn"
    assert str(catalogue) in broken[1]
    assert "'Sign in'" in broken[1]
    assert missing[1].startswith("fi says ")
    assert run("doctor").status == 0


def test_the_doctor_makes_nothing(run: Run, tmp_path: Path) -> None:
    ran = run("doctor", "--json")
    assert ran.status == 0
    assert not (tmp_path / "data").exists()


def test_the_doctor_names_a_database_that_cannot_be_reached(run: Run, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_DATABASE_URL", "postgresql://idp:sesame-7@127.0.0.1:1/idp")
    settings.setenv("IDP_SECRET_KEYS", new_secret_key("k1"))
    ran = run("doctor")
    assert ran.status == 1
    assert re.search("FAIL +database", ran.out)
    assert "sesame" not in ran.out + ran.err


@pytest.mark.parametrize(
    "command",
    [("sms", "log"), ("sms", "unblock"), ("sms", "rules", "--explain"), ("user", "show"), ("client", "show")],
    ids=" ".join,
)
def test_bytes_that_are_no_text_are_a_wrong_command_line(command: tuple[str, ...], idp: Run) -> None:
    typed = os.fsdecode(b"\xff")
    ran = idp(*command, typed)
    assert ran.status == 2
    assert "no UTF-8" in ran.err
