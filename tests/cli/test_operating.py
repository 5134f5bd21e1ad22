"""`idp user set`, `rename`, `remove`, `sessions`, `devices` and `idp audit`, as an operator types them."""

import csv
import io
import json

import pytest

from idp.cli.audit import COLUMNS
from tests.world.commands import Run


def test_a_person_is_set_and_renamed_and_what_follows_is_said(idp: Run, person: str) -> None:
    done = idp("user", "set", person, "name=Ada Lovelace", "email=ada@example.org", "email_verified=yes", "nickname=A")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"Changed name, email, email_verified, claims of {person}.",
        "Codes and links for another password go to ada@example.org.",
    ]
    again = idp("user", "set", person, "name=Ada Lovelace", "nickname=A")
    assert again.out == f"Nothing to change: {person} is like that already.\n"
    tried = idp("user", "rename", person, f"{person}x", "--dry-run").out
    assert tried.startswith(f"Would change username of {person}.\n")
    assert idp("user", "rename", person, f"{person}x", "--json").json["username"] == f"{person}x"
    assert idp("user", "show", person).status == 1
    told = idp("user", "set", f"{person}x", "nickname=", "--json").json
    assert (told["claims"], told["changed"], told["dry_run"]) == ({}, ["claims"], False)


@pytest.mark.parametrize(
    ("pair", "status"),
    [("name", 2), ("email_verified=perhaps", 2), ("password=x", 2), ("email=x", 1), ("groups=a,b", 1), ("=x", 2)],
)
def test_what_cannot_be_set_is_told(idp: Run, person: str, pair: str, status: int) -> None:
    done = idp("user", "set", person, pair)
    assert (done.status, done.out) == (status, "")
    assert done.err.endswith(".\n") or status == 2
    assert idp("user", "set", person, "name=a", "name=b").status == 2
    mistyped = " ".join(idp("user", "set", person, "nmae=a").err.split())
    assert "there is no 'nmae': there are username, name, " in mistyped


def test_a_removal_says_what_ends_and_asks(idp: Run, person: str) -> None:
    assert f"Would remove {person}." in idp("user", "remove", person, "--dry-run").out
    asked = idp("user", "remove", person)
    assert asked.status == 2
    assert "1 authenticator of theirs ends with them" in " ".join(asked.err.replace("│", " ").split())
    assert idp("user", "show", person).status == 0
    done = idp("user", "remove", person, "--yes", "--json")
    assert (done.json["removed"], done.json["username"]) == (True, person)
    assert idp("user", "remove", person, "--yes").status == 1
    trail = idp("audit", "--person", person, "--json").json["events"]
    assert [each["event"] for each in trail] == ["account.removed", "authenticator.added", "account.changed"]
    assert person not in json.dumps(trail[0])
    assert trail[0]["fields"]["operator"].startswith("shell:")


def test_who_is_signed_in_nowhere_is_told_so(idp: Run, person: str) -> None:
    assert idp("user", "sessions", person).out == f"{person} is signed in nowhere.\n"
    assert idp("user", "sessions", person, "--all").out == f"{person} was signed in nowhere.\n"
    assert idp("user", "sessions", person, "--json").json == {"username": person, "sessions": []}
    assert idp("user", "devices", person).out == f"No browser is known as {person}'s.\n"
    assert idp("user", "devices", person, "--all", "--json").json == {"username": person, "forgotten": 0}
    for command, option in (("sessions", "--end"), ("devices", "--forget")):
        for wrong in ("1f0c9a52", "", "zz"):
            refused = idp("user", command, person, option, wrong)
            assert refused.status == 1
            assert "whose id begins with" in refused.err
        assert idp("user", command, person, option, "1f", "--all").status == 2


def test_the_trail_is_shown_by_page_and_as_a_table(idp: Run, person: str) -> None:
    for name in ("One", "=2+3", "Three"):
        assert idp("user", "set", person, f"name={name}").status == 0
    shown = idp("audit", "--person", person, "--event", "account", "--operator", "any", "--since", "1h")
    assert shown.out.splitlines()[0].split() == ["AT", "EVENT", "PERSON", "CLIENT", "BY", "FROM", "WHAT"]
    assert len(shown.out.splitlines()) == 5
    page = idp("audit", "--person", person, "--limit", "2", "--json").json
    rest = idp("audit", "--person", person, "--after", page["after"], "--json").json
    assert (len(page["events"]), len(rest["events"]), rest["after"]) == (2, 3, None)
    assert idp("audit", "--person", person, "--until", "2020-01-01").out == "Nothing like that happened.\n"
    rows = list(csv.reader(io.StringIO(idp("audit", "--person", person, "--csv").out, newline="")))
    assert rows[0] == list(COLUMNS)
    assert len(rows) == 6
    assert rows[1][1:4:2] == ["account.changed", person]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--since", "yesterday"),
        ("--until", "7y"),
        ("--csv", "--json"),
        ("--csv", "--follow"),
        ("--follow", "--until", "7d"),
        ("--limit", "0"),
    ],
)
def test_a_wrong_search_is_a_wrong_command_line(idp: Run, wrong: tuple[str, ...]) -> None:
    assert idp("audit", *wrong).status == 2


def test_a_search_for_nobody_is_told(idp: Run) -> None:
    assert "There is no user named 'nobody-there'" in idp("audit", "--person", "nobody-there").err
    assert idp("audit", "--after", "x").status == 1
    assert idp("audit", "--event", "a\tb").status == 1


def test_a_search_for_what_there_is_not_says_what_there_is(idp: Run, person: str) -> None:
    for arguments, said in (
        (
            ("--event", "account.chnged"),
            "There is no event 'account.chnged': there are account.changed, ",
        ),
        (("--event", "acount"), "There is no event 'acount': there are account, "),
        (("--client", "shoop"), "Nothing has happened that is about an application with the id 'shoop'"),
    ):
        for more in ((), ("--json",), ("--csv",), ("--follow",)):
            ran = idp("audit", *arguments, *more)
            assert ran.status == 2
            assert said in " ".join(ran.err.replace("│", " ").split())
    made = idp("client", "add", "Trail", "--client-id", "trail-shop", "--redirect-uri", "https://shop.example/cb")
    assert made.status == 0, made.err
    assert "trail-shop (Trail)" in " ".join(idp("audit", "--client", "trial-shop").err.replace("│", " ").split())
    assert idp("audit", "--client", "trail-shop").out.count("client.changed") == 1
    assert idp("client", "remove", "Trail", "--yes").status == 0
    assert idp("audit", "--client", "trail-shop").out.count("client.changed") == 2  # it was there
    for event in ("account", "account.", "account.changed"):
        assert idp("audit", "--person", person, "--event", event).status == 0
