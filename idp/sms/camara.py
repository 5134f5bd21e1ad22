"""CAMARA SIM Swap: whether an operator changed the SIM of a number. Asking only; what follows is decided elsewhere."""

import asyncio
import base64
import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote_plus

import httpx

from idp.clock import Clock
from idp.errors import SettingsError
from idp.model import Swap
from idp.settings import Settings, missing_for_intel
from idp.sms.intel import TOTAL
from idp.sms.wire import Answer, post

HOUR = timedelta(hours=1)
_LONGEST = timedelta(days=1)  # a token is kept
_UNTOLD = timedelta(minutes=1)  # for a token without expires_in
_MARGIN = timedelta(seconds=30)  # a token is not used in its last moments


class _Tokens(Protocol):
    async def get(self) -> str | None:
        """A bearer token; None when there is none to be had."""
        ...

    def refused(self, token: str) -> bool:
        """This token was refused. Whether another one may be had."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """The token that the operator was given once."""

    token: str = field(repr=False)

    async def get(self) -> str | None:
        """Always the same."""
        return self.token

    def refused(self, token: str) -> bool:  # noqa: ARG002 - there is no other
        """There is no other."""
        return False


@dataclass(slots=True)
class Fetched:
    """Tokens by client credentials (RFC 6749 4.4): each is kept while it lives, and fetched by one task at a time."""

    client: httpx.AsyncClient
    clock: Clock
    url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    scope: str | None = None
    _token: str | None = field(default=None, repr=False)
    _until: datetime | None = None
    _one: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def get(self) -> str | None:
        """The one at hand, or a new one."""
        async with self._one:
            if self._token is None or self._until is None or self._until <= self.clock.now():
                self._token, life = await self._fetch()
                self._until = self.clock.now() + life
            return self._token

    def refused(self, token: str) -> bool:
        """It was revoked: the next one is new."""
        if self._token == token:
            self._token = None
        return True

    async def _fetch(self) -> tuple[str | None, timedelta]:
        form = {"grant_type": "client_credentials", **({} if self.scope is None else {"scope": self.scope})}
        # RFC 6749 2.3.1: both are form-encoded before they are put together
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        headers = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        answer = await post(self.client, self.url, form=form, headers=headers, total=TOTAL)
        if not isinstance(answer, Answer) or answer.status != httpx.codes.OK or not isinstance(answer.body, dict):
            return None, timedelta(0)
        token, kind = answer.body.get("access_token"), answer.body.get("token_type")
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            return None, timedelta(0)
        if not isinstance(kind, str) or kind.lower() != "bearer":
            return None, timedelta(0)
        return token, _life(answer.body.get("expires_in"))


def _life(seconds: object) -> timedelta:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        return _UNTOLD
    return max(timedelta(0), timedelta(seconds=min(seconds, _LONGEST.total_seconds())) - _MARGIN)


@dataclass(frozen=True, slots=True)
class Camara:
    """One operator, or whoever speaks for several."""

    client: httpx.AsyncClient
    url: str
    tokens: _Tokens
    name: str = "camara"

    async def check(self, number: str, max_age: timedelta) -> Swap:
        """`POST {url}/check`. Anything but `200 {"swapped": true}` or `false` within 2 s is `UNKNOWN`."""
        try:
            async with asyncio.timeout(TOTAL.total_seconds()):
                return await self._check(number, math.ceil(max_age / HOUR))
        except TimeoutError:
            return Swap.UNKNOWN

    async def _check(self, number: str, hours: int) -> Swap:
        for last in (False, True):
            token = await self.tokens.get()
            if token is None:
                return Swap.UNKNOWN
            answer = await post(
                self.client,
                f"{self.url}/check",
                json_body={"phoneNumber": number, "maxAge": hours},
                headers={"authorization": f"Bearer {token}"},
                total=TOTAL,
            )
            if not isinstance(answer, Answer):
                return Swap.UNKNOWN
            if answer.status != httpx.codes.UNAUTHORIZED:
                return _verdict(answer)
            if last or not self.tokens.refused(token):
                break
        return Swap.UNKNOWN


def _verdict(answer: Answer) -> Swap:
    swapped = answer.body.get("swapped") if isinstance(answer.body, dict) else None
    if answer.status != httpx.codes.OK or not isinstance(swapped, bool):
        return Swap.UNKNOWN
    return Swap.SWAPPED if swapped else Swap.NOT_SWAPPED


def create(settings: Settings, client: httpx.AsyncClient, clock: Clock) -> Camara:
    """From `IDP_CAMARA_*`. Raises `SettingsError` when something is missing."""
    if problems := missing_for_intel("camara", settings):
        raise SettingsError(problems)
    assert settings.camara_url is not None
    if settings.camara_token is not None:
        return Camara(client, settings.camara_url, Fixed(settings.camara_token.get_secret_value()))
    assert settings.camara_token_url is not None
    assert settings.camara_client_id is not None
    assert settings.camara_client_secret is not None
    tokens = Fetched(
        client,
        clock,
        settings.camara_token_url,
        settings.camara_client_id,
        settings.camara_client_secret.get_secret_value(),
        settings.camara_scope,
    )
    return Camara(client, settings.camara_url, tokens)
