"""`idp user …`."""

import base64
import getpass
import re
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from idp.audit import ConsentGiven
from idp.flows.idp import Idp
from idp.flows.operate import finding
from idp.serving.place import run as run_here
from idp.store import audits
from tests.world.commands import PASSWORD, Run


def add(idp: Run, *arguments: str, password: str = PASSWORD) -> tuple[int, str, str]:
    ran = idp("user", "add", *arguments, "--password-stdin", stdin=password)
    return ran.status, ran.out, ran.err


def test_a_person_is_added_with_a_phone_that_is_trusted_at_once(idp: Run) -> None:
    arguments = ("Bea", "--phone", "+372 5678 9045", "--name", "Bea  Bird", "--email", "bea@example.com")
    ran = idp("user", "add", *arguments, "--password-stdin", "--json", stdin=f"{PASSWORD}\n")
    assert ran.status == 0
    assert ran.err == ""
    assert ran.json["username"] == "bea"
    assert ran.json["name"] == "Bea Bird"
    assert ran.json["groups"] == []
    (phone,) = ran.json["authenticators"]
    assert (phone["factor"], phone["hint"]) == ("sms", "ending 45")
    assert phone["trusted_at"] == phone["created_at"]
    assert "56789045" not in ran.out.replace(" ", "")
    assert PASSWORD not in ran.out


