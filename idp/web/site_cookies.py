"""The cookies that a browser keeps of a site behind a proxy: on the site's own host, none of them the provider's."""

from starlette.requests import Request
from starlette.responses import Response

from idp.policy import Site
from idp.web.door import cookies_of

PASS, KEY = "site", "going"


def name_of(site: Site, kind: str) -> str:
    """`__Host-` binds a cookie to the host and https, and nothing binds it to a port: its name has it."""
    _, _, port = site.host.partition(":")
    prefix = "__Host-" if site.origin.startswith("https://") else ""
    return f"{prefix}stile-{kind}{port and f'-{port}'}"


def read(request: Request, site: Site, kind: str) -> str | None:
    """The cookie of this site, as sent."""
    return cookies_of(request).get(name_of(site, kind))


def keep(response: Response, site: Site, kind: str, value: str) -> None:
    """HttpOnly, SameSite=Lax, for the whole host, for as long as the browser is open."""
    secure = site.origin.startswith("https://")
    response.set_cookie(name_of(site, kind), value, path="/", secure=secure, httponly=True, samesite="lax")


def drop(response: Response, site: Site, kind: str) -> None:
    """Forget it."""
    secure = site.origin.startswith("https://")
    response.delete_cookie(name_of(site, kind), path="/", secure=secure, httponly=True, samesite="lax")
