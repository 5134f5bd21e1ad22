"""The bank's API: it believes access tokens, not pages. One transfer per token (RFC 6750, 9068, 9470)."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from idp.demo.ledger import Ledger, amount_of
from idp.demo.rp import RelyingParty
from idp.demo.rp_checks import LEEWAY, ProviderUnavailable, Untrusted, check_times, date
from idp.demo.site import line

SCOPE = "transfers:write"
STRONG = ("urn:stile:2fa-strong",)  # compared exactly

log = logging.getLogger("idp.demo")


class Refusal(Exception):
    """Why the API says no: the parts of the `WWW-Authenticate` challenge (RFC 6750 3)."""

    def __init__(self, status: int, error: str | None = None, description: str = "", *more: tuple[str, str]) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description
        self.more = more

    def response(self) -> Response:
        """The 401 or 403 that says so."""
        told = [("realm", "Acme Bank")]
        if self.error is not None:  # RFC 6750 3.1: a request without a token is told nothing more
            told += [("error", self.error), ("error_description", self.description), *self.more]
        challenge = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told)
        return JSONResponse(
            {"error": self.error or "unauthorized"}, self.status, headers={"www-authenticate": challenge}
        )


class BankApi:
    """`POST /api/transfers`. `audience` is the name the provider puts into `aud` for this API."""

    def __init__(
        self, party: RelyingParty, ledger: Ledger, *, audience: str, acr_values: Sequence[str] = STRONG
    ) -> None:
        self._party = party
        self._ledger = ledger
        self._audience = audience
        self._acr_values = tuple(acr_values)
        self._spent: dict[str, datetime] = {}

    async def transfers(self, request: Request) -> Response:
        """Move money, once for each access token."""
        try:
            claims = await self._claims(request.headers.getlist("authorization"))
        except Refusal as refusal:
            return refusal.response()
        except ProviderUnavailable as error:
            log.warning("the provider is not available: %s", error)
            return JSONResponse({"error": "temporarily_unavailable"}, 503, headers={"retry-after": "10"})
        try:
            told = json.loads(await request.body())
        except (ValueError, RecursionError):
            told = None
        wanted = told if isinstance(told, dict) else {}
        payee, amount = wanted.get("payee"), wanted.get("amount")
        to = line(payee, longest=70) if isinstance(payee, str) else None
        sum_ = amount_of(amount) if isinstance(amount, str) else None
        if to is None or sum_ is None:
            return JSONResponse({"error": "invalid_transfer"}, 400)
        # From here to the end nothing is awaited: two requests with one token cannot both pass.
        now = self._party.config.now()
        self._spent = {jti: until for jti, until in self._spent.items() if until > now}
        if claims["jti"] in self._spent:
            return Refusal(401, "invalid_token", "this access token has moved money already").response()
        entry = self._ledger.transfer(claims["sub"], payee=to, amount=sum_, acr=claims["acr"], now=now)
        if entry is None:
            return JSONResponse({"error": "insufficient_funds"}, 409)
        self._spent[claims["jti"]] = claims["until"]
        return JSONResponse({"payee": entry.party, "amount": str(-entry.amount), "acr": entry.acr}, 201)

    async def _claims(self, headers: Sequence[str]) -> dict[str, Any]:
        """The claims of an access token that may move money (RFC 9068 4), or `Refusal`."""
        scheme, _, token = headers[0].partition(" ") if headers else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            raise Refusal(401)
        if len(headers) != 1:
            raise Refusal(400, "invalid_request", "more than one Authorization header")
        config = self._party.config
        try:
            claims = await self._party.verified(token.strip(), types=("at+jwt",))
            check_times(claims, now=config.now())
        except Untrusted as error:
            raise Refusal(401, "invalid_token", str(error)) from error
        audience = claims.get("aud")
        if claims.get("iss") != config.issuer or self._audience not in (
            audience if isinstance(audience, list) else [audience]
        ):
            raise Refusal(401, "invalid_token", "this access token is for somebody else")
        if any(not isinstance(claims.get(name), str) or not claims[name] for name in ("sub", "jti", "client_id")):
            raise Refusal(401, "invalid_token", "this access token lacks claims")
        scope = claims.get("scope")
        if not isinstance(scope, str) or SCOPE not in scope.split():
            raise Refusal(
                403, "insufficient_scope", "this access token is not for transfers", ("scope", f"openid {SCOPE}")
            )
        if claims.get("acr") not in self._acr_values:
            raise Refusal(
                401,
                "insufficient_user_authentication",
                "a stronger authentication is needed",
                ("acr_values", " ".join(self._acr_values)),
            )
        return {**claims, "until": (date(claims["exp"]) or config.now()) + LEEWAY}
