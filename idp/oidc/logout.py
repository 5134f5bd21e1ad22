"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): what is asked, and whether the person must confirm."""

from collections.abc import Callable
from dataclasses import dataclass

from idp.model import Client, Session
from idp.oidc import hints
from idp.oidc.answer import MAX_LOCATION, redirect_url
from idp.oidc.errors import PageError
from idp.oidc.jws import Untrusted
from idp.oidc.keys import KeyRing
from idp.oidc.params import Params


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """A valid request. `redirect_to` is where the browser goes afterwards, with the state, or None for our own page."""

    client: Client | None = None
    subject: str | None = None
    session_id: str | None = None
    redirect_to: str | None = None


@dataclass(frozen=True, slots=True)
class LogOut:
    """The hint is of this very session: end it at once."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Nobody has shown that the person wants this: ask, and end the session on a POST only (RIL 2, 6)."""


@dataclass(frozen=True, slots=True)
class AlreadyOut:
    """No session to end."""


def parse(
    params: Params, *, client_lookup: Callable[[str], Client | None], issuer: str, keys: KeyRing
) -> LogoutRequest:
    """Read a logout request. Raises `PageError` for a hint that is not ours or a URI that is not registered (RIL 2, 3).

    A post_logout_redirect_uri without a hint is not followed: anybody may have written that link.
    """
    if "id_token_hint" not in params:
        return LogoutRequest()
    try:
        hint = hints.read(params["id_token_hint"], keys=keys, issuer=issuer)
    except Untrusted as error:
        raise PageError("invalid_request", "id_token_hint is not an ID token of ours.", detail=str(error)) from None
    client = client_lookup(hint.client_id)
    # RIL 2: a client_id MUST be the one the ID token was issued to
    if client is None or client.disabled or params.get("client_id", client.id) != client.id:
        raise PageError("invalid_request", "id_token_hint and client_id do not fit together.")
    return LogoutRequest(client, hint.subject, hint.session_id, _redirect_to(params, client))


def _redirect_to(params: Params, client: Client) -> str | None:
    uri = params.get("post_logout_redirect_uri")
    if uri is None:
        return None
    # RIL 3: exact match with one that was registered
    if uri not in client.post_logout_redirect_uris:
        raise PageError("invalid_request", "post_logout_redirect_uri is not registered for this client.")
    location = redirect_url(uri, [("state", params["state"])]) if "state" in params else uri
    if len(location) > MAX_LOCATION:
        raise PageError("invalid_request", "state is too long for an address.")
    return location


def decide(request: LogoutRequest, *, session: Session | None) -> LogOut | Ask | AlreadyOut:
    """Whether the session ends now. A hint of another session or person, or none, must be confirmed (RIL 2)."""
    if session is None or session.account_id is None:
        return AlreadyOut()
    if request.session_id == str(session.id) and request.subject == str(session.account_id):
        return LogOut()
    return Ask()
