"""Each parameter once, and nothing that the rest of the house could not hold."""

import pytest

from idp.errors import OAuthError
from idp.oidc import params


def test_parameters_come_back_by_name() -> None:
    assert params.once([("a", "1"), ("b", "2")]) == {"a": "1", "b": "2"}


def test_a_parameter_without_a_value_counts_as_absent() -> None:
    assert params.once([("a", ""), ("b", "2")]) == {"b": "2"}


@pytest.mark.parametrize(
    ("pairs", "description"),
    [
        pytest.param([("scope", "a"), ("scope", "a")], "scope occurs twice.", id="twice the same"),
        pytest.param([("scope", ""), ("scope", "a")], "scope occurs twice.", id="once without a value"),
        pytest.param([("state", "a\x00b")], "state holds a character that is not text.", id="NUL"),
        pytest.param([("state", "\ud800")], "state holds a character that is not text.", id="half a character"),
        pytest.param([("a\x00", "x")], "A parameter holds a character that is not text.", id="NUL in the name"),
        pytest.param([("state", "a" * 8193)], "state is too long.", id="long value"),
        pytest.param([("a" * 257, "x")], "A parameter is too long.", id="long name"),
        pytest.param([('"\r\n', "x"), ('"\r\n', "x")], "A parameter occurs twice.", id="strange name"),
        pytest.param([("a" * 41, "x"), ("a" * 41, "x")], "A parameter occurs twice.", id="long name is not repeated"),
        pytest.param([("ä", "x"), ("ä", "x")], "A parameter occurs twice.", id="name outside ASCII"),
        pytest.param([(f"p{n}", "x") for n in range(101)], "request has too many parameters.", id="too many"),
    ],
)
def test_d15_a_parameter_that_cannot_be_used_is_an_invalid_request(
    pairs: list[tuple[str, str]], description: str
) -> None:
    with pytest.raises(OAuthError) as refused:
        params.once(pairs)
    assert (refused.value.code, refused.value.description) == ("invalid_request", description)
    assert refused.value.status == 400


def test_the_longest_value_and_the_most_parameters_are_accepted() -> None:
    assert params.once([("a", "x" * 8192), ("b" * 256, "y")]) == {"a": "x" * 8192, "b" * 256: "y"}
    assert len(params.once([(f"p{n}", "x") for n in range(100)])) == 100


def test_a_repeated_parameter_keeps_none_of_its_values() -> None:
    assert params.collect([("a", "1"), ("a", "2"), ("b", "3")]).values == {"b": "3"}
