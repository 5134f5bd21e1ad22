"""Signing out: /logout for applications (RP-Initiated Logout 1.0), the question before it, and our own button."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.errors import OAuthError
from idp.flows import logout as flow
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.language import page_language
from idp.flows.logout import Out
from idp.oidc import metadata
from idp.oidc.params import once
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
    try:
        params = once(await pairs(request) if request.method == "POST" else query(request))
        if request.method == "POST" and not came_again(request):
            # A form on another site comes without our cookie (SameSite=Lax); what follows brings it along.
            packed = [(PACKED, flow.pack(idp, params))]
            return again(request, metadata.LOGOUT, packed, leads_to=flow.leads_to(idp, params))
        if PACKED in params:
            params = flow.unpack(idp, params[PACKED])
        found = await flow.begin(idp, params, visitor(request))
    except OAuthError as error:
        return _refused(request, error)
    except Unreadable as error:
        return trouble(request, Trouble.BAD_REQUEST, detail=str(error))
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


async def confirm(request: Request) -> Response:
    """POST /logout/confirm: the answer to the question."""
    form, idp = await own_form(request), idp_of(request)
    if form.get("decision") == "stay":
        return see_other(base_path(idp) + ACCOUNT_PATH)
    if form.get("decision") != "sign_out":
        return trouble(request, Trouble.BAD_REQUEST, detail="Neither sign_out nor stay was chosen.")
    try:
        return _out(request, await flow.confirmed(idp, flow.unpack(idp, form.get(PACKED)), visitor(request)))
    except OAuthError as error:
        return _refused(request, error)


async def sign_out(request: Request) -> Response:
    """POST /account/sign-out: the button of the account page."""
    await own_form(request)
    return _out(request, await flow.sign_out(idp_of(request), visitor(request)))


async def done(request: Request) -> Response:
    """GET /logout/done: says so, changes nothing."""
    shown = LoggedOut(sign_in=base_path(idp_of(request)) + ACCOUNT_PATH)
    return page(request, shown, ui_locales=ui_locales(query(request)))


def _out(request: Request, out: Out) -> Response:
    idp, who = idp_of(request), visitor(request)
    language = page_language(idp, who, ui_locales=out.ui_locales, person=out.account)
    # Nobody is known there any more, so the address says which language to go on in.
    told = "" if language == who.locale else f"?ui_locales={language.replace('_', '-')}"
    response = see_other(out.redirect_to or base_path(idp) + DONE_PATH + told)
    drop_cookie(response, idp)
    response.headers["Clear-Site-Data"] = CLEAR
    return response


def _refused(request: Request, error: OAuthError) -> Response:
    # RIL 2, 3: never a redirect to what is not registered, or on the word of a hint that is not ours
    kind = Trouble.BAD_REDIRECT_URI if "post_logout_redirect_uri" in error.description else Trouble.BAD_REQUEST
    return trouble(request, kind, detail=error.description)


ROUTES = [
    Route(metadata.LOGOUT, logout, methods=["GET", "POST"]),
    Route(CONFIRM_PATH, confirm, methods=["POST"]),
    Route(DONE_PATH, done, methods=["GET"]),
    Route(f"{ACCOUNT_PATH}/sign-out", sign_out, methods=["POST"]),
]
