"""A middleware for any ASGI application: a table of paths says which access token gets through."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from stile_rp.access import Need
from stile_rp.errors import Misconfigured, ProviderUnavailable, Refused
from stile_rp.party import AsyncRelyingParty
from stile_rp.table import Table, Unlisted

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("stile_rp")


class Guard:
    """Lets requests through that bring what the table asks (`Table`); the checked token is `scope["access_token"]`."""

    def __init__(self, app: App, party: AsyncRelyingParty, needs: Mapping[str, Need | None]) -> None:
        party.steps.settings.api()
        self.app = app
        self._party = party
        self._table = Table(needs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        try:
            scope["access_token"] = await self._checked(scope)
        except Refused as refused:
            await _answer(scope, send, refused.status, refused.headers, refused.body)
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("an access token could not be checked: %s", error)
            await _answer(scope, send, 503, {"Retry-After": "10"}, {"error": "temporarily_unavailable"})
        else:
            await self.app(scope, receive, send)

    async def _checked(self, scope: Scope) -> object:
        need = self._table.need(scope.get("method", "GET"), _path(scope))
        if isinstance(need, Unlisted):
            log.warning("refused: %s", need.why)
            raise Refused(403)
        if need is None:
            return None
        headers = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"authorization"]
        return await self._party.world.run(self._party.steps.access.check(headers, need))


def _path(scope: Scope) -> str:
    # some servers put the root in front of the path, others do not
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return (path[len(root) :] or "/") if path == root or path.startswith(f"{root}/") else path


async def _answer(scope: Scope, send: Send, status: int, headers: Mapping[str, str], body: Mapping[str, str]) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # before it was accepted: HTTP 403
        return
    said = {"content-type": "application/json", **headers}
    encoded = [(name.lower().encode(), value.encode()) for name, value in said.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
