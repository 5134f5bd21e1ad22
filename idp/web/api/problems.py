"""Why a request of the API was refused, as problem details (RFC 9457). Loads quickly: every server knows it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

API = "/api/v1"
KIND = "application/problem+json"
_TYPE = "urn:stile:problem:"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with what was sent; `pointer` leads to it (RFC 6901), or names a parameter."""

    pointer: str
    detail: str


class Refused(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        *,
        errors: Sequence[Mistake] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


def problem(
    status: int,
    kind: str,
    title: str,
    detail: str,
    *,
    errors: Sequence[Mistake] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer. `kind` is the end of its type, which programs compare; `detail` is for who reads."""
    body: dict[str, object] = {"type": _TYPE + kind, "title": title, "status": status, "detail": detail}
    if errors:
        body["errors"] = [{"pointer": one.pointer, "detail": one.detail} for one in errors]
    return Response(
        json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        KIND,
    )


def refusal(error: Refused) -> Response:
    """The same of a `Refused`."""
    return problem(error.status, error.kind, error.title, error.detail, errors=error.errors, headers=error.headers)


_OF_STATUS = {
    404: ("not_found", "Nothing is here", "No resource of the API has this address."),
    405: ("method_not_allowed", "Not by this method", "The header Allow lists what this address takes."),
    413: ("too_large", "Too large", "The body has more bytes than are taken here."),
    429: ("too_many", "Too many", "Try again after the time that the header Retry-After says."),
    503: ("unavailable", "Not now", "Try again. With the same Idempotency-Key nothing is done twice."),
}


def of_status(status: int, headers: Mapping[str, str]) -> Response:
    """What is said where no endpoint could say more."""
    broken = ("broken", "It broke", "This is ours to mend. The header X-Request-Id names the line of the log.")
    kind, title, detail = _OF_STATUS.get(status, broken if status >= 500 else ("bad_request", "Unreadable", "…"))
    if status < 500 and kind == "bad_request":
        detail = "The request cannot be read."
    return problem(status, kind, title, detail, headers=headers)
