"""/.stile/ on the host of a site, whose proxy passes it on to us: signing in there, what went wrong, signing out."""

from collections.abc import Awaitable, Callable
from functools import wraps
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.errors import OAuthError
from idp.flows.idp import CALLBACK_PATH, SIGNED_OUT_PATH, SITE_PATH
from idp.flows.sites import enter
from idp.flows.sites.enter import NOT_IN_GROUP, Entered, NotEntered
from idp.oidc import metadata
from idp.oidc.params import once
from idp.policy import UNMET, Barrier, Missing, Site, host_of
from idp.web import site_cookies
from idp.web.answers import BASE, page, see_other, trouble
from idp.web.door import Unreadable, idp_of, query, visitor
from idp.web.forward_auth import SIGN_OUT_PATH, START_PATH
from idp.web.operations import static
from idp.web.pages import LoggedOut, Trouble

REFUSED_PATH = f"{SITE_PATH}/refused"
_KINDS = {
    "invalid_request": Trouble.BAD_REQUEST,
    "invalid_state": Trouble.OTHER_BROWSER,
    "access_denied": Trouble.STOPPED,
}
_BEYOND = {
    Missing.ON_HOLD.value: Trouble.BEYOND_ON_HOLD,
    Barrier.CLOSED.value: Trouble.BEYOND_CLOSED,
    Barrier.FROZEN.value: Trouble.BEYOND_FROZEN,
    Barrier.GROUP.value: Trouble.BEYOND_GROUP,
}
Endpoint = Callable[[Request], Awaitable[Response]]


def _of_site(endpoint: Callable[[Request, Site], Awaitable[Response]]) -> Endpoint:
    """An endpoint of every site that the policy has, and of no other host."""

    @wraps(endpoint)
    async def found(request: Request) -> Response:
        request.scope["state"][BASE] = SITE_PATH
        visitor(request)
        site = idp_of(request).policy.sites.get(host_of(request.headers.get("host", "")) or "")
        return trouble(request, Trouble.NOT_FOUND) if site is None else await endpoint(request, site)

    return found


@_of_site
async def start(request: Request, site: Site) -> Response:
    """GET /.stile/start?rd=…: to the authorization endpoint. Nothing is stored."""
    try:
        to = dict(query(request)).get("rd", "/")
    except Unreadable:
        to = "/"
    sent = enter.begin(idp_of(request), site, to, key=site_cookies.read(request, site, site_cookies.KEY))
    response = see_other(sent.location)
    site_cookies.keep(response, site, site_cookies.KEY, sent.key)
    return response


@_of_site
async def callback(request: Request, site: Site) -> Response:
    """GET /.stile/callback: the answer, and in."""
    try:
        params = once(query(request))
    except (OAuthError, Unreadable):
        return trouble(request, Trouble.BAD_REQUEST, again="/")
    key = site_cookies.read(request, site, site_cookies.KEY)
    match await enter.finish(idp_of(request), site, params, key=key):
        case Entered(to=to, cookie=cookie):
            response: Response = see_other(to)
            if cookie is not None:
                site_cookies.keep(response, site, site_cookies.PASS, cookie)
            return response
        case NotEntered() as why:
            return _told(request, why)


def _told(request: Request, why: NotEntered) -> Response:
    if why.error == NOT_IN_GROUP:
        return trouble(request, Trouble.NOT_IN_GROUP, sign_out=SIGN_OUT_PATH)  # and in again as somebody else
    if why.error == UNMET:
        return trouble(request, _BEYOND.get(why.unmet, Trouble.BEYOND), again=why.to)
    return trouble(request, _KINDS.get(why.error, Trouble.LINK_OLD), again=why.to)


@_of_site
async def refused(request: Request, _site: Site) -> Response:
    """GET /.stile/refused: the page for a proxy that shows none of what it was answered."""
    return trouble(request, Trouble.FORBIDDEN, sign_out=SIGN_OUT_PATH)


@_of_site
async def sign_out(request: Request, site: Site) -> Response:
    """GET /.stile/sign-out: forgotten here, and on to where the person says whether to sign out everywhere."""
    idp = idp_of(request)
    asked = {"client_id": site.client_id, "post_logout_redirect_uri": site.origin + SIGNED_OUT_PATH}
    response = see_other(f"{idp.issuer}{metadata.LOGOUT}?{urlencode(asked)}")
    return _forgotten(request, site, response)


def _forgotten(request: Request, site: Site, response: Response) -> Response:
    """Without the pass, if somebody really went there: a picture on another page signs nobody out."""
    if request.headers.get("sec-fetch-mode", "navigate") == "navigate":
        site_cookies.drop(response, site, site_cookies.PASS)
    return response


@_of_site
async def signed_out(request: Request, site: Site) -> Response:
    """GET /.stile/signed-out: says so, and forgets who was here."""
    return _forgotten(request, site, page(request, LoggedOut(sign_in="/"), comes_back=False))


ROOT_ROUTES = [
    Route(START_PATH, start, methods=["GET"]),
    Route(CALLBACK_PATH, callback, methods=["GET"]),
    Route(REFUSED_PATH, refused, methods=["GET"]),
    Route(SIGN_OUT_PATH, sign_out, methods=["GET"]),
    Route(SIGNED_OUT_PATH, signed_out, methods=["GET"]),
    Route(f"{SITE_PATH}/static/{{name}}", static, methods=["GET"]),
]
