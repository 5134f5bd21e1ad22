"""`idp user recover`."""

import pytest

from tests.world.commands import Run

WHY = "lost everything; seen in person"


def test_a_ticket_is_a_link_printed_once(idp: Run, person: str) -> None:
    ran = idp("user", "recover", person, "--reason", WHY, "--by", "olga", "--yes")
    assert (ran.status, ran.err) == (0, "")
    first, second, *rest = ran.out.splitlines()
    assert "/link/invite/" in first
    assert "closed for 1 day" in second
    assert not rest
    told = idp("user", "recover", person, "--reason", WHY, "--by", "olga", "--yes", "--json").json
    assert told["recovered"] is True
    assert told["closed_seconds"] == 24 * 3600


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("{person}", "--yes"), 2, "give --reason, or --confirm"),
        (("{person}", "--reason", WHY, "--confirm", "--yes"), 2, "not both"),
        (("{person}", "--reason", WHY), 2, "--yes"),
        (("{person}", "--confirm", "--by", "olga", "--yes"), 1, "Nobody asked"),
        (("no-such-person", "--reason", WHY, "--yes"), 1, "There is no user"),
        (("{person}", "--reason", " "), 2, "The reason has 1 to 200 printable characters"),
        (("{person}", "--reason", "x" * 201, "--yes"), 2, "The reason has 1 to 200 printable characters"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    idp: Run, person: str, arguments: tuple[str, ...], status: int, said: str
) -> None:
    ran = idp("user", "recover", *(each.format(person=person) for each in arguments))
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
