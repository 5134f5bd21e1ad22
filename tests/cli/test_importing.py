"""`idp import`: what it says of a file, and what it says of a wrong one."""

import asyncio
import json
import signal
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from idp.crypto import KeyChain
from idp.store.batches import BATCH
from tests.world import databases
from tests.world.commands import Run
from tests.world.processes import IDP, environment
from tests.world.served import keys_text
from tests.world.waiting import NEVER, comes

REALM = str(Path(__file__).parents[1] / "importing" / "harbour.json")
SECRETS = ("shop-secret-invented-0001", "pa5qcNawNreEmWtMhc1v", "uEXOXWpPhiXY061", "+44 7700 900101")


def test_a_dry_run_lists_what_does_not_come(idp: Run) -> None:
    said = idp("import", "keycloak", REALM, "--dry-run")
    assert said.status == 0, said.err
    assert "would come" in said.out
    assert "client wild: redirect URI https://wild.example.com/*" in said.out
    assert [secret for secret in SECRETS if secret in said.out + said.err] == []


def test_no_name_in_a_file_moves_the_cursor(idp: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text('username,groups\n"\x1b[2Jada",x\nbob,\x1b]0;you\x07\n', encoding="utf-8")
    ran = idp("import", "csv", str(file), "--dry-run")
    assert ran.status == 0, ran.err
    assert "?[2Jada" in ran.out
    assert [each for each in ran.out if not each.isprintable() and each != "\n"] == []


def test_json_is_one_object_with_every_name(idp: Run) -> None:
    found = idp("import", "keycloak", REALM, "--dry-run", "--json").json
    assert found["dry_run"] is True
    assert {"anna", "carla", "elena"} <= {each["who"] for each in found["left"]}
    assert set(found["people"]) | set(found["people_there"]) >= {"anna", "bruno"}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param(("keycloack", REALM), 2, "is not one of 'keycloak'", id="source"),
        pytest.param(("keycloak", REALM, "--group", "treasury"), 2, "THEIRS=OURS", id="group"),
        pytest.param(("keycloak", REALM, "--group", "a=nobody"), 1, "no row in the policy", id="no such group"),
        pytest.param(("keycloak", "/nowhere.json"), 1, "No such file", id="no file"),
        pytest.param(("keycloak", "/"), 1, "directory", id="directory"),
        pytest.param(("ldif", "/dev/zero"), 1, "cannot be read twice", id="no file that has an end"),
        pytest.param(("keycloak", "-"), 1, "cannot be read", id="nothing on standard input"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(idp: Run, arguments: tuple[str, ...], status: int, said: str) -> None:
    ran = idp("import", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err


def test_the_doctor_counts_who_has_not_signed_in_since(idp: Run, tmp_path: Path) -> None:
    name = "doctored@example.com"
    file = tmp_path / "people.csv"
    file.write_text(f"username,password_hash\n{name},$2b$04${'O' * 53}\n", encoding="utf-8")
    assert idp("import", "csv", str(file)).status == 0
    found = {each["check"]: each["found"] for each in idp("doctor", "--json").json["checks"]}
    assert "under another hash than today" in found["passwords"]


def a_realm(people: int, clients: int) -> str:
    """People who have an app, and have agreed to what each client may."""
    secret, about = json.dumps({"value": "pa5qcNawNreEmWtMhc1v"}), json.dumps({"subType": "totp", "digits": 6})
    app = {"type": "otp", "secretData": secret, "credentialData": about}
    ids = [f"shop{number}" for number in range(clients)]
    agreed = [{"clientId": each, "grantedClientScopes": ["profile"]} for each in ids]
    uri = "https://shop.example.com/callback"
    registered = [{"clientId": each, "publicClient": True, "redirectUris": [uri]} for each in ids]
    users = [{"username": f"p{number}", "credentials": [app], "clientConsents": agreed} for number in range(people)]
    return json.dumps({"realm": "r", "clients": registered, "users": users})


@pytest.mark.xdist_group("processes")
async def test_what_was_killed_goes_on_where_it_was(database_url: str, key_chain: KeyChain, tmp_path: Path) -> None:
    """Whoever came is whole: with the app, what they agreed to, and in the audit trail. Nobody comes twice."""
    people, clients, killed = 8 * BATCH, 5, 0
    file = tmp_path / "realm.json"
    file.write_text(a_realm(people, clients), encoding="utf-8")
    settings = environment(
        tmp_path,
        IDP_DATABASE_URL=database_url,
        IDP_ISSUER="http://localhost:8000",
        IDP_SECRET_KEYS=keys_text(key_chain),
    )
    command = [*IDP, "import", "keycloak", str(file), "--json"]
    connection = await asyncpg.connect(database_url)
    try:
        for sooner in (True, False, False):
            await databases.empty(database_url)
            process = await asyncio.create_subprocess_exec(*command, env=settings, stdout=subprocess.DEVNULL)
            await comes(partial(_any, "client" if sooner else "account", connection, process))
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
            await comes(partial(_quiet, connection))
            came = await _counts(connection)
            assert len(set(came)) == 1, came
            assert came[0] % BATCH == 0
            registered = await connection.fetchval("SELECT count(*) FROM client")
            killed += 0 < came[0] < people or (sooner and came[0] == 0)
            ran = await asyncio.to_thread(
                subprocess.run, command, env=settings, capture_output=True, check=True, timeout=NEVER
            )
            said = json.loads(ran.stdout)
            assert (len(said["people"]), len(said["people_there"])) == (people - came[0], came[0])
            assert (len(said["clients"]), len(said["clients_there"])) == (clients - registered, registered)
            assert {each["who"] for each in said["left"] if each["who"].startswith("p")} <= set(said["people"])
            assert await _counts(connection) == (people,) * 4
    finally:
        await connection.close()
    assert killed, "each was over before it was killed"


async def _any(
    table: str, connection: "asyncpg.Connection[asyncpg.Record]", process: asyncio.subprocess.Process
) -> bool:
    there = f"SELECT EXISTS (SELECT FROM {table})"  # noqa: S608 - one of two names
    return process.returncode is not None or bool(await connection.fetchval(there))


async def _quiet(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    """Whether what was under way when its client was killed is over."""
    return not await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"
    )


async def _counts(connection: "asyncpg.Connection[asyncpg.Record]") -> tuple[int, int, int, int]:
    """People, those with an app, those who agreed to all that there is, and rows of the audit trail."""
    all_ = "SELECT account_id FROM consent GROUP BY account_id HAVING count(*) = (SELECT count(*) FROM client)"
    return (
        await connection.fetchval("SELECT count(*) FROM account"),
        await connection.fetchval("SELECT count(DISTINCT account_id) FROM authenticator WHERE factor = 'totp'"),
        await connection.fetchval(f"SELECT count(*) FROM ({all_}) whole"),  # noqa: S608 - written above
        await connection.fetchval("SELECT count(*) FROM audit_event WHERE name = 'account.imported'"),
    )
