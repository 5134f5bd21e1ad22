"""ID tokens and access tokens: made at the token endpoint, read when they come back. Refresh tokens are not JWTs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from authlib.oidc.core.util import create_half_hash

from idp import crypto
from idp.model import Client, Grant
from idp.oidc.errors import Challenged
from idp.oidc.jws import Untrusted
from idp.oidc.keys import ACCESS_TOKEN, ID_TOKEN, KeyRing
from idp.policy import OPERATING


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token of ours that is genuine and not expired. Whether its grant still lives, the database knows.

    `account_id` is None where the client acts for itself. `jti` begins with the grant's id.
    """

    jti: str
    grant_id: UUID
    client_id: str
    account_id: UUID | None
    scopes: frozenset[str]
    audience: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Issued:
    """What one token request brought: the JSON body of the answer (RFC 6749 5.1)."""

    body: dict[str, Any]
    expires_at: datetime


def issue(
    grant: Grant,
    *,
    client: Client,
    scopes: Sequence[str],
    issuer: str,
    keys: KeyRing,
    now: datetime,
    access_ttl: timedelta,
    id_token_ttl: timedelta,
    nonce: str | None = None,
    id_token: bool = True,
    refresh_token: str | None = None,
    person: Mapping[str, Any] | None = None,
) -> Issued:
    """Sign an access token and, with the scope openid and `id_token`, an ID token; `scope` says what was given.

    `person` holds the claims that the `claims` parameter asked for in the ID token (see `userinfo.in_id_token`).
    The level, time and methods are the grant's, so a refresh can change none of them (OIDC Core 12.2).
    """
    at = int(now.timestamp())
    told = access_claims(grant, client=client, scopes=scopes, issuer=issuer, at=at, ttl=access_ttl)
    access = keys.sign(told, algorithm=client.signing_alg, typ=ACCESS_TOKEN)
    body: dict[str, Any] = {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": int(access_ttl.total_seconds()),
        "scope": " ".join(scopes),
    }
    if grant.approved is not None:
        # RFC 9396 7: the details that were granted
        body["authorization_details"] = list(grant.approved.objects)
        if not scopes:
            del body["scope"]
    if refresh_token is not None:
        body["refresh_token"] = refresh_token
    # OIDC Core 3.1.2.1: without openid this is plain OAuth
    if id_token and "openid" in scopes and grant.account_id is not None:
        told = id_token_claims(grant, issuer=issuer, at=at, ttl=id_token_ttl, nonce=nonce, person=person or {})
        told["at_hash"] = create_half_hash(access, client.signing_alg).decode()
        body["id_token"] = keys.sign(told, algorithm=client.signing_alg, typ=ID_TOKEN)
    return Issued(body=body, expires_at=now + access_ttl)


def _context(grant: Grant) -> dict[str, Any]:
    # RFC 9068 2.2.1, RFC 9470 6.2: the same three in ID token, access token and introspection (protocol C18)
    context: dict[str, Any] = {}
    if grant.auth_time is not None:
        context["auth_time"] = int(grant.auth_time.timestamp())
    if grant.acr is not None:
        context["acr"] = grant.acr
    if grant.amr:
        context["amr"] = list(grant.amr)
    return context


def audience_of(client: Client, scopes: Sequence[str], *, issuer: str) -> tuple[str, ...]:
    """Whom an access token is for: the client's resource servers, and us for userinfo and our API (RFC 9068 2.2)."""
    opens = "openid" in scopes or not OPERATING.isdisjoint(scopes)
    own = (issuer,) if opens or not client.audience else ()
    return (*client.audience, *own)


def access_claims(
    grant: Grant, *, client: Client, scopes: Sequence[str], issuer: str, at: int, ttl: timedelta
) -> dict[str, Any]:
    """What an access token says that is made `at` this time (RFC 9068 2.2)."""
    audience = audience_of(client, scopes, issuer=issuer)
    claims: dict[str, Any] = {
        "iss": issuer,
        # RFC 9068 2.2: the client itself where no person takes part
        "sub": grant.client_id if grant.account_id is None else str(grant.account_id),
        "aud": audience[0] if len(audience) == 1 else list(audience),
        "client_id": grant.client_id,
        "iat": at,
        "exp": at + int(ttl.total_seconds()),
        "jti": f"{grant.id.hex}.{crypto.random_bytes(12).hex()}",
        "scope": " ".join(scopes),
        **_context(grant),
    }
    if grant.approved is not None:
        # RFC 9396 9.1: as far as they are for those that the token is for, and it is for one
        claims["authorization_details"] = list(grant.approved.objects)
    return claims


def id_token_claims(
    grant: Grant, *, issuer: str, at: int, ttl: timedelta, nonce: str | None, person: Mapping[str, Any]
) -> dict[str, Any]:
    """What an ID token says, but for `at_hash`, which is of the access token beside it (OIDC Core 2)."""
    claims: dict[str, Any] = {
        # OIDC Core 5.4: about the person only what the claims parameter asked for; it can never replace our own
        **person,
        "iss": issuer,
        "sub": str(grant.account_id),
        # a single audience needs no azp (OIDC Core 2)
        "aud": grant.client_id,
        "iat": at,
        "exp": at + int(ttl.total_seconds()),
        **_context(grant),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if grant.session_id is not None:
        claims["sid"] = str(grant.session_id)
    return claims


def read_access_token(token: str, *, keys: KeyRing, issuer: str, now: datetime) -> AccessToken:
    """A genuine, unexpired access token of ours (RFC 9068 4); raises `Challenged` invalid_token, status 401."""
    try:
        claims = keys.verify(token, typ=ACCESS_TOKEN)
        return _read(claims, issuer=issuer, now=now)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise invalid_token(detail=f"{type(error).__name__}: {error}") from None


def _read(claims: Mapping[str, Any], *, issuer: str, now: datetime) -> AccessToken:
    if not all(isinstance(claims[name], str) for name in ("iss", "sub", "client_id", "jti", "scope")):
        raise Untrusted("a claim is not a string")
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    if claims["iss"] != issuer or expires_at <= now:
        raise Untrusted("expired, or another issuer's")
    audience = claims["aud"]
    grant_id, client_id, subject = UUID(claims["jti"].partition(".")[0]), claims["client_id"], claims["sub"]
    return AccessToken(
        jti=claims["jti"],
        grant_id=grant_id,
        client_id=client_id,
        account_id=None if subject == client_id else UUID(subject),
        scopes=frozenset(claims["scope"].split()),
        audience=(audience,) if isinstance(audience, str) else tuple(audience),
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=expires_at,
        claims=claims,
    )


def invalid_token(*, detail: str) -> Challenged:
    """401: expired, revoked, malformed, not ours; the client is not told which (RFC 6750 3.1)."""
    description = "The access token is expired, revoked or not valid."
    return Challenged(
        "invalid_token",
        description,
        www_authenticate=f'Bearer error="invalid_token", error_description="{description}"',
        status=401,
        detail=detail,
    )
