"""What clients and resource servers call: token, userinfo, introspection, revocation, metadata and keys."""

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache, wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp import metrics
from idp.catalogue import languages
from idp.errors import OAuthError
from idp.errors import TooMany as Crowded
from idp.flows.signin import pushed
from idp.flows.tokens import bearer as flow
from idp.flows.tokens.clients import TooMany
from idp.flows.tokens.token import token as issue
from idp.oidc import errors, metadata
from idp.oidc.grants import GrantType
from idp.oidc.params import Params, once
from idp.oidc.userinfo import bearer
from idp.web import cors
from idp.web.answers import seconds
from idp.web.door import TooLarge, Unreadable, idp_of, machine, malformed, pairs, query

_GRANT_TYPES = frozenset(GrantType)
_NO_STORE = {"Cache-Control": "no-store"}
_encode = json.JSONEncoder(separators=(",", ":")).encode
Endpoint = Callable[[Request], Awaitable[Response]]


def _json(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] = _NO_STORE) -> Response:
    return Response(_encode(body), status, dict(headers), "application/json")


def _refusal(error: OAuthError) -> Response:
    body = errors.body(error)
    headers = dict(errors.headers(error))
    return _json(body, error.status, headers) if body else Response(status_code=error.status, headers=headers)


def _protocol(endpoint: Endpoint) -> Endpoint:
    """Turn what a flow raises into the JSON errors of RFC 6749 5.2."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            response = await endpoint(request)
        except OAuthError as error:
            response = _refusal(error)
        except Unreadable as error:
            response = _refusal(malformed(error))
        except TooLarge:
            response = _refusal(OAuthError("invalid_request", "The body is too large.", status=413))
        except Crowded as error:
            response = _refusal(OAuthError("temporarily_unavailable", "Too many from this address.", status=429))
            response.headers["Retry-After"] = seconds(error.retry_after)
        except TooMany as error:
            response = _refusal(OAuthError("invalid_client", "Too many failures. Try again later.", status=429))
            response.headers["Retry-After"] = seconds(error.retry_after)
        return response

    return answered


async def _form(request: Request) -> Params:
    # RFC 6749 3.1: what the query says is not part of a token request
    return once(await pairs(request))


@_protocol
async def token(request: Request) -> Response:
    """POST /token."""
    params = await _form(request)
    asked = params.get("grant_type")
    grant_type = asked if asked in _GRANT_TYPES else "other"
    try:
        body = await issue(idp_of(request), request.headers.get("authorization"), params, machine(request))
    except OAuthError as error:
        metrics.observe_token(str(grant_type), error.code)
        raise
    metrics.observe_token(str(grant_type), "issued")
    return _json(body)


@_protocol
async def par(request: Request) -> Response:
    """POST /par: an authorization request, pushed (RFC 9126 2)."""
    params = await _form(request)
    kept = await pushed.push(idp_of(request), request.headers.get("authorization"), params, machine(request))
    return _json(kept.body, 201)


@_protocol
async def userinfo(request: Request) -> Response:
    """GET and POST /userinfo."""
    form: Params = {}
    if request.method == "POST":
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        form = await _form(request) if kind == "application/x-www-form-urlencoded" else {}
    presented = bearer(request.headers.get("authorization"), form, once(query(request)))
    found = await flow.about_person(idp_of(request), presented)
    if found.jwt is not None:
        return Response(found.jwt, 200, _NO_STORE, "application/jwt")
    return _json(found.claims)


@_protocol
async def introspect(request: Request) -> Response:
    """POST /introspect."""
    params = await _form(request)
    authorization = request.headers.get("authorization")
    return _json(await flow.introspect(idp_of(request), authorization, params, machine(request)))


@_protocol
async def revoke(request: Request) -> Response:
    """POST /revoke."""
    params = await _form(request)
    await flow.revoke(idp_of(request), request.headers.get("authorization"), params, machine(request))
    return Response(status_code=200, headers=_NO_STORE)


_PUBLIC = {"Cache-Control": "public, max-age=300"}


async def discovery(request: Request) -> Response:
    """GET the metadata (Discovery 4, RFC 8414 3)."""
    idp = idp_of(request)
    scopes = tuple(scope for scope, rule in idp.policy.scopes.items() if not rule.internal)
    spoken = tuple(name.replace("_", "-") for name in languages(idp.settings.templates))
    body = _metadata(idp.issuer, scopes, tuple(idp.policy.levels.values()), spoken, tuple(idp.policy.details))
    return Response(body, 200, _PUBLIC, "application/json")


@lru_cache(maxsize=4)
def _metadata(
    issuer: str, scopes: tuple[str, ...], acr_values: tuple[str, ...], spoken: tuple[str, ...], types: tuple[str, ...]
) -> str:
    return _encode(
        metadata.discovery(issuer, scopes=scopes, acr_values=acr_values, ui_locales=spoken, details_types=types)
    )


async def jwks(request: Request) -> Response:
    """GET /jwks (RFC 7517 5)."""
    return _json(idp_of(request).keys.jwks(), headers=_PUBLIC)


ROUTES = [
    Route(metadata.TOKEN, token, methods=["POST"]),
    Route(metadata.PAR, par, methods=["POST"]),
    Route(metadata.USERINFO, userinfo, methods=["GET", "POST"]),
    Route(metadata.INTROSPECT, introspect, methods=["POST"]),
    Route(metadata.REVOKE, revoke, methods=["POST"]),
    Route(metadata.JWKS, jwks, methods=["GET"]),
    Route("/.well-known/openid-configuration", discovery, methods=["GET"]),
    *(Route(path, cors.preflight, methods=["OPTIONS"]) for path in (*cors.REGISTERED, *cors.PUBLIC[:2])),
]
_OAUTH = "/.well-known/oauth-authorization-server{path:path}"
ROOT_ROUTES = [Route(_OAUTH, discovery, methods=["GET"]), Route(_OAUTH, cors.preflight, methods=["OPTIONS"])]
