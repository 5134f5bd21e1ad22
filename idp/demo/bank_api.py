"""The bank's API: it believes access tokens, not pages. A token is good for the one transfer approved with it.

RFC 6750, 9068, 9396, 9470.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from idp.demo.ledger import Ledger, amount_of
from idp.demo.site import line
from stile_rp import AccessToken, AsyncRelyingParty, Misconfigured, ProviderUnavailable, Refused, require

TYPE = "payment"  # as the provider's policy calls it
STRONG = ("urn:stile:2fa-strong", "phr", "phrh")  # compared exactly; the last two are of passkeys
# The token lives for minutes and works once: when it was proved is no question.
NEED = require(acr=STRONG, session_ok=True, details=TYPE, once=False)

log = logging.getLogger("idp.demo")


class BankApi:
    """`POST /api/transfers`."""

    def __init__(self, party: AsyncRelyingParty, ledger: Ledger, *, now: Callable[[], datetime]) -> None:
        self._party = party
        self._ledger = ledger
        self._now = now

    async def transfers(self, request: Request) -> Response:
        """Move money, once for each access token."""
        try:
            return await self._transfer(request)
        except Refused as refused:
            return JSONResponse({"error": refused.body["error"]}, refused.status, headers=refused.headers)
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("the provider is not available: %s", error)
            return JSONResponse({"error": "temporarily_unavailable"}, 503, headers={"retry-after": "10"})

    async def _transfer(self, request: Request) -> Response:
        steps = self._party.steps.access.check(request.headers.getlist("authorization"), NEED)
        token: AccessToken = await self._party.world.run(steps)
        asked = _asked(await request.body())
        if asked is None:
            return JSONResponse({"error": "invalid_transfer"}, 400)
        payee, amount = asked
        if not any(_is_for(each, payee, amount) for each in token.details):
            raise Refused(403, "insufficient_scope", "this access token was not approved for this transfer")
        if amount > self._ledger.account(token.subject, now=self._now()).balance:
            return JSONResponse({"error": "insufficient_funds"}, 409)
        await self._party.spend(token)
        entry = self._ledger.transfer(token.subject, payee=payee, amount=amount, acr=str(token.acr), now=self._now())
        if entry is None:  # spent by another meanwhile
            return JSONResponse({"error": "insufficient_funds"}, 409)
        return JSONResponse({"payee": entry.party, "amount": str(-entry.amount), "acr": entry.acr}, 201)


def details_of(payee: str, amount: Decimal) -> dict[str, Any]:
    """A transfer as an object of `authorization_details` (RFC 9396 2)."""
    return {"type": TYPE, "amount": {"amount": f"{amount:.2f}", "currency": "EUR"}, "payee": payee}


def _is_for(approved: Mapping[str, Any], payee: str, amount: Decimal) -> bool:
    """Whether this is what the customer saw: the token says it in the very words of the page."""
    asked = details_of(payee, amount)
    return {name: approved.get(name) for name in asked} == asked


def _asked(body: bytes) -> tuple[str, Decimal] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    wanted = told if isinstance(told, dict) else {}
    payee, amount = wanted.get("payee"), wanted.get("amount")
    to = line(payee, longest=70) if isinstance(payee, str) else None
    sum_ = amount_of(amount) if isinstance(amount, str) else None
    return None if to is None or sum_ is None else (to, sum_)
