"""The authorization endpoint (RFC 6749 3.1, OIDC Core 3.1.2): read, one flow, answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.errors import OAuthError
from idp.flows.idp import Idp
from idp.flows.signin import begin
from idp.flows.signin import pushed as flow
from idp.flows.signin.authorize import Show, ToClient, Unstored
from idp.flows.signin.choices import cancelled
from idp.flows.signin.told import Told
from idp.model import AuthorizationRequest, Client, ResponseMode
from idp.oidc import answer, metadata, pushed
from idp.oidc import request as requests
from idp.oidc.answer import MAX_LOCATION
from idp.oidc.errors import PageError, RedirectError
from idp.oidc.params import once
from idp.oidc.redirects import leads_on
from idp.policy import Kind, left_out
from idp.web import password_form
from idp.web.answers import again, came_again, form_post, see_other, to_client, to_interaction, told, trouble
from idp.web.door import Unreadable, base_path, idp_of, own_form, pairs, query, ui_locales, visitor
from idp.web.interaction import shown
from idp.web.notes import NOTE, ROOM
from idp.web.pages import Trouble

_log = structlog.get_logger("idp.web")
_KEPT = re.compile(r"(?:[A-Za-z0-9*+._&=~:/?@,;!$()-]|%[0-9A-Fa-f]{2})*")  # what browsers leave as it is (URL 4.3)


async def authorize(request: Request) -> Response:
    """GET and POST /authorize."""
    idp = idp_of(request)
    try:
        # OIDC Core 3.1.2.1: parameters of a POST are in the form
        given = await pairs(request) if request.method == "POST" else _asked(request)
    except Unreadable as error:
        return trouble(request, Trouble.BAD_REQUEST, detail=str(error))
    if (named := _pushed(request, given)) is not None:
        return named if isinstance(named, Response) else await _at_pushed(request, given, named)
    parsed = _parse(request, given)
    if isinstance(parsed, Response):
        return parsed
    who = visitor(request)
    if request.method == "POST" and who.token is None and not came_again(request):
        # OIDC Core 3.1.2.1: POST works as GET does. A form on another site comes without our cookie (SameSite=Lax);
        # what follows brings it along, where an answer to this request would put a new session over the old one.
        client = idp.registered(parsed.client_id)
        leads_to = leads_on(parsed.redirect_uri, client.redirect_uris if client else ())
        return again(request, metadata.AUTHORIZE, given, leads_to=leads_to, ui_locales=parsed.ui_locales)
    _tell_left_out(idp, given, parsed)
    here, written = base_path(idp) + metadata.AUTHORIZE, _written(request, given)
    fits = len(here) + len(written) + ROOM <= MAX_LOCATION
    try:
        begun = await (begin.begin_here if fits else begin.begin)(idp, parsed, who)
    except PageError as error:
        return trouble(request, _kind(error), detail=error.description, ui_locales=parsed.ui_locales)
    match begun:
        case ToClient() as done:
            return to_client(request, done)
        case Show() if request.method == "POST":
            return see_other(f"{here}?{written}")
        case Show() as show:
            return password_form.ask(request, show, here, written)
        case interaction:
            return to_interaction(request, interaction)


@dataclass(frozen=True, slots=True)
class _Named:
    """A pushed request, as the address names it."""

    client: Client
    token: str


def _pushed(request: Request, given: Sequence[tuple[str, str]]) -> _Named | Response | None:
    """Which pushed request is asked for (RFC 9126 4), or the answer to who asks wrongly; None for any other request."""
    token = pushed.token_of(dict(given).get("request_uri", ""))
    if token is None:
        return None
    try:
        params = once(given)
    except OAuthError as error:
        return trouble(request, Trouble.BAD_REQUEST, detail=error.description, ui_locales=ui_locales(given))
    client = idp_of(request).registered(params.get("client_id", ""))
    if client is None or client.disabled:
        return _told(request, given, PageError("invalid_request", "client_id names no client of this provider."))
    return _Named(client, token)


async def _at_pushed(request: Request, given: Sequence[tuple[str, str]], named: _Named) -> Response:
    """GET and POST with a request_uri: what a browser finds there. What else stands in the address is not looked at."""
    idp, who = idp_of(request), visitor(request)
    if request.method == "POST" and who.token is None and not came_again(request):
        return again(request, metadata.AUTHORIZE, given)  # as any other POST from another site
    here, written = base_path(idp) + metadata.AUTHORIZE, _written(request, given)
    try:
        found = await flow.open_(idp, named.client, named.token, who)
    except PageError as error:
        return trouble(request, _kind(error), detail=error.description, ui_locales=ui_locales(given))
    match found:
        case flow.Unknown():
            return _gone(request, given, named.client)
        case ToClient() as done:
            return to_client(request, done)
        case Told() as beyond:
            return told(request, beyond)
        case Show() if request.method == "POST":
            return see_other(f"{here}?{written}")
        case Show() as show if show.ask.kind is Kind.PASSWORD and show.loaded.interaction is None:
            return password_form.ask(request, show, here, written)
        case Show() as show:
            return await shown(request, show, here=f"{here}?{written}")


def _gone(request: Request, given: Sequence[tuple[str, str]], client: Client) -> Response:
    """Unknown, used, too late, another client's: one answer, to the client where the address says where that is."""
    match pushed.gone(once(given), client=client):
        case RedirectError() as error:
            return refused(request, error, ui_locales=ui_locales(given))
        case PageError():
            return trouble(request, Trouble.REQUEST_GONE, ui_locales=ui_locales(given), client=client)


