"""What goes back to the client's redirect URI. Parameters and URLs only; pages and headers are elsewhere."""

from collections.abc import Iterable
from urllib.parse import urlencode

from idp.model import AuthorizationRequest
from idp.oidc.errors import RedirectError, printable

Answer = list[tuple[str, str]]

# All headers of an answer have to fit into the 4096 bytes that nginx as it comes has for them (proxy_buffer_size); the
# others, cookies included, take 1,090 at most.
MAX_LOCATION = 3_000
_ROOM = 300  # for a code, or for an error and its description


def success(request: AuthorizationRequest, code: str, *, issuer: str) -> Answer:
    """code, state as it came, and iss (RFC 6749 4.1.2, RFC 9207 2)."""
    return [("code", code), *_state(request.state), ("iss", issuer)]


def error(refusal: RedirectError, *, issuer: str) -> Answer:
    """error, error_description, state as it came, and iss (RFC 6749 4.1.2.1, RFC 9207 2)."""
    return [
        ("error", refusal.code),
        ("error_description", printable(refusal.description)),
        *_state(refusal.state),
        ("iss", issuer),
    ]


def refuse(request: AuthorizationRequest, code: str, description: str, *, detail: str = "") -> RedirectError:
    """A refusal decided after `parse`: access_denied, login_required and the like, told to the client."""
    return RedirectError(
        code,
        description,
        redirect_uri=request.redirect_uri,
        state=request.state,
        response_mode=request.response_mode,
        detail=detail,
    )


def redirect_url(redirect_uri: str, answer: Iterable[tuple[str, str]], *, fragment: bool = False) -> str:
    """The URL to send the browser to. A query that was registered is kept, byte for byte (RFC 6749 3.1.2)."""
    if fragment:
        separator = "#"
    elif "?" not in redirect_uri:
        separator = "?"
    else:
        separator = "" if redirect_uri.endswith(("?", "&")) else "&"
    return redirect_uri + separator + urlencode(list(answer))


def fits(redirect_uri: str, state: str | None, *, issuer: str) -> bool:
    """Whether any answer to this request, whatever becomes of it, fits into a Location header."""
    return _within(MAX_LOCATION - _ROOM, redirect_uri, [*_state(state), ("iss", issuer)])


def holds(redirect_uri: str, answer: Answer) -> bool:
    """Whether this answer fits into a Location header."""
    return _within(MAX_LOCATION, redirect_uri, answer)


def _within(most: int, redirect_uri: str, answer: Answer) -> bool:
    # RFC 3986 2.1: a character becomes three, or twelve; what is short enough even then need not be written out
    longest = sum(len(name) + 2 + len(value) * (3 if value.isascii() else 12) for name, value in answer)
    return len(redirect_uri) + longest <= most or len(redirect_url(redirect_uri, answer)) <= most


def _state(state: str | None) -> Answer:
    return [] if state is None else [("state", state)]
