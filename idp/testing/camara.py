"""An operator's side of CAMARA SIM Swap, by the last three digits of the number; and somebody who says what tests tell.

Written from the operator's side, on its own: no adapter is imported.
"""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from urllib.parse import unquote_plus
from uuid import uuid4

from idp.model import Swap
from idp.testing.http import Request, Response
from idp.testing.orders import answer, form_of, json_of, same

CLIENT, SECRET, TOKEN, SCOPE = "fake client", "fake:secret", "fake-camara-token", "sim-swap:check"
CHECK, TOKENS = "/sim-swap/v1/check", "/oauth2/token"


class Sim(StrEnum):
    """What the operator says about a number."""

    SAME = "the SIM was not changed"
    SWAPPED = "the SIM was changed an hour ago"
    NOT_HERE = "no such number with this operator (404)"
    NO_CONSENT = "the operator may not tell (403)"
    BROKEN = "server error"
    SLOW = "the right answer, too late"
    HANG_UP = "the connection ends without an answer"
    MALFORMED = "an answer that breaks off"
    WORDS = "an answer that is neither yes nor no"
    REDIRECT = "sent elsewhere by a redirect"


SIM_BY_ENDING = {str(961 + i): sim for i, sim in enumerate(list(Sim)[1:])}
_ENDINGS = {sim: ending for ending, sim in SIM_BY_ENDING.items()}
_ERRORS = {
    Sim.NOT_HERE: (404, "IDENTIFIER_NOT_FOUND"),
    Sim.NO_CONSENT: (403, "PERMISSION_DENIED"),
    Sim.BROKEN: (500, "INTERNAL"),
}


def number_of(sim: Sim) -> str:
    """An Estonian mobile number that ends so. Text messages to it are accepted and delivered."""
    return f"+37256789{_ENDINGS.get(sim, '045')}"


def camara_settings(url: str) -> dict[str, str]:
    """What to set so that the fake at this URL is asked about SIMs."""
    return {
        "IDP_NUMBER_INTEL": "camara",
        "IDP_CAMARA_URL": url + CHECK.removesuffix("/check"),
        "IDP_CAMARA_CLIENT_ID": CLIENT,
        "IDP_CAMARA_CLIENT_SECRET": SECRET,
        "IDP_CAMARA_TOKEN_URL": url + TOKENS,
    }


@dataclass(slots=True)
class Operator:
    """What was asked, and the tokens that are good. `elsewhere` is where redirects lead."""

    slow: timedelta
    elsewhere: str
    lives: int = 3600
    asked: list[tuple[str, int]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    fetched: int = 0

    def understands(self, request: Request) -> bool:
        """Two URLs."""
        return request.method == "POST" and request.path in {CHECK, TOKENS}

    async def handle(self, request: Request) -> Response | None:
        """A token by client credentials, or a verdict for whoever has one."""
        return self._token(request) if request.path == TOKENS else await self._check(request)

    def _token(self, request: Request) -> Response:
        form = form_of(request)
        if not _is_client(request.headers.get("authorization", "")):
            return answer(401, {"error": "invalid_client"})
        if form.get("grant_type") != "client_credentials" or form.get("scope") != SCOPE:
            return answer(400, {"error": "invalid_scope"})
        self.fetched += 1
        token = uuid4().hex
        self.tokens.add(token)
        return answer(200, {"access_token": token, "token_type": "bearer", "expires_in": self.lives})

    async def _check(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            return _error(401, "UNAUTHENTICATED")
        said = json_of(request)
        number, hours = said.get("phoneNumber"), said.get("maxAge")
        if not isinstance(number, str) or not number.startswith("+") or set(said) != {"phoneNumber", "maxAge"}:
            return _error(400, "INVALID_ARGUMENT")
        if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= 2400:
            return _error(400, "OUT_OF_RANGE")
        self.asked.append((number, hours))
        sim = SIM_BY_ENDING.get(number[-3:], Sim.SAME)
        match sim:
            case Sim.HANG_UP:
                return None
            case Sim.SLOW:
                await asyncio.sleep(self.slow.total_seconds())
            case Sim.MALFORMED:
                return Response(200, b'{"swapped": fa', {"content-type": "application/json"})
            case Sim.WORDS:
                return answer(200, {"swapped": "false"})
            case Sim.REDIRECT:
                return Response(307, headers={"location": self.elsewhere})
            case _ if sim in _ERRORS:
                return _error(*_ERRORS[sim])
            case _:
                pass
        return answer(200, {"swapped": sim is Sim.SWAPPED})


def _is_client(authorization: str) -> bool:
    scheme, _, pair = authorization.partition(" ")
    try:
        name, _, secret = base64.b64decode(pair, validate=True).decode().partition(":")
    except ValueError:
        return False
    return scheme == "Basic" and same(unquote_plus(name), CLIENT) and same(unquote_plus(secret), SECRET)


def _error(status: int, code: str) -> Response:
    return answer(status, {"status": status, "code": code, "message": "The fake says no."})


@dataclass(slots=True)
class FakeIntel:
    """Somebody who knows what the test tells: `verdicts` by number, else `verdict`. Remembers what was asked."""

    verdict: Swap = Swap.NOT_SWAPPED
    verdicts: Mapping[str, Swap] = field(default_factory=dict)
    name: str = "fake"
    asked: list[tuple[str, timedelta]] = field(default_factory=list)

    async def check(self, number: str, max_age: timedelta) -> Swap:
        """As told."""
        self.asked.append((number, max_age))
        return self.verdicts.get(number, self.verdict)
