"""Which new passwords are refused, and that good ones are not."""

from functools import partial

import pytest

from idp.factors.strength import Problem, acceptable, common_passwords
from tests.world.cost import in_passwords


def problems(text: str) -> list[Problem]:
    return acceptable(text, username="alice", words=("Stile", "Alice Ant", "al"))


@pytest.mark.parametrize(
    "text",
    [
        "correct horse battery",
        "dragon-8472916350",
        "Tr0ub4dor&3x",
        "alice likes her walks",
        "kj2h4g8s",
        "päikeseloojang mere ääres",
        "пять зелёных слонов",
        "a" + "\ufdfa" * 9 + "bcd x",
        "x" * 3 + "qwerty-but-much-longer",
        "Zq7!" * 2 + "w",
        "ein langer satz " * 60,
    ],
)
def test_a_good_password_may_be_set(text: str) -> None:
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", Problem.TOO_SHORT, id="empty"),
        pytest.param("k3-g8!s", Problem.TOO_SHORT, id="seven characters"),
        pytest.param("x7" * 501, Problem.TOO_LONG, id="1,002 characters"),
        pytest.param("\ufdfa" * 100_000, Problem.TOO_LONG, id="U+FDFA"),
        pytest.param("good pass\x00word", Problem.UNREADABLE, id="NUL"),
        pytest.param("iloveyou", Problem.COMMON, id="on the list"),
        pytest.param("ILoveYou", Problem.COMMON, id="in capitals"),
        pytest.param("i love you", Problem.COMMON, id="with spaces"),
        pytest.param("ｐａｓｓｗｏｒｄ", Problem.COMMON, id="in full width"),  # noqa: RUF001
        pytest.param("Password1!", Problem.COMMON, id="decorated"),
        pytest.param("P@ssw0rd2024", Problem.COMMON, id="decorated and disguised"),
        pytest.param("!!Liverp00l", Problem.COMMON, id="decorated in front"),
        pytest.param("1iverp00l", Problem.COMMON, id="one as letter l"),
        pytest.param("контроль", None, id="a word that is not on the list"),
        pytest.param("alice2024!", Problem.NAMES, id="the username and a year"),
        pytest.param("xALICEalice", Problem.NAMES, id="the username twice"),
        pytest.param("Stile-2024", Problem.NAMES, id="the brand"),
        pytest.param("alice ant!", Problem.NAMES, id="the name"),
        pytest.param("al-7f3-kq", None, id="names of two letters do not count"),
        pytest.param("zzzzzzzzzz", Problem.REPETITIVE, id="one letter"),
        pytest.param("zyzyyzyzyy", Problem.REPETITIVE, id="two letters"),
        pytest.param("x7qx7qx7qx", Problem.REPETITIVE, id="one unit again and again"),
        pytest.param("kfw9pkfw9p", Problem.REPETITIVE, id="twice the same"),
        pytest.param("abcdefgh", Problem.SEQUENCE, id="alphabet"),
        pytest.param("87654321", Problem.SEQUENCE, id="downwards"),
        pytest.param("4567890qwer", Problem.SEQUENCE, id="two runs"),
        pytest.param("lkjhgfdsa321", Problem.SEQUENCE, id="backwards on the keyboard"),
        pytest.param("1q2w3e4r5t", Problem.SEQUENCE, id="zigzag"),
        pytest.param("qwertz-12", None, id="runs with something between"),
    ],
)
def test_a_bad_password_is_refused_for_the_reason(text: str, problem: Problem | None) -> None:
    found = problems(text)
    assert found == [] if problem is None else problem in found


def test_every_reason_is_told_at_once() -> None:
    assert problems("qwerty") == [Problem.TOO_SHORT, Problem.COMMON, Problem.SEQUENCE]


def test_judging_the_longest_password_takes_no_noticeable_time() -> None:
    common_passwords()
    for text in ("abc" * 333, "\ufdfa" * 1000, "qwe123" * 166, "a" * 1000):
        assert in_passwords(partial(problems, text)) < 10


def test_the_list_is_one_folded_word_a_line() -> None:
    words = common_passwords()
    assert len(words) > 1500
    assert all(word == word.casefold().strip() and word for word in words)
