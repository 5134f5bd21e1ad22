"""The logo of an application by the API: given and taken away."""

from typing import Annotated

import msgspec

from idp.flows.operate.logos import set_logo
from idp.flows.operate.pictures import LARGEST
from idp.policy import Act
from idp.web.api.endpoints import Asked, Body, Done, Endpoint


class Logo(Body, frozen=True, kw_only=True):
    """A picture."""

    content: Annotated[bytes, msgspec.Meta(description="PNG, JPEG or WebP, in base64.")]


class LogoShown(msgspec.Struct, frozen=True, kw_only=True):
    """The name of the picture, which changes with it; null for none."""

    logo: str | None


async def _set(asked: Asked) -> Done:
    body: Logo = asked.body
    return Done(LogoShown(logo=(await set_logo(asked.idp, asked.client_id, body.content)).logo))


async def _remove(asked: Asked) -> Done:
    await set_logo(asked.idp, asked.client_id, None)
    return Done()


_ONE, _ACT = "/clients/{client_id}/logo", Act.CHANGE_CLIENTS

ENDPOINTS = (
    Endpoint(
        "PUT",
        _ONE,
        "set_logo",
        _ACT,
        _set,
        "Give an application a logo",
        "People see it where they sign in and allow something.",
        takes=Logo,
        longest=2 * LARGEST,
        answers=LogoShown,
    ),
    Endpoint("DELETE", _ONE, "remove_logo", _ACT, _remove, "Take it away"),
)
