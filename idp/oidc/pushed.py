"""Pushed authorization requests (RFC 9126): judged as they are pushed, and named by a `request_uri`. No SQL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from idp.errors import OAuthError
from idp.model import AuthorizationRequest, Client
from idp.oidc import request as requests
from idp.oidc.errors import PageError, RedirectError
from idp.oidc.keys import KeyRing
from idp.oidc.params import Params
from idp.policy import DetailsRule

URN = "urn:ietf:params:oauth:request_uri:"  # RFC 9126 2.2
GONE = "This request_uri is unknown, used, too old or another client's. Push the request again: docs/approvals.md."


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a request that was pushed."""

    request_uri: str = field(repr=False)
    expires_in: timedelta

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object, for status 201 (RFC 9126 2.2)."""
        return {"request_uri": self.request_uri, "expires_in": int(self.expires_in.total_seconds())}


def parse(
    params: Params,
    *,
    client: Client,
    issuer: str,
    known_scopes: frozenset[str],
    acr_supported: Iterable[str],
    keys: KeyRing,
    details_rules: Mapping[str, DetailsRule],
) -> AuthorizationRequest:
    """The valid request that this client, which proved who it is, pushes.

    Raises `OAuthError` with the code that the authorization endpoint would have answered with (RFC 9126 2.3).
    """
    # RFC 9126 2.1: a request_uri MUST NOT be pushed
    if "request_uri" in params:
        raise OAuthError("invalid_request", "request_uri is what pushing a request brings; it cannot be pushed.")
    if params.get("client_id", client.id) != client.id:
        raise OAuthError("invalid_request", "client_id is not the client that authenticated.")
    try:
        return requests.parse(
            [*params.items(), *([] if "client_id" in params else [("client_id", client.id)])],
            client_lookup={client.id: client}.get,
            issuer=issuer,
            known_scopes=known_scopes,
            acr_supported=acr_supported,
            keys=keys,
            details_rules=details_rules,
            pushed=True,
        )
    except (PageError, RedirectError) as error:
        raise OAuthError(error.code, error.description, detail=error.detail) from None


def token_of(request_uri: str) -> str | None:
    """What names a request in a `request_uri` of ours; None for any other."""
    return request_uri.removeprefix(URN) if request_uri.startswith(URN) else None


def gone(params: Params, *, client: Client) -> PageError | RedirectError:
    """The refusal of a `request_uri` that is good for nothing here, one and the same whatever the reason.

    It goes to the client where the address says where that is; else it is for a page (RFC 6749 4.1.2.1).
    """
    return requests.refuse_unknown(params, client=client, error=OAuthError("invalid_request_uri", GONE))
