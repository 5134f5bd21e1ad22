"""Introspection (RFC 7662) and revocation (RFC 7009): which token was meant, and what to say about it. No lookups."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from idp.errors import OAuthError
from idp.model import Client, Grant, RefreshToken
from idp.oidc.keys import KeyRing
from idp.oidc.params import Params
from idp.oidc.tokens import AccessToken, read_access_token

INACTIVE: dict[str, Any] = {"active": False}


@dataclass(frozen=True, slots=True)
class Opaque:
    """Perhaps a refresh token: look its hash up."""

    token: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """No token of ours, or no longer one."""


def token_of(params: Params, *, keys: KeyRing, issuer: str, now: datetime) -> AccessToken | Opaque | Nothing:
    """The token asked about. A hint is not needed to tell ours apart (RFC 7009 2.1, RFC 7662 2.1)."""
    if "token" not in params:
        raise OAuthError("invalid_request", "token is missing.")
    token = params["token"]
    # our refresh tokens and codes are base64url, which has no dot
    if "." not in token:
        return Opaque(token)
    try:
        return read_access_token(token, keys=keys, issuer=issuer, now=now)
    except OAuthError:
        return Nothing()


def about_access(access: AccessToken, grant: Grant | None, *, caller: Client) -> dict[str, Any]:
    """What `caller` may know of an access token whose grant was looked up (RFC 7662 2.2, RFC 9470 6.2)."""
    # RFC 7662 4: only those the token was made for or by
    if caller.id != access.client_id and caller.id not in access.audience:
        return INACTIVE
    if grant is None or grant.revoked_at is not None or grant.client_id != access.client_id:
        return INACTIVE
    return {"active": True, "token_type": "Bearer", **access.claims}


def about_refresh(stored: RefreshToken | None, *, caller: Client, issuer: str, now: datetime) -> dict[str, Any]:
    """What the client itself may know of its refresh token; one that was rotated is not active."""
    if stored is None or stored.grant.client_id != caller.id or stored.grant.revoked_at is not None:
        return INACTIVE
    if stored.expires_at <= now or (stored.used_at is not None and caller.rotate_refresh):
        return INACTIVE
    return {
        "active": True,
        "iss": issuer,
        "client_id": caller.id,
        "sub": caller.id if stored.grant.account_id is None else str(stored.grant.account_id),
        "scope": " ".join(stored.grant.scopes),
        "iat": int(stored.issued_at.timestamp()),
        "exp": int(stored.expires_at.timestamp()),
    }


def may_revoke(grant: Grant | None, *, caller: Client) -> bool:
    """Whether this client may end this grant; the answer is 200 either way (RFC 7009 2.1, 2.2)."""
    return grant is not None and grant.client_id == caller.id and grant.revoked_at is None
