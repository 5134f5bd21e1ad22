"""Forms with files: read as browsers send them, and beside what a library makes of the same bytes."""

import io
from collections.abc import Mapping

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart import parse_form
from python_multipart.multipart import Field, File

from idp.web.uploads import Parts, boundary, read

names = st.text("abcdefghij-_", min_size=1, max_size=20)
texts = st.text(st.characters(codec="utf-8"), max_size=60)


def posted(fields: Mapping[str, str], files: Mapping[str, bytes]) -> tuple[str, bytes]:
    """As a client sends it: the type and the body."""
    sent = httpx.Request(
        "POST",
        "http://x",
        files=[*((n, (None, v)) for n, v in fields.items()), *((n, ("a.png", c)) for n, c in files.items())],
    )
    return sent.headers["content-type"], sent.read()


def by_library(kind: str, body: bytes) -> Parts:
    """What python-multipart reads."""
    found = Parts()

    def on_field(field: Field) -> None:
        found.fields.append(((field.field_name or b"").decode(), (field.value or b"").decode()))

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        found.files[(file.field_name or b"").decode()] = file.file_object.read()

    parse_form({"Content-Type": kind.encode()}, io.BytesIO(body), on_field, on_file)
    return found


@given(st.dictionaries(names, texts, min_size=1, max_size=4), st.binary(max_size=300))
def test_what_was_sent_is_read(fields: dict[str, str], content: bytes) -> None:
    kind, body = posted(fields, {"file": content})
    between = boundary(kind)
    assert between is not None
    assert read(body, between) == Parts(list(fields.items()), {"file": content})


@given(st.binary(max_size=300))
def test_it_is_read_as_the_library_reads_it(content: bytes) -> None:
    kind, body = posted({"csrf": "x" * 64, "keep": ""}, {"logo": content})
    between = boundary(kind)
    assert between is not None
    assert read(body, between) == by_library(kind, body)


FIELD = b'content-disposition: form-data; name="a"'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"--b", id="no end"),
        pytest.param(b"--b--", id="no parts at all"),
        pytest.param(b"x\r\n--b\r\n" + FIELD + b"\r\n\r\n1\r\n--b--\r\n", id="something before"),
        pytest.param(b"--b\r\n" + FIELD + b"\r\n\r\n1\r\n--b--\r\nmore", id="something behind"),
        pytest.param(b"--b\r\n" + FIELD + b"\r\n\r\n1\r\n--b", id="cut"),
        pytest.param(b"--b\r\n" + FIELD + b"\r\n--b--\r\n", id="no content"),
        pytest.param(b"--b\r\n\r\n1\r\n--b--\r\n", id="no name"),
        pytest.param(b"--b\r\n" + FIELD + b"\r\n" + FIELD + b"\r\n\r\n1\r\n--b--\r\n", id="two names"),
        pytest.param(b"--b\n" + FIELD + b"\n\n1\n--b--\n", id="other line breaks"),
        pytest.param(b"--b\r\n" + FIELD + b"\r\n\r\n\xff\r\n--b--\r\n", id="no UTF-8"),
        pytest.param(b"--b\r\n" + FIELD.replace(b"a", b"\xff") + b"\r\n\r\n1\r\n--b--\r\n", id="no name in UTF-8"),
        pytest.param((b"--b\r\n" + FIELD + b"\r\n\r\n1\r\n") * 30 + b"--b--\r\n", id="many parts"),
        pytest.param((b"--b\r\n" + FIELD + b'; filename="x"\r\n\r\n1\r\n') * 2 + b"--b--\r\n", id="one file twice"),
    ],
)
def test_what_no_browser_sends_is_not_read(body: bytes) -> None:
    found = read(body, b"b")
    assert found is None or found == Parts()


@given(st.binary(max_size=200), st.sampled_from([b"b", b"--", b"\r\n", b"-"]))
def test_nothing_makes_it_fail(body: bytes, between: bytes) -> None:
    for sent in (body, b"--" + between + body + b"\r\n--" + between + b"--\r\n"):
        assert isinstance(read(sent, between), Parts | None)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ("Multipart/Form-Data;boundary=----WebKitFormBoundaryAb1", b"----WebKitFormBoundaryAb1"),
        ('multipart/form-data; boundary="a b"', None),
        ('multipart/form-data; boundary="abc"', b"abc"),
        ("multipart/form-data; boundary=" + "a" * 71, None),
        ("multipart/form-data", None),
        ("multipart/mixed; boundary=abc", None),
        ("application/x-www-form-urlencoded", None),
        ("multipart/form-data; boundary=abc; boundary=abd", None),
        ("", None),
    ],
)
def test_a_boundary_is_what_stands_in_the_type(kind: str, found: bytes | None) -> None:
    assert boundary(kind) == found
