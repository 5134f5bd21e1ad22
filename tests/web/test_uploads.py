"""Forms with files: read as browsers send them, and nothing else that somebody sends breaks anything."""

from collections.abc import Mapping

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.web.uploads import Parts, has_files, read

names = st.text("abcdefghij-_", min_size=1, max_size=20)
texts = st.text(st.characters(codec="utf-8"), max_size=60)
KIND = "multipart/form-data; boundary=b"
FIELD = b'content-disposition: form-data; name="a"'
FILE = FIELD + b'; filename="x"'


def posted(fields: Mapping[str, str], files: Mapping[str, bytes]) -> tuple[bytes, str]:
    """As a client sends it: the body and its type."""
    sent = httpx.Request(
        "POST",
        "http://x",
        files=[*((n, (None, v)) for n, v in fields.items()), *((n, ("a.png", c)) for n, c in files.items())],
    )
    return sent.read(), sent.headers["content-type"]


@given(st.dictionaries(names, texts, min_size=1, max_size=4), st.binary(max_size=300))
def test_what_was_sent_is_read(fields: dict[str, str], content: bytes) -> None:
    body, kind = posted(fields, {"file": content})
    assert has_files(kind)
    assert read(body, kind) == Parts(list(fields.items()), {"file": content})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"--b\r\n\r\n1\r\n--b--\r\n", KIND, id="no name"),
        pytest.param(b"--c\r\n" + FIELD + b"\r\n\r\n1\r\n--c--\r\n", KIND, id="another boundary"),
        pytest.param(b"--b\r\n" + FIELD + b"\r\n\r\n1\r\n--b--\r\n", "multipart/form-data", id="no boundary"),
        pytest.param(b"--b\r\n" + FIELD + b"\r\n\r\n\xff\r\n--b--\r\n", KIND, id="no UTF-8"),
        pytest.param((b"--b\r\n" + FIELD + b"\r\n\r\n1\r\n") * 30 + b"--b--\r\n", KIND, id="many fields"),
        pytest.param((b"--b\r\n" + FILE + b"\r\n\r\n1\r\n") * 2 + b"--b--\r\n", KIND, id="one file twice"),
    ],
)
def test_what_is_no_form_is_not_read(body: bytes, kind: str) -> None:
    assert read(body, kind) is None


def test_what_was_cut_is_not_taken_for_a_file() -> None:
    whole = b"--b\r\n" + FILE + b"\r\n\r\n" + b"x" * 100 + b"\r\n--b--\r\n"
    for at in range(len(whole) - len(b"\r\n--b")):
        cut = read(whole[:at], KIND)
        assert cut is None or not cut.files, at


@given(
    st.binary(max_size=200),
    st.sampled_from([b"b", b"--", b"\r\n", b"-"]),
    st.sampled_from(["", "; charset=utf-16", "; charset=undefined", "; charset=rot13", '; boundary="b"', ";;=", "; é"]),
)
def test_nothing_makes_it_fail(body: bytes, between: bytes, more: str) -> None:
    for sent in (
        body,
        b"--" + between + body + b"\r\n--" + between + b"--\r\n",
        b"--b\r\n" + FILE + b"\r\n\r\n" + body,
    ):
        assert isinstance(read(sent, KIND + more), Parts | None)


@pytest.mark.parametrize(
    ("kind", "may"),
    [
        ("multipart/form-data; boundary=abc", True),
        ("Multipart/Form-Data;boundary=abc", True),
        ("multipart/form-data", True),
        ("multipart/mixed; boundary=abc", False),
        ("application/x-www-form-urlencoded", False),
        ("", False),
    ],
)
def test_the_type_says_whether_there_may_be_files(kind: str, may: bool) -> None:
    assert has_files(kind) is may
