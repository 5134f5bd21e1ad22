"""A middleware for any WSGI application: a table of paths says which access token gets through."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from stile_rp.access import Need
from stile_rp.errors import Misconfigured, ProviderUnavailable, Refused
from stile_rp.party import RelyingParty
from stile_rp.table import Table, Unlisted

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
App: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

log = logging.getLogger("stile_rp")


class Guard:
    """Lets requests through that bring what the table asks (`Table`); `environ["access_token"]` is the checked one."""

    def __init__(self, app: App, party: RelyingParty, needs: Mapping[str, Need | None]) -> None:
        party.steps.settings.api()
        self.app = app
        self._party = party
        self._table = Table(needs)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, or pass on."""
        try:
            environ["access_token"] = self._checked(environ)
        except Refused as refused:
            return _answer(start_response, refused.status, refused.headers, refused.body)
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("an access token could not be checked: %s", error)
            return _answer(start_response, 503, {"Retry-After": "10"}, {"error": "temporarily_unavailable"})
        return self.app(environ, start_response)

    def _checked(self, environ: Environ) -> object:
        need = self._table.need(environ["REQUEST_METHOD"], _path(environ))
        if isinstance(need, Unlisted):
            log.warning("refused: %s", need.why)
            raise Refused(403)
        if need is None:
            return None
        given = environ.get("HTTP_AUTHORIZATION", "")
        return self._party.check(given, need)


def _path(environ: Environ) -> str:
    # PEP 3333: bytes, dressed as latin-1; what is no UTF-8 becomes what no path may have
    path: str = environ.get("PATH_INFO") or "/"
    try:
        return path.encode("latin-1").decode("utf-8", errors="replace")
    except UnicodeEncodeError:
        return ""


def _answer(
    start_response: StartResponse, status: int, headers: Mapping[str, str], body: Mapping[str, str]
) -> Iterable[bytes]:
    said = {"Content-Type": "application/json", **headers}
    start_response(f"{status} {HTTPStatus(status).phrase}", list(said.items()))
    return [json.dumps(body).encode()]
