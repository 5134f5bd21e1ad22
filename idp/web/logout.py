"""Signing out: /logout for applications (RP-Initiated Logout 1.0), the question before it, and our own button."""

from collections.abc import Iterable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.idp import ACCOUNT_PATH, Idp
from idp.flows.language import page_language
from idp.flows.signin import logout as flow
from idp.flows.signin.logout import Out
from idp.oidc import metadata
from idp.oidc.answer import MAX_LOCATION
from idp.oidc.errors import PageError
from idp.oidc.params import Params, collect
from idp.oidc.redirects import leads_on
from idp.web.answers import again, came_again, page, see_other, trouble
from idp.web.door import Unreadable, base_path, drop_cookie, idp_of, own_form, pairs, query, ui_locales, visitor
from idp.web.pages import ConfirmLogout, LoggedOut, Trouble

CONFIRM_PATH = f"{metadata.LOGOUT}/confirm"
DONE_PATH = f"{metadata.LOGOUT}/done"
PACKED = "request"
# Not "cookies": that takes those of every application under the same registrable domain, the state one of them is about
# to compare, and the mark by which this browser is a known device (threats 11). Ours is dropped by name.
CLEAR = '"cache", "storage"'


async def logout(request: Request) -> Response:
    """GET and POST /logout (RIL 2)."""
    idp = idp_of(request)
    params = await _asked(request)
    try:
        if request.method == "POST" and not came_again(request):
            # A form on another site comes without our cookie (SameSite=Lax); what follows brings it along.
            packed = [(PACKED, flow.pack(idp, params))]
            return again(request, metadata.LOGOUT, packed, leads_to=_leads_to(idp, params))
        found = await flow.begin(idp, params, visitor(request))
    except PageError as error:
        return await _refused(request, error)
    if isinstance(found, Out):
        return _out(request, found)
    shown = ConfirmLogout(
        action=base_path(idp) + CONFIRM_PATH,
        username=found.account.username,
        client_name=found.client.name if found.client else None,
        request=found.request,
    )
    targets: tuple[str, ...] = ()
    if found.redirect_to and found.client:
        targets = leads_on(found.redirect_to, found.client.redirect_uris)
    return page(
        request,
        shown,
        form_targets=targets,
        ui_locales=found.ui_locales,
        person=found.account,
        comes_back=not request.url.query,
    )


def _leads_to(idp: Idp, params: Params) -> tuple[str, ...]:
    try:
        return flow.leads_to(idp, params)
    except PageError:
        return ()  # refused when it comes again: only then we know who is signed in


async def _asked(request: Request) -> Params:
    try:
        params = _usable(await pairs(request) if request.method == "POST" else query(request))
    except Unreadable:
        return {}
    return flow.unpack(idp_of(request), params[PACKED]) if PACKED in params else params


def _usable(given: Iterable[tuple[str, str]]) -> Params:
    """What can be read of a request to sign out: the rest of it is no reason to keep somebody signed in."""
    found = collect(given)
    # RIL 3: the state comes back as it was, or nobody goes back
    lost = {"post_logout_redirect_uri"} if "state" in found.unusable else set()
    return {name: value for name, value in found.values.items() if name not in lost}


async def confirm(request: Request) -> Response:
    """POST /logout/confirm: the answer to the question."""
    idp = idp_of(request)
    if visitor(request).session_id is None:
        return see_other(base_path(idp) + DONE_PATH)  # signed out meanwhile, in another tab
    form = await own_form(request)
    if form.get("decision") == "stay":
        return see_other(base_path(idp) + ACCOUNT_PATH)
    if form.get("decision") != "sign_out":
        return trouble(request, Trouble.BAD_REQUEST, detail="Neither sign_out nor stay was chosen.")
    try:
        return _out(request, await flow.confirmed(idp, flow.unpack(idp, form.get(PACKED)), visitor(request)))
    except PageError as error:
        return await _refused(request, error)


async def sign_out(request: Request) -> Response:
    """POST /account/sign-out: the button of the account page."""
    idp = idp_of(request)
    if visitor(request).session_id is None:
        return see_other(base_path(idp) + DONE_PATH)
    await own_form(request)
    return _out(request, await flow.sign_out(idp, visitor(request)))


async def done(request: Request) -> Response:
    """GET /logout/done: says so, changes nothing."""
    told = await _asked(request)
    out = flow.ended(idp_of(request), told)
    shown = LoggedOut(
        sign_in=base_path(idp_of(request)) + ACCOUNT_PATH,
        client_name=out.client.name if out.client else None,
        back=out.offered,
    )
    return page(request, shown, ui_locales=ui_locales(list(told.items())), comes_back=out.offered is None)


def _out(request: Request, out: Out) -> Response:
    idp, who = idp_of(request), visitor(request)
    language = page_language(idp, who, ui_locales=out.ui_locales, person=out.account)
    # Nobody is known there any more, so the address says which language to go on in.
    told = {} if language == who.locale else {"ui_locales": language.replace("_", "-")}
    own = base_path(idp) + DONE_PATH
    offering = f"{own}?{urlencode({**told, **out.told})}"
    if not out.told or len(offering) > MAX_LOCATION:
        offering = f"{own}?{urlencode(told)}" if told else own
    response = see_other(out.redirect_to or offering)
    drop_cookie(response, idp)
    response.headers["Clear-Site-Data"] = CLEAR
    return response


async def _refused(request: Request, error: PageError) -> Response:
    # RIL 3: never a redirect to what is not registered
    if not await flow.is_signed_in(idp_of(request), visitor(request)):
        return trouble(request, Trouble.BAD_LOGOUT_URI_OUT, detail=error.description)
    sign_out = base_path(idp_of(request)) + metadata.LOGOUT
    return trouble(request, Trouble.BAD_LOGOUT_URI, detail=error.description, sign_out=sign_out)


ROUTES = [
    Route(metadata.LOGOUT, logout, methods=["GET", "POST"]),
    Route(CONFIRM_PATH, confirm, methods=["POST"]),
    Route(DONE_PATH, done, methods=["GET"]),
    Route(f"{ACCOUNT_PATH}/sign-out", sign_out, methods=["POST"]),
]
