"""What this client says to the provider directly: who it is, what it wants to ask, and codes for tokens. Steps."""

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from joserfc import jwt

from stile_rp.effects import Ask, Reply, Steps
from stile_rp.errors import Misconfigured, ProviderUnavailable
from stile_rp.provider import Provider, parsed
from stile_rp.settings import Settings

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE = 60  # seconds
PUSH = "pushed_authorization_request_endpoint"


class Counter:
    """One client at the provider's counter."""

    def __init__(self, settings: Settings, provider: Provider, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._provider = provider
        self._clock = clock

    def address(self, asked: Mapping[str, str]) -> Steps[str]:
        """Where to send the browser with this request; pushed first, if it has details or the provider wants it."""
        endpoint = yield from self._provider.endpoint("authorization_endpoint")
        metadata = yield from self._provider.metadata()
        wanted = "authorization_details" in asked or metadata.get("require_pushed_authorization_requests") is True
        if PUSH not in metadata or not wanted:
            return with_query(endpoint, asked)
        status, told = yield from self._post((yield from self._provider.endpoint(PUSH)), asked)
        request_uri = told.get("request_uri")
        # RFC 9126 2.2
        if status != 201 or not isinstance(request_uri, str):
            error, why = error_code(told.get("error")), str(told.get("error_description", ""))[:200]
            raise Misconfigured(f"the provider does not take this request ({error}): {why or 'look at its log'}")
        return with_query(endpoint, {"client_id": asked["client_id"], "request_uri": request_uri})

    def tokens(self, **form: str) -> Steps[dict[str, Any] | str]:
        """The token response, or `invalid_grant` where the provider refused the code or the refresh token."""
        endpoint = yield from self._provider.endpoint("token_endpoint")
        status, told = yield from self._post(endpoint, form)
        if status == 200 and str(told.get("token_type")).lower() == "bearer":
            return told
        error = error_code(told.get("error"))
        if error == "invalid_grant":
            return error
        # anything else is a mistake in our registration or theirs, not this person's
        if error in {"invalid_client", "unauthorized_client"}:
            raise Misconfigured(
                f"the provider does not know us ({error}): look at client_id, client_secret, client_auth"
            )
        raise ProviderUnavailable(f"the token endpoint answered {status} {error}")

    def _post(self, endpoint: str, form: Mapping[str, str]) -> Steps[tuple[int, dict[str, Any]]]:
        settings = self._settings
        client_id, secret = settings.client_id or "", settings.client_secret or ""
        headers: dict[str, str] = {}
        match settings.method:
            case "basic":
                # RFC 6749 2.3.1: both are form-urlencoded before they go into Basic
                basic = httpx.BasicAuth(quote_plus(client_id), quote_plus(secret))
                dressed = next(basic.auth_flow(httpx.Request("POST", endpoint)))
                headers = {"authorization": dressed.headers["authorization"]}
            case "post":
                form = {**form, "client_id": client_id, "client_secret": secret}
            case "private_key":
                # RFC 7523 3; the issuer as audience (RFC 7523bis): a token endpoint may be somebody else's
                form = {**form, "client_id": client_id, "client_assertion_type": ASSERTION}
                form["client_assertion"] = self._assertion()
            case "none":
                form = {**form, "client_id": client_id}
        reply: Reply = yield Ask("POST", endpoint, form, headers)
        return reply.status, parsed(reply)

    def _assertion(self) -> str:
        key, client_id, now = self._settings.private_key, self._settings.client_id, int(self._clock())
        assert key is not None
        claims: dict[str, Any] = {
            "iss": client_id,
            "sub": client_id,
            "aud": self._settings.issuer,
            "jti": secrets.token_urlsafe(16),
        }
        header = {"alg": str(key.get("alg")), **({"kid": key.kid} if key.kid else {})}
        claims |= {"iat": now, "exp": now + ASSERTION_LIFE}
        return jwt.encode(header, claims, key, algorithms=[header["alg"]])


def with_query(endpoint: str, asked: Mapping[str, str]) -> str:
    """This endpoint with these parameters (RFC 6749 3.1: it may have some already)."""
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def error_code(error: object) -> str:
    """An error code that may be shown and logged."""
    return error if isinstance(error, str) and re.fullmatch(r"[a-z_]{1,60}", error) else "error"
