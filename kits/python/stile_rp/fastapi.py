"""The kit in FastAPI: as in Starlette, and what a route requires is shown in OpenAPI."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Security
from fastapi.security import OpenIdConnect

from stile_rp import starlette
from stile_rp.access import AccessToken
from stile_rp.answers import Declined
from stile_rp.claims import Person
from stile_rp.settings import Settings
from stile_rp.site import Confirmed

__all__ = ["AccessToken", "Auth", "Confirmed", "Declined", "Person", "Settings"]


class Auth(starlette.Auth):
    """One application. `Depends(auth.require("…"))` gives an `AccessToken`, `Depends(auth.signed_in)` a `Person`.

    For people, `app.include_router(auth.router)` and `app.add_middleware(SessionMiddleware, secret_key=…)`.
    """

    @property
    def router(self) -> APIRouter:
        """`/login`, `/callback`, `/logout` (POST), `/signed-out` and `/backchannel-logout` (POST), below the prefix."""
        return APIRouter(routes=[*self.routes], include_in_schema=False)

    def require(
        self,
        *scopes: str,
        acr: str | Sequence[str] = (),
        max_age: timedelta | None = None,
        session_ok: bool = False,
        details: str | None = None,
        once: bool | None = None,
    ) -> Callable[..., Awaitable[AccessToken]]:
        """A dependency: the access token of a request that has what is needed (see `stile_rp.require`)."""
        required = super().require(*scopes, acr=acr, max_age=max_age, session_ok=session_ok, details=details, once=once)
        where = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        scheme = OpenIdConnect(openIdConnectUrl=where, scheme_name="openid", auto_error=False)

        async def dependency(
            request: Request, _shown: Annotated[str | None, Security(scheme, scopes=list(scopes))]
        ) -> AccessToken:
            return await required(request)

        return dependency
