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
    """A valid request. `redirect_to` is where the browser goes afterwards, with the state, or None for our own page.

    `offered` is an address that was asked for without a hint: the person may press it, no browser follows it by itself.
    """

    client: Client | None = None
    subject: str | None = None
    session_id: str | None = None
    redirect_to: str | None = None
    offered: str | None = None


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
    """Read a logout request. Raises `PageError` for a URI that is not registered for the client (RIL 3).

    A hint that cannot be checked, is of another client than `client_id`, or of one that is gone, counts as none: what
    it costs is the redirect (RIL 2, 3: only a valid hint says where to), never that the person may sign out.
    """
    hint = _hint(params, issuer, keys)
    client = client_lookup(params.get("client_id", hint.client_id if hint else ""))
    if client is None or client.disabled:
        return LogoutRequest()
    address = _address(params, client)
    # RIL 2: a client_id MUST be the one the ID token was issued to
    if hint is None or hint.client_id != client.id:
        # anybody may have written that link
        return LogoutRequest(client, offered=address)
    return LogoutRequest(client, hint.subject, hint.session_id, redirect_to=address)


def _hint(params: Params, issuer: str, keys: KeyRing) -> hints.Hint | None:
    try:
        return hints.read(params.get("id_token_hint", ""), keys=keys, issuer=issuer)
    except Untrusted:
        return None


def _address(params: Params, client: Client) -> str | None:
    uri = params.get("post_logout_redirect_uri")
    if uri is None:
        return None
    # RIL 3: exact match with one that was registered
    if uri not in client.post_logout_redirect_uris:
        raise PageError("invalid_request", "post_logout_redirect_uri is not registered for this client.")
    # RIL 3: the state comes back as it was, or nobody goes back
    location = redirect_url(uri, [("state", params["state"])]) if "state" in params else uri
    return location if len(location) <= MAX_LOCATION else None


def decide(request: LogoutRequest, *, session: Session | None) -> LogOut | Ask | AlreadyOut:
    """Whether the session ends now. A hint of another session or person, or none, must be confirmed (RIL 2)."""
    if session is None or session.account_id is None:
        return AlreadyOut()
    if request.session_id == str(session.id) and request.subject == str(session.account_id):
        return LogOut()
    return Ask()
