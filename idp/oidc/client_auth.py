"""Client authentication (RFC 6749 2.3, OIDC Core 9): secrets and assertions. Replay of an assertion is the database's.

Written without Authlib: it accepts two methods at once, fails on bytes that are not UTF-8, reads the wall clock and
does not pin the algorithm of an assertion.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from idp import crypto
from idp.errors import OAuthError
from idp.model import AuthMethod, Client
from idp.oidc import assertions
from idp.oidc.errors import Challenged
from idp.oidc.jws import Untrusted
from idp.oidc.params import Params
from idp.oidc.strictjson import storable

ClientLookup = Callable[[str], Client | None]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Authenticated:
    """This client proved who it is. An assertion's `jti` must be stored until it expires, and be new.

    `by_old_secret`: with the secret before, whose time is not over yet.
    """

    client: Client
    assertion_jti: str | None = None
    assertion_expires_at: datetime | None = None
    by_old_secret: bool = False


def authenticate(
    authorization: str | None,
    params: Params,
    *,
    client_lookup: ClientLookup,
    issuer: str,
    token_endpoint: str,
    now: datetime,
    allow_public: bool = True,
    also_for: str | None = None,
) -> Authenticated:
    """Who is asking, by the one method this client is registered for.

    `authorization` is the request's Authorization header. Raises invalid_client, status 401 with a Basic challenge, or
    invalid_request for two methods at once. With `allow_public` False a client without credentials is refused, too.
    `also_for` is one more endpoint that an assertion may be for.
    """
    # RFC 6749 2.3: MUST NOT use more than one method in each request
    if (authorization is not None) + ("client_secret" in params) + ("client_assertion" in params) > 1:
        raise OAuthError("invalid_request", "More than one method of client authentication.")
    if authorization is not None:
        client_id, secret = _basic(authorization)
        if params.get("client_id", client_id) != client_id:
            raise OAuthError("invalid_request", "client_id differs from the one in the Authorization header.")
        return _with_secret(client_lookup(client_id), secret, AuthMethod.BASIC, now=now)
    if "client_assertion" in params or "client_assertion_type" in params:
        # RFC 9126 2: the issuer, the token endpoint and the PAR endpoint, for there was no agreement which
        audiences = (issuer, token_endpoint) if also_for is None else (issuer, token_endpoint, also_for)
        return _with_assertion(params, client_lookup, audiences=audiences, now=now)
    client = client_lookup(params.get("client_id", ""))
    if "client_secret" in params:
        return _with_secret(client, params["client_secret"], AuthMethod.POST, now=now)
    if client is None or client.disabled or client.auth_method is not AuthMethod.NONE or not allow_public:
        raise invalid_client("no credentials")
    return Authenticated(client)


def claimed(authorization: str | None, params: Params) -> str:
    """Whom a request says it is from, in whatever way, NOT verified; empty if it does not say."""
    try:
        if authorization is not None:
            return _basic(authorization)[0]
        if "client_assertion" in params:
            return assertions.client_id_of(params["client_assertion"])
    except (OAuthError, Untrusted):
        return ""
    return params.get("client_id", "")


def invalid_client(detail: str) -> Challenged:
    """401 and one sentence, whatever was wrong (RFC 6749 5.2)."""
    return Challenged(
        "invalid_client",
        "Client authentication failed.",
        www_authenticate='Basic realm="client", charset="UTF-8"',
        status=401,
        detail=detail,
    )


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    # RFC 9110 11.1: scheme names ignore case
    if scheme.lower() != "basic":
        raise invalid_client("another Authorization scheme")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        # RFC 6749 2.3.1: both are form-urlencoded before they are joined
        client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    except (binascii.Error, ValueError):
        raise invalid_client("Basic credentials that do not decode") from None
    if not colon or not storable(client_id):
        raise invalid_client("Basic credentials that do not decode")
    return client_id, secret


_NO_SECRET = bytes(32)


def _with_secret(client: Client | None, secret: str, method: AuthMethod, *, now: datetime) -> Authenticated:
    # the same work for an unknown client as for a known one, and for one secret as for two
    told = crypto.digest(secret)
    current = crypto.equal(told, _NO_SECRET if client is None else client.secret_hash or _NO_SECRET)
    before = crypto.equal(told, _NO_SECRET if client is None else client.old_secret_hash or _NO_SECRET)
    until = None if client is None else client.old_secret_until
    right = current or (before and until is not None and now < until)
    # OIDC Core 9, RFC 7591 2: a client has one method
    if client is None or client.disabled or client.secret_hash is None or client.auth_method is not method or not right:
        raise invalid_client("unknown client, other method or wrong secret")
    return Authenticated(client, by_old_secret=not current)


def _with_assertion(
    params: Params, client_lookup: ClientLookup, *, audiences: tuple[str, ...], now: datetime
) -> Authenticated:
    # RFC 7521 4.2
    if params.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in params:
        raise invalid_client("not a JWT assertion")
    token = params["client_assertion"]
    try:
        client_id = assertions.client_id_of(token)
        client = client_lookup(client_id)
        if client is None or client.disabled or client.auth_method is not AuthMethod.PRIVATE_KEY_JWT:
            raise invalid_client("unknown client or other method")
        # RFC 7521 4.2: a client_id beside the assertion MUST identify the same client
        if params.get("client_id", client_id) != client_id:
            raise invalid_client("client_id differs from the assertion's")
        assertion = assertions.verify(token, client=client, audiences=audiences, now=now)
    except Untrusted as error:
        raise invalid_client(str(error)) from None
    expires_at = datetime.fromtimestamp(assertion.expires_at, UTC)
    return Authenticated(client, assertion_jti=assertion.jti, assertion_expires_at=expires_at)
