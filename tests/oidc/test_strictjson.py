"""JSON that two parsers could read differently is refused (JOS-05, DOS-03)."""

import pytest

from idp.oidc.strictjson import Malformed, parse_object


@pytest.mark.parametrize(
    "text", ['{"a": [1, 2.5, "ä", null, true, {"b": []}]}', '{"a": [1, 2.5, "ä", null, true, {"b": []}]}'.encode()]
)
def test_an_ordinary_object_is_read(text: str | bytes) -> None:
    assert parse_object(text) == {"a": [1, 2.5, "ä", None, True, {"b": []}]}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a":1,"a":1}', id="a member twice"),
        pytest.param('{"x":{"a":1,"a":2}}', id="a member twice inside"),
        pytest.param('{"a":NaN}', id="NaN"),
        pytest.param('{"a":-Infinity}', id="infinity"),
        pytest.param('{"a":1e999}', id="a number that becomes infinity"),
        pytest.param('{"a":' + "9" * 5000 + "}", id="5,000 digits"),
        pytest.param("[" * 100_000, id="100,000 levels"),
        pytest.param('{"a":' * 100_000 + "1" + "}" * 100_000, id="100,000 levels, closed"),
        pytest.param('{"a":' * 13 + "1" + "}" * 13, id="13 levels"),
        pytest.param('{"a":"\\u0000"}', id="NUL"),
        pytest.param('{"\\u0000":1}', id="NUL in a name"),
        pytest.param('{"a":["\\ud800"]}', id="half a character"),
        pytest.param("[1]", id="not an object"),
        pytest.param("null", id="null"),
        pytest.param("", id="nothing"),
        pytest.param('{"a":1} x', id="more after it"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"a":1}'.encode("utf-32-le"), id="UTF-32"),
        pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
        pytest.param('\ufeff{"a":1}', id="byte order mark"),
    ],
)
def test_anything_else_is_malformed(text: str | bytes) -> None:
    with pytest.raises(Malformed):
        parse_object(text)


def test_twelve_levels_are_enough() -> None:
    assert parse_object('{"a":' * 12 + "1" + "}" * 12)
