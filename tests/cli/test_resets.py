"""`idp user reset`."""

import pytest

from tests.world.commands import PASSWORD, Run


def test_a_link_is_printed_once(idp: Run, person: str) -> None:
    ran = idp("user", "reset", person)
    assert (ran.status, ran.err) == (0, "")
    first, second, *rest = ran.out.splitlines()
    assert "/link/reset/" in first
    assert "nobody else" in second
    assert not rest
    told = idp("user", "reset", person, "--json").json
    assert told["username"] == person
    assert told["mailed"] is False
    assert told["link"] != first


def test_a_temporary_password_is_set_and_not_repeated(idp: Run, person: str) -> None:
    ran = idp("user", "reset", person, "--temporary-password-stdin", stdin=f"{PASSWORD}\n")
    assert (ran.status, ran.err) == (0, "")
    assert "They choose another when they sign in" in ran.out
    assert PASSWORD not in ran.out
    told = idp("user", "reset", person, "--temporary-password-stdin", "--json", stdin=PASSWORD).json
    assert told == {"username": person, "changed": True, "temporary": True}


@pytest.mark.parametrize(
    ("arguments", "stdin", "status", "said"),
    [
        (("{person}", "--mail"), "", 1, "IDP_SMTP_URL"),
        (("nobody-at-all",), "", 1, "There is no user"),
        (("{person}", "--mail", "--temporary-password-stdin"), PASSWORD, 2, "a link or a password, not both"),
        (("{person}", "--temporary-password-stdin"), "short", 1, "less than 8"),
        ((), "", 2, "NAME"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    idp: Run, person: str, arguments: tuple[str, ...], stdin: str, status: int, said: str
) -> None:
    ran = idp("user", "reset", *(each.format(person=person) for each in arguments), stdin=stdin)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
