"""A file that is read piece by piece says what it says whole, wherever the pieces end, and takes little memory."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.importing import auth0, keycloak, kratos, ldif, pieces, stile
from idp.importing.document import read_list
from idp.importing.incoming import Entry, Unreadable
from idp.importing.pieces import Text
from idp.oidc.strictjson import Malformed

PEOPLE = 20_000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"],
        exclude_characters="\0"), max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.fixture(params=[1, 3, 256 * 1024])
def pieced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(pieces, "_CHUNK", request.param)
    return int(request.param)


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_wherever_a_piece_ends_the_values_are_the_same(values: list[Any], indent: int | None, ascii_: bool) -> None:
    written = json.dumps(values, indent=indent, ensure_ascii=ascii_).encode()
    for size in (1, 2, 7):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(pieces, "_CHUNK", size)
            text = Text(written)
            assert list(text.items()) == values
            assert not text.peek()


def test_a_line_that_is_too_long_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "LONGEST", 50)
    assert len(list(ldif.read(b"dn: uid=ada\nuid: ada\ncn: " + b"a" * 45))) == 1
    now = datetime(2026, 1, 15, 12, tzinfo=UTC)
    with pytest.raises(Unreadable, match="one line of it is too long"):
        list(ldif.read(b"dn: uid=ada\nuid: ada\ncn: " + b"a" * 47))
    with pytest.raises(Unreadable, match="one line of it is too long"):
        stile.read(b"a" * 51, passphrase=None, now=now)


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"[", b"[1", b"[1,", b"[1,]", b"[,1]", b"[1 2]", b"[1,2}", b'["a]', b'["\\u12', b"[tru]", b"[nul", b"[1.]",
        b"[NaN]", b"[1e999]", b'[{"a": 1, "a": 2}]', b'[{"a": "\\ud800"}]', b"[\xff]", b'["\xc3', b"[" * 200, b"[[1]",
        b'["\x01"]', b"[-]", b"x", b"[1" + b"0" * 5000 + b"]",
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused_wherever_a_piece_ends(pieced: int, broken: bytes) -> None:
    with pytest.raises(Malformed):
        list(Text(broken).items())
    if broken:
        with pytest.raises(Unreadable):
            list(read_list(broken, inside="users"))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param('[{"a": 1}, {"a": 2}]', [1, 2], id="list"),
        pytest.param('\ufeff {"a": 1}\n\n{"a": 2}\n', [1, 2], id="lines"),
        pytest.param('{"x": {"a": 0}, "users": [{"a": 1}, {"a": 2}], "y": [{"a": 9}]}', [1, 2], id="inside"),
        pytest.param('{"a": 1}', [1], id="one"),
        pytest.param('[{"a": 1}]\n[{"a": 2}]', [1, 2], id="two lists, as of two files"),
        pytest.param("[]", [], id="none"),
    ],
)
def test_people_are_found_in_a_list_in_an_object_and_in_lines(pieced: int, content: str, found: list[int]) -> None:
    assert [each.whole("a") for each in read_list(content.encode(), inside="users")] == found


def test_a_wrong_file_of_any_length_is_refused_at_its_mistake() -> None:
    file = BytesIO(b'[{"a": 1}, {"a" 2}' + b', {"a": 3}' * 100_000)
    with pytest.raises(Unreadable):
        list(read_list(file, inside="users"))
    assert file.tell() <= 256 * 1024


def of_keycloak() -> Iterator[str]:
    yield '{"realm": "big", "users": ['
    for number in range(PEOPLE):
        yield ("," if number else "") + json.dumps({"username": f"p{number}", "attributes": {"x": ["y" * 300]}})
    yield "]}"


def of_kratos() -> Iterator[str]:
    for number in range(PEOPLE):
        yield json.dumps({"traits": {"username": f"p{number}", "x": "y" * 300}}) + "\n"


def of_ldif() -> Iterator[str]:
    for number in range(PEOPLE):
        yield f"dn: uid=p{number},dc=x\nuid: p{number}\ndescription: {'y' * 300}\n\n"


@pytest.mark.parametrize(
    ("write", "read"),
    [
        pytest.param(of_keycloak, keycloak.read, id="keycloak"),
        pytest.param(of_kratos, kratos.read, id="kratos"),
        pytest.param(of_ldif, ldif.read, id="ldif"),
    ],
)
def test_however_many_people_are_read_few_are_held(
    write: Callable[[], Iterator[str]], read: Callable[[BytesIO], Iterator[Entry]]
) -> None:
    file = BytesIO("".join(write()).encode())
    tracemalloc.start()
    try:
        found = sum(1 for _ in read(file))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found >= PEOPLE
    assert most < 5_000_000


def test_one_person_in_two_files_of_auth0_is_one_in_whatever_shape() -> None:
    profile = '{"user_id": "auth0|1", "email": "a@b.example"}'
    hashed = '{"_id": {"$oid": "1"}, "email": "a@b.example", "passwordHash": "x"}'
    for content in (f"{profile}\n{hashed}", f"[{profile}]\n{hashed}", f"[{profile}][{hashed}]"):
        people = [each for each in auth0.read(content.encode()) if type(each).__name__ == "Person"]
        assert len(people) == 1
