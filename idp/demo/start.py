"""The demo's start page: who there is, where to go, what to try. Passwords and seeds in the open: a demo only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyotp
import segno
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from idp.demo.registration import local_now
from idp.demo.site import HERE, DemoUrls, SecurityHeaders, environment
from idp.model import Role

STEP = 30  # seconds a code lives (RFC 6238 5.2)


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody made up. `totp_secret` is base32, None without an authenticator app; a `role` opens the console."""

    username: str
    name: str
    password: str = field(repr=False)
    phone: str
    totp_secret: str | None = field(default=None, repr=False)
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """What the authenticator app of a person shows now, and for how long."""

    spaced: str
    seconds_left: int


def otpauth(person: DemoPerson, *, brand: str) -> str:
    """What the QR code says."""
    return pyotp.TOTP(person.totp_secret or "").provisioning_uri(name=person.username, issuer_name=brand)


def code_of(secret: str, *, now: datetime) -> Code:
    """The current code of this seed."""
    digits = pyotp.TOTP(secret).at(now)
    return Code(f"{digits[:3]} {digits[3:]}", STEP - int(now.timestamp()) % STEP)


def start_page(
    people: Sequence[DemoPerson],
    urls: DemoUrls | None = None,
    *,
    brand: str = "Stile",
    now: Callable[[], datetime] = local_now,
) -> Starlette:
    """The start page as an ASGI application, to be mounted at a path that ends with a slash.

    `now` should be the provider's clock, so that the codes shown are the codes accepted.
    """
    pages = environment()
    where = urls or DemoUrls()
    qr_codes = {
        person.username: Markup(segno.make(otpauth(person, brand=brand), error="m").svg_inline(scale=4, light="#fff"))  # noqa: S704 - our own drawing
        for person in people
        if person.totp_secret is not None
    }

    async def home(_: Request) -> Response:
        html = pages.get_template("start/start.html").render(people=people, urls=where, qr_codes=qr_codes, brand=brand)
        return HTMLResponse(html)

    async def code(request: Request) -> Response:
        person = next((one for one in people if one.username == request.path_params["username"]), None)
        if person is None or person.totp_secret is None:
            raise HTTPException(404)
        shown = code_of(person.totp_secret, now=now())
        html = pages.get_template("start/code.html").render(person=person, code=shown)
        # A header, not a meta element: same effect, and it holds for this small frame alone.
        return HTMLResponse(html, headers={"refresh": str(shown.seconds_left + 1)})

    return Starlette(
        routes=[
            Route("/", home),
            Route("/code/{username}", code),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(SecurityHeaders, frames="'self'")],
    )
