"""Recovery codes: enough of them, random enough, readable, and stored so that a dump is worth nothing."""

import re
from uuid import UUID

import pytest

from idp.factors.recovery import new_codes, normalise_answer, stored

SET_A = UUID(int=1)
SET_B = UUID(int=2)


def test_rec_02_there_are_ten_different_codes_of_80_bits() -> None:
    codes = new_codes()
    assert len(set(codes)) == 10
    assert all(re.fullmatch("([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes)


def test_every_place_of_a_code_takes_every_letter() -> None:
    codes = [code.replace("-", "") for _ in range(100) for code in new_codes()]
    assert len(set(codes)) == 1000
    assert all(len({code[place] for code in codes}) == 32 for place in range(16))


def test_a_shown_code_is_read_back() -> None:
    for code in new_codes():
        assert normalise_answer(code) == code.replace("-", "")


@pytest.mark.parametrize(
    "typed",
    [
        "7K3F-9QZM-4R20-XW81",
        "7k3f9qzm4r20xw81",
        " 7K3F 9QZM 4R20 XW81 ",
        "7K3F-9QZM-4R2O-XW8I",
        "7k3f-9qzm-4r2o-xw8l",
        "\u200e7K3F\u20119QZM\u20114R20\u2011XW81",
        "\uff17\uff2b\uff13\uff26 9QZM 4R20 XW\u0668\u0661",
    ],
)
def test_case_spaces_hyphens_and_look_alikes_are_forgiven(typed: str) -> None:
    assert normalise_answer(typed) == "7K3F9QZM4R20XW81"


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("", id="empty"),
        pytest.param("7K3F-9QZM-4R20-XW8", id="a letter short"),
        pytest.param("7K3F-9QZM-4R20-XW811", id="a letter long"),
        pytest.param("7K3F-9QZM-4R20-XW8U", id="U is no letter of it"),
        pytest.param("7K3F-9QZM-4R20-XW8ı", id="dotless i"),  # noqa: RUF001
        pytest.param("7K3F-9QZM-4R20-XW8\u2460", id="circled"),
        pytest.param("7K3F-9QZM-4R20-XW81\n", id="line end"),
        pytest.param("7" + " " * 1_000_000, id="a megabyte"),
        pytest.param(None, id="missing"),
        pytest.param(7, id="a number"),
    ],
)
def test_anything_else_is_no_code(typed: object) -> None:
    assert normalise_answer(typed) is None


def test_what_is_stored_tells_nothing_and_belongs_to_one_set() -> None:
    code = "7K3F9QZM4R20XW81"
    assert stored(code, authenticator_id=SET_A) == stored(code, authenticator_id=SET_A)
    assert stored(code, authenticator_id=SET_A) != stored(code, authenticator_id=SET_B)
    assert stored(code, authenticator_id=SET_A) != stored("7K3F9QZM4R20XW82", authenticator_id=SET_A)
    assert len(stored(code, authenticator_id=SET_A)) == 32
    assert code.encode() not in stored(code, authenticator_id=SET_A)
