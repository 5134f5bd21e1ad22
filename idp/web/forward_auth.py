"""/forward-auth: what a proxy asks before it lets a request pass to a site. Signing in there is in `sites`."""

import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.idp import SITE_PATH
from idp.flows.sites.guard import NotForThem, Open, SignIn, judge
from idp.flows.sites.passes import Person
from idp.policy import Site, host_of, wanted
from idp.web import site_cookies
from idp.web.address import is_from
from idp.web.answers import BASE, see_other, trouble
from idp.web.door import base_path, idp_of, machine
from idp.web.pages import Trouble

_log = structlog.get_logger("idp.web")
FORWARD_AUTH = "/forward-auth"
START_PATH, SIGN_OUT_PATH = f"{SITE_PATH}/start", f"{SITE_PATH}/sign-out"
# What an application is told, always all of it: a proxy that writes these over what came from outside lets nothing in.
TOLD = ("Remote-User", "Remote-Name", "Remote-Groups", "Remote-Email", "X-Stile-Acr")
# What some applications look at before the path that they were asked for; the examples drop it.
_PATHS = ("X-Original-URL", "X-Rewrite-URL")
_NAMES = frozenset(name.lower() for name in (*TOLD, *_PATHS))
_BEGIN = ("r", "x")
_NO_LETTER = re.compile("[^a-z0-9]")
_ORIGINAL = re.compile(r"https?://([^/?#@\\]*)(/.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to a site as its proxy tells it. `by_status`: the proxy looks at the status alone, and redirects."""

    host: str
    target: str
    method: str
    by_status: bool = False


async def forward_auth(request: Request) -> Response:
    """Any method at /forward-auth, and below it: 200 lets pass, 303 leads to sign in, 401 and 403 refuse."""
    idp = idp_of(request)
    machine(request)
    request.scope["state"][BASE] = SITE_PATH
    asked = _described(request) if is_from(request, idp.settings.trusted_proxies) else None
    if asked is None:
        peer = request.client.host if request.client else "unknown"
        _log.warning("forward-auth refused", why="no proxy that is trusted, or no request that is described", peer=peer)
        return _refused(request, None, "invalid_request")
    if _is_disguised(request):
        return _refused(request, asked, "ambiguous_header")
    site = idp.policy.sites.get(host_of(asked.host) or "")
    if site is None:
        return _refused(request, asked, "unknown_site")
    need = wanted(site, asked.target)
    if need is None:
        return _refused(request, asked, "ambiguous_path")
    match await judge(idp, site, need, site_cookies.read(request, site, site_cookies.PASS)):
        case Open(person=person, cookie=cookie):
            return _passed(site, person, cookie)
        case SignIn(further=further):
            return _sent(request, site, asked, further=further)
        case NotForThem():
            return _refused(request, asked, "access_denied")


def _described(request: Request) -> Asked | None:
    """What the proxy says of the request; None where it says nothing, or two things of which a client may have one."""
    below = request.scope["path"].removeprefix(base_path(idp_of(request)) + FORWARD_AUTH)
    if below:
        # Envoy: the request itself, below our path
        raw = request.scope["raw_path"].decode("ascii", "replace")
        query = request.scope["query_string"].decode("ascii", "replace")
        target = raw.partition(FORWARD_AUTH)[2] + (f"?{query}" if query else "")
        host = _only(request, "host")
        return None if host is None else Asked(host, target, request.method)
    original, uri = _only(request, "x-original-url"), _only(request, "x-forwarded-uri")
    if "x-original-url" in request.headers and "x-forwarded-uri" in request.headers:
        return None
    if original is not None and (found := _ORIGINAL.fullmatch(original)):
        return Asked(found[1], found[2], _only(request, "x-original-method") or "GET", by_status=True)
    host = _only(request, "x-forwarded-host")
    if uri is None or host is None:
        return None
    return Asked(host, uri, _only(request, "x-forwarded-method") or "GET")


def _is_disguised(request: Request) -> bool:
    """Whether a header has a name that an application may take for one of ours: to PHP `Remote.User` is `Remote_User`.

    RFC 9110 5.6.2 has fifteen signs for a name beside letters and digits, so no list of a proxy's has them all.
    """
    like = (name for name in request.headers if name.startswith(_BEGIN) and name not in _NAMES)
    return any(_NO_LETTER.sub("-", name) in _NAMES for name in like)


def _only(request: Request, name: str) -> str | None:
    found = request.headers.getlist(name)
    return found[0] if len(found) == 1 else None


def _passed(site: Site, person: Person, cookie: str | None) -> Response:
    response = Response(None, 200, {"Cache-Control": "no-store"})
    groups = ",".join(group for group in person.groups if "," not in group)
    for name, value in zip(TOLD, (person.username, person.name, groups, person.email, person.acr), strict=True):
        # What is no ASCII goes as UTF-8, as proxies pass it on; nothing ends the line.
        line = "".join(character for character in value if character.isprintable())
        response.raw_headers.append((name.lower().encode(), line.encode()))
    if cookie is not None:
        site_cookies.keep(response, site, site_cookies.PASS, cookie)
    return response


def _sent(request: Request, site: Site, asked: Asked, *, further: bool) -> Response:
    """To sign in, if somebody looks at a page; a program is told where, and nothing of it is asked twice."""
    there = f"{site.origin}{START_PATH}?{urlencode({'rd': _onward(request, site, asked)})}"
    looks = _looks(request)
    if looks and not asked.by_status:
        return see_other(there)
    error = "insufficient_user_authentication" if further else "login_required"
    body = json.dumps({"error": error, "sign_in": there})
    headers = {"Cache-Control": "no-store", "WWW-Authenticate": f'Stile realm="{site.host}", error="{error}"'}
    if looks:
        headers["Location"] = there
    return Response(body, 401, headers, "application/json")


def _onward(request: Request, site: Site, asked: Asked) -> str:
    """Where to go once signed in: to the same, or, where that would not ask the same again, to the page before."""
    if asked.method in {"GET", "HEAD"}:
        return asked.target
    came = _only(request, "referer") or ""
    if not came.startswith(f"{site.origin}/"):
        return "/"
    parts = urlsplit(came)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _looks(request: Request) -> bool:
    """Whether a person goes there with a browser, as far as the request says: not a script, not a websocket."""
    told = request.headers
    if "upgrade" in told or "sec-websocket-key" in told or told.get("x-requested-with", "").lower() == "xmlhttprequest":
        return False
    # Fetch 2.2.5
    if told.get("sec-fetch-mode", "navigate") != "navigate" or told.get("sec-fetch-dest", "document") != "document":
        return False
    return "text/html" in told.get("accept", "").lower()


def _refused(request: Request, asked: Asked | None, error: str) -> Response:
    if asked is None or asked.by_status or not _looks(request):
        return Response(json.dumps({"error": error}), 403, {"Cache-Control": "no-store"}, "application/json")
    if error == "access_denied":
        response: Response = trouble(request, Trouble.NOT_IN_GROUP, sign_out=SIGN_OUT_PATH)
    else:
        response = trouble(request, Trouble.BAD_REQUEST)
    response.status_code = 403
    return response


def _any(path: str) -> Route:
    """A route for every method there is, and will be: the proxy asks with that of the request."""
    route = Route(path, forward_auth)
    route.methods = None
    return route


ROUTES = [_any(FORWARD_AUTH), _any(FORWARD_AUTH + "/{target:path}")]
