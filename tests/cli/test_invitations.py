"""`idp user invite`."""

import pytest

from tests.world.commands import Run


def test_a_link_is_printed_once_and_another_on_demand(idp: Run) -> None:
    ran = idp("user", "invite", "inga", "--email", "inga@example.com", "--name", "Inga Ilves")
    assert (ran.status, ran.err) == (0, "")
    first, second, *rest = ran.out.splitlines()
    assert "/link/invite/" in first
    assert "nobody else" in second
    assert not rest
    told = idp("user", "invite", "inga", "--email", "inga@example.com", "--json").json
    assert told["link"] != first
    assert told["mailed"] is False
    assert "not yet: no password chosen" in idp("user", "show", "inga").out
    listed = idp("user", "list", "--search", "inga").out.splitlines()
    assert listed[0].split()[-1] == "STATE"
    assert listed[1].split()[-1] == "invited"
    assert idp("user", "list", "--state", "invited", "--search", "inga", "--json").json["users"][0]["invited"] is True


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("{person}",), 1, "idp user reset {person}"),
        (("new-one", "--mail"), 1, "IDP_SMTP_URL"),
        (("new-one", "--phone", "12"), 1, "phone number"),
        (("new-one", "--group", "nowhere"), 1, "no row in the policy"),
        (("new-one", "--locale", "x!y"), 1, "'x!y' is no language"),
        ((), 2, "NAME"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    idp: Run, person: str, arguments: tuple[str, ...], status: int, said: str
) -> None:
    ran = idp("user", "invite", *(each.format(person=person) for each in arguments))
    assert (ran.status, ran.out) == (status, "")
    assert said.format(person=person) in ran.err
