"""How a refusal leaves the house: page, redirect, JSON body, challenge. Who refuses what is elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc6749.errors import UnsupportedResponseTypeError

from idp.errors import OAuthError
from idp.model import ResponseMode


class PageError(OAuthError):
    """Nothing about the client or its redirect URI is proved: tell the person, redirect nowhere (RFC 6749 4.1.2.1)."""


class RedirectError(OAuthError):
    """The client and `redirect_uri` are proved: the client is told. `idp.oidc.answer` makes the parameters.

    `state` is the client's own, unless it was the broken value. `fragment` is True where an implicit response type
    was asked for (OAuth 2.0 Multiple Response Types 2.1).
    """

    def __init__(
        self,
        code: str,
        description: str,
        *,
        redirect_uri: str,
        state: str | None,
        response_mode: ResponseMode = ResponseMode.QUERY,
        fragment: bool = False,
        detail: str = "",
    ) -> None:
        super().__init__(code, description, detail=detail, status=303)
        self.redirect_uri = redirect_uri
        self.state = state
        self.response_mode = response_mode
        self.fragment = fragment


class Challenged(OAuthError):
    """A refusal that carries a `WWW-Authenticate` header (RFC 6749 5.2, RFC 6750 3)."""

    def __init__(self, code: str, description: str, *, www_authenticate: str, status: int, detail: str = "") -> None:
        super().__init__(code, description, detail=detail, status=status)
        self.www_authenticate = www_authenticate


class NoCredentials(Challenged):
    """A protected resource asked for without any token: a bare challenge, no error code (RFC 6750 3.1)."""


def printable(text: str) -> str:
    """`text` with every character that `error_description` forbids replaced by `?`."""
    # RFC 6749 4.1.2.1 and 5.2: %x20-21 / %x23-5B / %x5D-7E
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in text)


def body(error: OAuthError) -> dict[str, str]:
    """The JSON object of an error answer (RFC 6749 5.2); empty for a bare challenge."""
    if isinstance(error, NoCredentials):
        return {}
    return {"error": error.code, "error_description": printable(error.description)}


def headers(error: OAuthError) -> list[tuple[str, str]]:
    """The headers that an error answer needs besides its content type."""
    # RFC 6749 5.1, 5.2: nothing a token endpoint says may be cached
    common = [("Cache-Control", "no-store")]
    if isinstance(error, Challenged):
        return [*common, ("WWW-Authenticate", error.www_authenticate)]
    return common


@contextmanager
def judged(description: str) -> Iterator[None]:
    """Turn Authlib's refusal into ours."""
    try:
        yield
    except OAuth2Error as error:
        # its text about a response_type is the client's own, misplaced
        said = "" if isinstance(error, UnsupportedResponseTypeError) else error.description
        raise OAuthError(error.error, said or description, detail=type(error).__name__) from None