@pytest.mark.parametrize(
    ("arguments", "password", "sentence"),
    [
        pytest.param(("a b", "--no-phone"), PASSWORD, "no spaces", id="blank in the username"),
        pytest.param(("a\x00b", "--no-phone"), PASSWORD, "no control characters", id="NUL in the username"),
        pytest.param(("a\u202eb", "--no-phone"), PASSWORD, "no control characters", id="reversed username"),
        pytest.param(("x" * 65, "--no-phone"), PASSWORD, "1 to 64", id="long username"),
        pytest.param(("  ", "--no-phone"), PASSWORD, "1 to 64", id="empty username"),
        pytest.param(("carl", "--phone", "5678 9045"), PASSWORD, "country code", id="no country"),
        pytest.param(("carl", "--phone", "+3726123456"), PASSWORD, "not a mobile number", id="fixed line"),
        pytest.param(("carl", "--no-phone", "--email", "carl"), PASSWORD, "e-mail", id="no e-mail"),
        pytest.param(("carl", "--no-phone", "--group", "a b"), PASSWORD, "group", id="blank in a group"),
        pytest.param(("carl", "--no-phone", "--name", "\x1b[31m"), PASSWORD, "printable", id="escape in the name"),
        pytest.param(("carl", "--no-phone"), "password1", "first that anybody would try", id="common password"),
        pytest.param(("carl", "--no-phone"), "short", "less than 8", id="short password"),
        pytest.param(("carl", "--no-phone"), "", "less than 8", id="no password"),
        pytest.param(("carl-gustav", "--no-phone"), "carl-gustav1", "a name", id="username as password"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    idp: Run, arguments: tuple[str, ...], password: str, sentence: str
) -> None:
    status, out, err = add(idp, *arguments, password=password)
    assert (status, out) == (1, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert not password or password not in err
    assert "'carl'" not in idp("user", "list", "--json").out


def test_a_username_is_taken_whatever_its_case(idp: Run, person: str) -> None:
    status, _, err = add(idp, person.upper(), "--no-phone")
    assert status == 1
    assert "exists already" in err


def test_errors_are_json_too_when_asked_for(idp: Run, person: str) -> None:
    ran = idp("user", "add", person, "--no-phone", "--password-stdin", "--json", stdin=PASSWORD)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith('{"error": "A user named')


def test_a_phone_or_the_lack_of_one_has_to_be_said(idp: Run) -> None:
    assert add(idp, "dora")[0] == 2
    assert add(idp, "dora", "--no-phone", "--phone", "+37256789045")[0] == 2


def test_a_password_is_not_waited_for_without_a_terminal(idp: Run) -> None:
    ran = idp("user", "add", "dora", "--no-phone")
    assert ran.status == 2
    assert "--password-stdin" in ran.err


def test_nobody_is_shown_or_changed_who_is_not_there(idp: Run) -> None:
    for command in ("show", "totp", "recovery", "disable", "enable", "unlock"):
        ran = idp("user", command, "nobody-at-all")
        assert (ran.status, ran.out, ran.err) == (1, "", "There is no user named 'nobody-at-all'.\n"), command


def test_an_app_by_ticket_is_shown_once_and_trusted_at_once(idp: Run, person: str) -> None:
    ran = idp("user", "totp", person, "--json")
    assert ran.status == 0
    uri = urlsplit(ran.json["otpauth_uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    secret = parse_qs(uri.query)["secret"][0]
    assert secret == ran.json["secret"]
    assert len(base64.b32decode(secret)) == 20
    shown = idp("user", "show", person, "--json")
    (app,) = [one for one in shown.json["authenticators"] if one["factor"] == "totp"]
    assert app["trusted_at"] == ran.json["trusted_at"] == app["created_at"]
    assert secret not in shown.out
    (event,) = [one for one in shown.json["events"] if one["fields"].get("factor") == "totp"]
    assert event["event"] == "authenticator.added"
    assert event["fields"]["by"] == "operator"


def test_a_ticket_for_people_is_a_qr_code(idp: Run, person: str) -> None:
    ran = idp("user", "totp", person)
    assert ran.status == 0
    assert "otpauth://totp/" in ran.out
    assert ran.out.count("\u2580") + ran.out.count("\u2588") > 100


def test_replacing_an_app_leaves_the_new_one_alone(idp: Run, person: str) -> None:
    idp("user", "totp", person)
    new = idp("user", "totp", person, "--replace", "--json").json["authenticator_id"]
    shown = idp("user", "show", person, "--json").json["authenticators"]
    assert [one["id"] for one in shown if one["factor"] == "totp"] == [new]
    assert [one["factor"] for one in shown] == ["sms", "totp"]


def test_recovery_codes_are_ten_and_replace_the_old_ones(idp: Run, person: str) -> None:
    first = idp("user", "recovery", person, "--json").json["recovery_codes"]
    second = idp("user", "recovery", person, "--json").json["recovery_codes"]
    assert len(set(first) | set(second)) == 20
    sets = [one for one in idp("user", "show", person, "--json").json["authenticators"] if one["factor"] == "recovery"]
    assert [one["remaining"] for one in sets] == [10]


def test_a_phone_is_replaced(idp: Run, person: str) -> None:
    assert idp("user", "phone", person, "+37256789046", "--replace").status == 0
    shown = idp("user", "show", person, "--json").json["authenticators"]
    assert [one["hint"] for one in shown] == ["ending 46"]


def test_a_lost_authenticator_is_removed_by_the_start_of_its_id(idp: Run, person: str) -> None:
    (phone,) = idp("user", "show", person, "--json").json["authenticators"]
    assert idp("user", "remove-authenticator", person, phone["id"][:7]).status == 1
    ran = idp("user", "remove-authenticator", person, phone["id"][:8], "--json")
    assert ran.json["left"] == 0
    assert idp("user", "show", person, "--json").json["authenticators"] == []
    assert "no: no phone" in idp("user", "show", person).out
    assert idp("user", "remove-authenticator", person, phone["id"]).status == 1


def test_a_password_is_changed_and_weak_ones_are_not(idp: Run, person: str) -> None:
    assert idp("user", "password", person, "--password-stdin", stdin="qwerty123").status == 1
    ran = idp("user", "password", person, "--password-stdin", "--json", stdin="another sound 88 river")
    assert ran.json == {"username": person, "changed": True}
    events = idp("user", "show", person, "--json").json["events"]
    assert [one["fields"] for one in events if one["event"] == "password.changed"] == [
        {"by": "operator", "operator": f"shell:{getpass.getuser()}"}
    ]


def test_disabling_and_enabling_are_shown_and_audited(idp: Run, person: str) -> None:
    assert idp("user", "disable", person, "--json").json == {"username": person, "disabled": True}
    assert idp("user", "show", person, "--json").json["disabled"] is True
    idp("user", "enable", person)
    shown = idp("user", "show", person, "--json").json
    assert shown["disabled"] is False
    changes = [one["fields"]["change"] for one in shown["events"] if one["event"] == "account.changed"]
    assert changes == ["enabled", "disabled", "added"]


def test_unlocking_says_whether_there_was_anything_to_unlock(idp: Run, person: str) -> None:
    ran = idp("user", "unlock", person)
    assert ran.status == 0
    assert f"Nothing of {person} had to wait" in ran.out


def test_what_is_known_about_a_person_is_shown(idp: Run, person: str) -> None:
    said = ("given_name=Ada", "address.locality=London", "address.country=GB", "zoneinfo=Europe/London")
    assert idp("user", "claims", person, *said).status == 0
    shown = idp("user", "show", person).out
    for name, _, value in (each.partition("=") for each in said):
        assert re.search(rf"^{re.escape(name)} +{value}$", shown, re.MULTILINE)
    assert idp("user", "show", person, "--json").json["claims"] == {
        "given_name": "Ada",
        "address": {"locality": "London", "country": "GB"},
        "zoneinfo": "Europe/London",
    }


def test_people_are_found_by_a_part_of_their_name(idp: Run, person: str) -> None:
    found = idp("user", "list", "--search", person.upper(), "--json").json
    assert [one["username"] for one in found["users"]] == [person]
    assert found["total"] >= 1
    assert idp("user", "list", "--search", "no such person", "--json").json["users"] == []
    assert idp("user", "list", "--limit", "0").status == 2


def test_an_email_address_is_set_verified_and_forgotten(idp: Run) -> None:
    assert add(idp, "erna", "--no-phone")[0] == 0
    told = idp("user", "email", "erna", "erna@example.com", "--verified", "--json").json
    assert (told["email"], told["email_verified"]) == ("erna@example.com", True)
    told = idp("user", "email", "erna", "erna@example.com", "--json").json
    assert (told["email"], told["email_verified"]) == ("erna@example.com", False)
    told = idp("user", "email", "erna", "--remove", "--json").json
    assert (told["email"], told["email_verified"]) == (None, False)
    changes = [event["fields"]["change"] for event in idp("user", "show", "erna", "--json").json["events"]]
    assert changes.count("email") == 3


def test_an_email_address_that_is_none_is_refused(idp: Run) -> None:
    assert add(idp, "emil", "--no-phone")[0] == 0
    assert idp("user", "email", "emil", "nobody").status == 1
    assert idp("user", "email", "nobody-there", "a@example.com").status == 1
    assert idp("user", "email", "emil").status == 2
    assert idp("user", "email", "emil", "a@example.com", "--remove").status == 2


def test_a_phone_that_no_numbering_plan_knows_is_told(idp: Run, person: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = idp("user", "show", person, "--json")
    assert before.json["warnings"] == []
    monkeypatch.setattr(finding, "textable", lambda _: False)  # as libphonenumber says after a plan changed
    ran = idp("user", "show", person, "--json")
    (phone,) = [one for one in ran.json["authenticators"] if one["factor"] == "sms"]
    (sentence,) = ran.json["warnings"]
    assert sentence.startswith(f"No code reaches the phone {phone['hint']} ({phone['id'][:8]})")
    assert f"`idp user phone {person} NUMBER --replace`" in sentence
    assert sentence in idp("user", "show", person).out
    assert not re.search(r"\d{4,}", sentence.replace(phone["id"][:8], "").replace(person, ""))


def test_a_person_is_shown_with_names_for_people_and_ids_for_programs(idp: Run, person: str) -> None:
    idp("user", "totp", person)
    which = idp("user", "show", person).out.splitlines()
    heading = next(line for line in which if line.startswith("AUTHENTICATOR"))
    app = next(line for line in which if " totp " in line)
    assert app[heading.index("WHICH")] != " "
    person_id = idp("user", "show", person, "--json").json["id"]
    name = f"Shop {person}"
    client = idp("client", "add", name, "--redirect-uri", "http://localhost:3000/cb", "--json").json["client_id"]

    async def agreed(idp: Idp) -> None:
        await audits.add(
            idp.db, ConsentGiven(["openid"]), now=idp.clock.now(), account_id=UUID(person_id), client_id=client
        )

    run_here(agreed)
    shown = idp("user", "show", person)
    assert name in shown.out
    assert client not in shown.out
    assert idp("user", "show", person, "--json").json["events"][0]["client_id"] == client
    idp("client", "remove", name, "--yes")
    assert client in idp("user", "show", person).out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("ada", "--phone", "+372 12"), "phone number cannot be used", id="phone"),
        pytest.param(("a b", "--no-phone"), "A username has no spaces", id="username"),
        pytest.param(("ada", "--no-phone", "--email", "ada"), "The e-mail address cannot be used", id="address"),
        pytest.param(("ada", "--no-phone"), "no terminal to ask for it in: say --password-stdin", id="no terminal"),
    ],
)
def test_no_password_is_asked_for_before_all_else_can_be_taken(
    run: Run, arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(what: str) -> str:
        pytest.fail(f"asked for {what}")

    monkeypatch.setattr("idp.cli.output.ask_secret", ask)
    ran = run("user", "add", *arguments)
    assert ran.status in {1, 2}
    assert told in " ".join(ran.err.split())
