"""Calling an API that may ask for more than the token proves (RFC 9470): an httpx auth that says where to go."""

import re
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from stile_rp import kept
from stile_rp.errors import Misconfigured, StepUpRequired
from stile_rp.party import AsyncRelyingParty, RelyingParty

_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class StepUp:
    """What an API asks for before it does what was asked. Give its values to `RelyingParty.start`."""

    acr_values: tuple[str, ...] = ()
    max_age: timedelta | None = None
    scopes: tuple[str, ...] = ()


def step_up(answer: httpx.Response) -> StepUp | None:
    """The step-up that an API's answer asks for, or None."""
    for challenge in answer.headers.get_list("www-authenticate"):
        if not challenge.lower().startswith("bearer "):
            continue
        told = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(challenge)}
        scopes = tuple(told.get("scope", "").split())
        match answer.status_code, told.get("error"):
            case 401, "insufficient_user_authentication":  # RFC 9470 3
                age = told.get("max_age", "")
                seconds = timedelta(seconds=int(age)) if re.fullmatch(r"[0-9]{1,9}", age) else None
                return StepUp(tuple(told.get("acr_values", "").split()), seconds, scopes)
            case 403, "insufficient_scope" if scopes:  # RFC 6750 3.1
                return StepUp(scopes=scopes)
    return None


class BearerAuth(httpx.Auth):
    """Sends an access token. Raises `StepUpRequired` where the API asks for a stronger or fresher one.

    The browser comes back to `then`. With `action`, the page there gets the new token from `confirmed(action=…)`.
    """

    def __init__(
        self,
        party: RelyingParty | AsyncRelyingParty,
        access_token: str,
        *,
        then: str = "/",
        action: str | None = None,
        scopes: Sequence[str] = ("openid",),
    ) -> None:
        self._party = party
        self._token = access_token
        self._then = then
        self._action = action
        self._scopes = tuple(scopes)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send it, and look at what comes back."""
        request.headers["authorization"] = f"Bearer {self._token}"
        asked = step_up((yield request))
        if asked is not None:
            if not isinstance(self._party, RelyingParty):
                raise Misconfigured("this httpx client waits: give BearerAuth a RelyingParty")
            logins: dict[str, Any] = {}
            raise self._required(self._party.start(logins, **self._start(asked)), logins)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send it, and look at what comes back."""
        request.headers["authorization"] = f"Bearer {self._token}"
        asked = step_up((yield request))
        if asked is not None:
            if not isinstance(self._party, AsyncRelyingParty):
                raise Misconfigured("this httpx client is awaited: give BearerAuth an AsyncRelyingParty")
            logins: dict[str, Any] = {}
            raise self._required(await self._party.start(logins, **self._start(asked)), logins)

    def _required(self, url: str, logins: dict[str, Any]) -> StepUpRequired:
        return StepUpRequired(url, logins, kept_under=kept.key(self._party.steps.settings))

    def _start(self, asked: StepUp) -> dict[str, Any]:
        wanted = self._action.split() if self._action else asked.scopes
        scopes = tuple(dict.fromkeys(("openid", *self._scopes, *wanted)))
        told = {"then": self._then, "action": self._action, "scopes": scopes}
        return {**told, "acr_values": asked.acr_values, "max_age": asked.max_age}
