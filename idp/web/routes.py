"""The whole URL map."""

from urllib.parse import urlsplit

from starlette.routing import BaseRoute, Mount, Route, Router

from idp.web import (
    account,
    approve,
    authenticators,
    authorize,
    devices,
    entrance,
    forward_auth,
    freezing,
    interaction,
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


def routes(issuer: str) -> list[BaseRoute]:
    """Everything under the issuer's path; the RFC 8414 document stands at the root (RFC 8414 3.1)."""
    # They are tried in this order: what is asked most comes first.
    from_here: list[Route] = [
        *forward_auth.ROUTES,
        *tokens.ROUTES,
        *authorize.ROUTES,
        *interaction.ROUTES,
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
        *logout.ROUTES,
        *welcome.ROUTES,
        *register.ROUTES,
        *freezing.ROUTES,
    ]
    base = urlsplit(issuer).path
    ours: list[BaseRoute] = [*(unmoved(route) for route in from_here), *api.ROUTES]
    below = [Mount(base, app=Router(ours, redirect_slashes=False))] if base else ours
    return [*tokens.ROOT_ROUTES, *passkeys.ROOT_ROUTES, *map(unmoved, sites.ROOT_ROUTES), *below]