async def _unstored(request: Request) -> Unstored | Response:
    """The request of a page at its own address, of which nothing is stored; or the answer where there is none."""
    given = _asked(request)
    if (named := _pushed(request, given)) is None:
        parsed = _parse(request, given)
        return parsed if isinstance(parsed, Response) else Unstored(parsed, request.url.query)
    if isinstance(named, Response):
        return named
    ending = request.url.path.endswith("/cancel")
    find = flow.cancel if ending else flow.find
    found = await find(idp_of(request), named.client, named.token, request.url.query)
    return _gone(request, given, named.client) if isinstance(found, flow.Unknown) else found


def _asked(request: Request) -> list[tuple[str, str]]:
    """What an application wrote into the address; what was wrong with our own form is no part of that."""
    return [(name, value) for name, value in query(request) if name != NOTE]


def _written(request: Request, given: Sequence[tuple[str, str]]) -> str:
    """What was asked, as it stands in the address of the page; what was wrong with our own form stands at its end."""
    query, note, _ = request.url.query.rpartition(f"&{NOTE}=")
    asked = query if note else request.url.query
    # Nothing else of ours stands in it, however it is written.
    is_whole = request.method == "GET" and asked.count("&") + 1 == len(given)
    return asked if is_whole and _KEPT.fullmatch(asked) else urlencode(given)


def _parse(request: Request, given: Sequence[tuple[str, str]]) -> AuthorizationRequest | Response:
    """The request if it is valid, else the answer to it."""
    idp = idp_of(request)
    try:
        return requests.parse(
            given,
            client_lookup=idp.registered,
            issuer=idp.issuer,
            known_scopes=idp.policy.for_people(),
            acr_supported=idp.policy.levels.values(),
            keys=idp.keys,
            details_rules=idp.policy.details,
        )
    except PageError as error:
        return _told(request, given, error)
    except RedirectError as error:
        return refused(request, error, ui_locales=ui_locales(given))


def _told(request: Request, given: Sequence[tuple[str, str]], error: PageError) -> Response:
    client = idp_of(request).registered(dict(given).get("client_id", ""))
    return trouble(request, _kind(error), detail=error.description, ui_locales=ui_locales(given), client=client)


async def password(request: Request) -> Response:
    """POST /authorize/password: the form of the page at /authorize, with the same query."""
    return await _typed(request, password_form.typed)


async def with_passkey(request: Request) -> Response:
    """POST /authorize/with-passkey: the other form of that page."""
    return await _typed(request, password_form.with_passkey)


async def _typed(request: Request, answered: password_form.Answered) -> Response:
    form, asked = await own_form(request), await _unstored(request)
    if isinstance(asked, Response):
        return asked
    try:
        return await answered(request, form, asked, here=_here(request))
    except PageError as error:
        return trouble(request, _kind(error), detail=error.description, ui_locales=asked.request.ui_locales)


async def cancel(request: Request) -> Response:
    """POST /authorize/cancel: answer the client with access_denied. Nothing was stored, so nothing is to be ended."""
    await own_form(request)
    asked = await _unstored(request)
    return asked if isinstance(asked, Response) else to_client(request, cancelled(idp_of(request), asked.request))


async def back(request: Request) -> Response:
    """GET where only a POST answers: to the page. No form of ours is at an address that no page has."""
    here = _here(request)
    return see_other(here) if len(here) <= MAX_LOCATION else trouble(request, Trouble.BAD_REQUEST, detail="too long")


def _here(request: Request) -> str:
    return f"{base_path(idp_of(request))}{metadata.AUTHORIZE}?{request.url.query}"


def _tell_left_out(idp: Idp, given: Sequence[tuple[str, str]], parsed: AuthorizationRequest) -> None:
    """For the log: why a scope that the policy has will not be in the answer. Not what strangers think of."""
    asked = dict(given).get("scope", "").split(" ")
    dropped = {scope for scope in asked if scope in idp.policy.scopes} - set(parsed.scopes)
    client = idp.registered(parsed.client_id)
    if dropped and client is not None:
        _log.info("scopes left out", client=client.id, scopes=left_out(idp.policy, client, sorted(dropped)))


def _kind(error: PageError) -> Trouble:
    if "redirect_uri" in error.description:
        return Trouble.BAD_REDIRECT_URI
    return Trouble.UNKNOWN_CLIENT if "client_id" in error.description else Trouble.BAD_REQUEST


def refused(request: Request, error: RedirectError, *, ui_locales: Sequence[str] = ()) -> Response:
    """Tell the client what was wrong with its request."""
    parameters = answer.error(error, issuer=idp_of(request).issuer)
    if error.response_mode is ResponseMode.FORM_POST:
        return form_post(request, error.redirect_uri, parameters, ui_locales=ui_locales)
    return see_other(answer.redirect_url(error.redirect_uri, parameters, fragment=error.fragment))


ROUTES = [
    Route(metadata.AUTHORIZE, authorize, methods=["GET", "POST"]),
    Route(f"{metadata.AUTHORIZE}/password", password, methods=["POST"]),
    Route(f"{metadata.AUTHORIZE}/with-passkey", with_passkey, methods=["POST"]),
    Route(f"{metadata.AUTHORIZE}/cancel", cancel, methods=["POST"]),
    *(Route(f"{metadata.AUTHORIZE}/{form}", back, methods=["GET"]) for form in ("password", "with-passkey", "cancel")),
]
