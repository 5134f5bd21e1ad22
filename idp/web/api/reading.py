"""A request of the API, read: parameters and body by their types, versions and keys by their headers. No more."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request

from idp.oidc import strictjson
from idp.oidc.strictjson import storable
from idp.web.api.endpoints import Asked, Endpoint
from idp.web.api.mistakes import in_words, mistakes, well_typed
from idp.web.api.problems import Mistake, Refused
from idp.web.door import Unreadable, idp_of, query

_TAG = re.compile(r'"([\x21\x23-\x7e]{1,200})"')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Mistyped(Exception):
    """A body of which members have not the type of theirs; `asked` has the others, by name, and no version."""

    def __init__(self, mistakes: Sequence[Mistake], asked: Asked) -> None:
        super().__init__(in_words(mistakes))
        self.mistakes = mistakes
        self.asked = asked


def read(request: Request, endpoint: Endpoint, raw: bytes) -> Asked:
    """What is asked, with this body. Raises `Refused`, `Mistyped` and `Unreadable`."""
    asked = Asked(idp_of(request), _path(request.path_params), _query(request, endpoint))
    if endpoint.takes is not None:
        asked = replace(asked, body=_body(request, raw, endpoint.takes, asked))
    asked = replace(asked, expected=_expected(request, endpoint))
    if endpoint.takes is None and raw.strip():
        raise _wrong(400, "Nothing is to be sent here: leave the body empty.")
    return asked


def _wrong(status: int, detail: str, *errors: Mistake) -> Refused:
    return Refused(status, "unreadable", "Unreadable", detail, errors=errors)


def _path(given: Mapping[str, Any]) -> Mapping[str, str | UUID]:
    if not all(storable(value) for value in given.values() if isinstance(value, str)):
        raise _wrong(400, "The address holds a character that is not text.")
    return given


def _query(request: Request, endpoint: Endpoint) -> object:
    found: dict[str, str] = {}
    for name, value in query(request):
        if not storable(name) or not storable(value):
            raise _wrong(400, "A parameter holds a character that is not text.")
        if name in found:
            raise _wrong(400, "A parameter occurs twice.", Mistake(name[:100], "It occurs twice."))
        found[name] = value
    try:
        return msgspec.convert(found, endpoint.query, strict=False)
    except msgspec.ValidationError:
        wrong = mistakes(found, endpoint.query, strict=False)
        named = [Mistake(one.pointer.lstrip("/"), one.detail) for one in wrong]
        raise _wrong(400, f"Of the parameters of the address: {in_words(wrong)}", *named) from None


def _body(request: Request, raw: bytes, kind: type[msgspec.Struct], asked: Asked) -> object:
    kind_sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not raw and not kind_sent:
        raw, kind_sent = b"{}", "application/json"  # where nothing has to be said
    if kind_sent != "application/json":
        raise Refused(415, "media_type", "Not JSON", "The body has to be application/json.")
    try:
        value = strictjson.parse_object(raw)
    except strictjson.Malformed as error:
        raise _wrong(400, f"The body cannot be read: {error}.") from None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        wrong = mistakes(value, kind, strict=True)
        raise Mistyped(wrong, replace(asked, body=well_typed(value, kind))) from None


def invalid(detail: str, *errors: Mistake) -> Refused:
    """Well-formed, and cannot be taken."""
    return Refused(422, "invalid", "It cannot be taken", detail, errors=errors)


def _expected(request: Request, endpoint: Endpoint) -> str | None:
    """The version of If-Match (RFC 9110 13.1.1); None for `*`, and where it may be missing."""
    lines = request.headers.getlist("if-match")
    if not endpoint.versioned or request.method in {"GET", "HEAD"}:
        return None
    if not lines:
        if endpoint.guarded:
            # RFC 6585 3
            detail = "Send the ETag that you saw as If-Match, so that you do not undo what somebody else changed."
            raise Refused(428, "precondition_required", "Which version?", detail)
        return None
    if len(lines) == 1 and lines[0].strip() == "*":
        return None
    found = _TAG.fullmatch(lines[0].strip()) if len(lines) == 1 else None
    # RFC 9110 13.1.1: by strong comparison, so that a weak tag never matches
    return found[1] if found else "no version"


def is_known(request: Request, version: str) -> bool:
    """Whether who asks has seen this version (RFC 9110 13.1.2): by weak comparison, any of several, or `*`."""
    named = [tag.strip().removeprefix("W/") for tag in ",".join(request.headers.getlist("if-none-match")).split(",")]
    return "*" in named or f'"{version}"' in named


def key_of(request: Request) -> str | None:
    """The Idempotency-Key. Raises `Refused`."""
    lines = request.headers.getlist("idempotency-key")
    if not lines:
        return None
    if len(lines) > 1 or not _KEY.fullmatch(lines[0]):
        raise _wrong(400, "An Idempotency-Key is one word of 1 to 255 printable ASCII characters.")
    return lines[0]


def malformed(error: Unreadable) -> Refused:
    """What the door could not read."""
    return _wrong(400, str(error))
