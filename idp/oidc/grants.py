"""Token requests, judged on what the database found. Authentication is in `client_auth`, signing in `tokens`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from idp.errors import OAuthError
from idp.model import AuthMethod, AuthorizationCode, Client, Grant, RefreshToken
from idp.oidc import judge
from idp.oidc.claims import PERSON_SCOPES
from idp.oidc.params import Params


class GrantType(StrEnum):
    """The grants of the token endpoint (RFC 6749 4.1, 4.4, 6). The password grant is not offered (RFC 9700 2.4)."""

    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"
    CLIENT_CREDENTIALS = "client_credentials"


_GRANT_TYPES = frozenset(GrantType)


@dataclass(frozen=True, slots=True)
class Refreshable:
    """The refresh token is good for `scopes`. `retried` is True for the forgiven repetition of a lost answer."""

    grant: Grant
    scopes: tuple[str, ...]
    retried: bool


@dataclass(frozen=True, slots=True)
class Reused:
    """Somebody used a code or refresh token again: end the grant, answer with `invalid_grant()`."""

    grant: Grant


def grant_type(params: Params, *, client: Client, issuer: str) -> GrantType:
    """Which grant is asked for. Raises what RFC 6749 5.2 has for a missing, unknown or forbidden one, or `resource`."""
    asked = params.get("grant_type")
    if asked is None:
        raise OAuthError("invalid_request", "grant_type is missing.")
    if asked not in _GRANT_TYPES:
        raise OAuthError("unsupported_grant_type", "This grant_type is not supported.")
    if asked not in client.grant_types:
        raise OAuthError("unauthorized_client", "This client may not use this grant_type.")
    check_resource(params, client=client, issuer=issuer)
    return GrantType(asked)


def check_resource(params: Params, *, client: Client, issuer: str) -> None:
    """Refuse a resource that this client's tokens are not for (RFC 8707 2); the audience itself is the client's."""
    if "resource" in params and params["resource"] not in {issuer, *client.audience}:
        raise OAuthError("invalid_target", "The resource is not known for this client.")


def secret_of(params: Params, kind: GrantType) -> str:
    """The code or refresh token to look up. Raises invalid_request where it is missing (RFC 6749 4.1.3, 6)."""
    name = "code" if kind is GrantType.AUTHORIZATION_CODE else "refresh_token"
    if name not in params:
        raise OAuthError("invalid_request", f"{name} is missing.")
    return params[name]


def invalid_grant(detail: str = "") -> OAuthError:
    """One answer for unknown, expired, used and somebody else's, so that nothing can be learnt from it."""
    return OAuthError("invalid_grant", "The code or refresh token is not valid.", detail=detail)


def check_code(stored: AuthorizationCode, *, client: Client, params: Params, now: datetime) -> Grant:
    """The grant of a code that may be redeemed so. Raises invalid_grant (RFC 6749 4.1.3, RFC 7636 4.6).

    Whether it was redeemed before is for the database to say.
    """
    if stored.grant.client_id != client.id:
        raise invalid_grant("another client's code")
    if stored.expires_at <= now:
        raise invalid_grant("expired code")
    return judge.code(stored, params, client=client)


def check_refresh(
    stored: RefreshToken | None, *, client: Client, params: Params, forgiven: timedelta, now: datetime
) -> Refreshable | Reused:
    """Judge a refresh token that was looked up by its hash. Raises invalid_grant or invalid_scope (RFC 6749 6).

    A rotated token that comes back is theft (RFC 9700 4.14.2), unless its answer may have been lost: within
    `forgiven` and while nobody has used its successor. Where the client does not rotate, the same token stays good.
    """
    if stored is None:
        raise invalid_grant("unknown refresh token")
    if stored.grant.client_id != client.id:
        raise invalid_grant("another client's refresh token")
    if stored.grant.revoked_at is not None:
        raise invalid_grant("revoked grant")
    used_at = stored.used_at if client.rotate_refresh else None
    if used_at is not None and (stored.successor_used or now - used_at > forgiven):
        return Reused(stored.grant)
    if stored.expires_at <= now:
        raise invalid_grant("expired refresh token")
    grant = judge.refresh(stored, params, client=client)
    asked = params["scope"].split() if "scope" in params else grant.scopes
    scopes = tuple(scope for scope in grant.scopes if scope in asked)
    # Authlib takes a scope of spaces for the empty set, which is within every other
    if not scopes:
        raise OAuthError("invalid_scope", "scope is empty.")
    return Refreshable(grant, scopes, retried=used_at is not None)


def machine_scopes(params: Params, *, client: Client, machine: frozenset[str]) -> tuple[str, ...]:
    """What a client acting for itself gets: of `machine` scopes those it is registered for, all unless it names some.

    Never a scope about a person. Raises unauthorized_client for a public client and invalid_scope (RFC 6749 4.4).
    """
    # RFC 6749 4.4: MUST only be used by confidential clients
    if client.auth_method is AuthMethod.NONE:
        raise OAuthError("unauthorized_client", "This grant_type needs a client with credentials.")
    allowed = (client.scopes & machine) - PERSON_SCOPES
    if not allowed and "scope" not in params:
        raise OAuthError("invalid_scope", "This client is registered for no scope that a client may have for itself.")
    asked = tuple(dict.fromkeys(params["scope"].split(" "))) if "scope" in params else tuple(sorted(allowed))
    if not asked or not allowed.issuperset(asked):
        raise OAuthError("invalid_scope", "A requested scope is not available to this client.")
    return asked
