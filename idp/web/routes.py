"""The whole URL map."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import Lifespan, Receive, Scope, Send

from idp.web import (
    account,
    approve,
    authenticators,
    authorize,
    console,
    devices,
    entrance,
    forward_auth,
    freezing,
    interaction,
    logos,
    logout,
    mailbox,
    operations,
    passkeys,
    phones,
    profile,
    receipts,
    recovery_codes,
    register,
    reset,
    sites,
    tokens,
    welcome,
)
from idp.web.api import routes as api
from idp.web.glances import unmoved


class Doors(Router):
    """A router that knows by heart where a path without parameters leads, and tries the routes in order for others.

    A path with a slash too many is not there: the redirect would be a 307, to whatever host the request named.
    """

    def __init__(self, routes: Sequence[BaseRoute], *, lifespan: Lifespan[Any] | None = None) -> None:
        super().__init__(routes, redirect_slashes=False, lifespan=lifespan)
        plain = [each for each in routes if isinstance(each, Route) and not each.param_convertors]
        # The first one wins, as it does where they are tried in order.
        self._by_heart = {(method, each.path): each for each in reversed(plain) for method in each.methods or ()}

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        route = self._by_heart.get((scope.get("method", ""), path))
        if route is None:
            await super().app(scope, receive, send)
        else:
            scope["endpoint"] = route.endpoint
            await route.app(scope, receive, send)


def routes(issuer: str) -> list[BaseRoute]:
    """Everything under the issuer's path; the RFC 8414 document stands at the root (RFC 8414 3.1)."""
    # They are tried in this order: what is asked most comes first.
    from_here: list[Route] = [
        *forward_auth.ROUTES,
        *interaction.ROUTES,
        *tokens.ROUTES,
        *authorize.ROUTES,
        *approve.ROUTES,
        *operations.ROUTES,
        *receipts.ROUTES,
        *account.ROUTES,
        *entrance.ROUTES,
        *authenticators.ROUTES,
        *phones.ROUTES,
        *mailbox.ROUTES,
        *profile.ROUTES,
        *passkeys.ROUTES,
        *recovery_codes.ROUTES,
        *reset.ROUTES,
        *devices.ROUTES,
        *logos.ROUTES,
        *logout.ROUTES,
        *welcome.ROUTES,
        *register.ROUTES,
        *freezing.ROUTES,
        *console.ROUTES,
    ]
    base = urlsplit(issuer).path
    ours: list[BaseRoute] = [*(unmoved(route) for route in from_here), *api.ROUTES]
    below = [Mount(base, app=Doors(ours))] if base else ours
    return [*below, *tokens.ROOT_ROUTES, *passkeys.ROOT_ROUTES, *map(unmoved, sites.ROOT_ROUTES)]
