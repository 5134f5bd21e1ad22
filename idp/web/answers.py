"""Writing an answer: a page with its headers, a redirect, the way back to a client. Nothing is decided here."""

import math
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from idp.flows.idp import ACCOUNT_PATH, CONSOLE, OURS
from idp.flows.language import page_language
from idp.flows.people.console import offered_on
from idp.flows.people.rooms import CANCELLED_PATH, SIGN_IN_PATH
from idp.flows.signin.authorize import ToClient, ToInteraction
from idp.flows.signin.told import Told
from idp.model import Account, Client, ResponseMode
from idp.oidc import metadata
from idp.oidc.answer import MAX_LOCATION, redirect_url
from idp.oidc.redirects import home as leads_home
from idp.oidc.redirects import leads_on
from idp.web.approvals import out_of_reach
from idp.web.door import base_path, csrf, idp_of, set_cookie
from idp.web.door import visitor as read_visitor
from idp.web.pages import (
    FORM_POST_SCRIPT_HASH,
    PASSKEY_SCRIPT,
    Brand,
    ErrorPage,
    FormPost,
    Page,
    Trouble,
    page_headers,
    render,
)

BASE = "base"  # of the state of a request to another host, which comes to us
_AGAIN = "again"


def brand_of(request: Request) -> Brand:
    """The operator's name, colour and logo."""
    brand: Brand = request.app.state.brand
    return brand


def base_of(request: Request) -> str:
    """What the paths of a page's own parts begin with: of a page of ours on another host, below what leads to us."""
    elsewhere: str | None = request.scope.get("state", {}).get(BASE)
    return base_path(idp_of(request)) if elsewhere is None else elsewhere


def page(
    request: Request,
    shown: Page,
    *,
    status: int = 200,
    form_targets: Sequence[str] = (),
    script: str | None = None,
    retry_after: timedelta | None = None,
    ui_locales: Sequence[str] = (),
    person: Account | None = None,
    comes_back: bool = True,
    here: str | None = None,
) -> HTMLResponse:
    """A page for a person. `form_targets` are where a redirect after its forms may lead (a client's redirect URI).

    `script` is the source of the one script that the page may run; one that asks for a passkey has its own.
    `ui_locales` and `person`, as far as they are known, say which language it speaks: see `page_language`.
    It offers the others unless its path alone, or `here`, would not show it again (`comes_back`).
    """
    idp, visitor = idp_of(request), read_visitor(request)
    session_id = visitor.session_id
    html = render(
        shown,
        brand=brand_of(request),
        csrf=lambda action: csrf(idp, session_id, action),
        locale=page_language(idp, visitor, ui_locales=ui_locales, person=person),
        overrides=idp.settings.templates,
        base=base_of(request),
        here=(here or request.url.path) if comes_back else None,
    )
    if script is None and getattr(shown, "options", None):
        # CSP 3 6.7.2.8: an address without a query stands for exactly that file
        parts = urlsplit(idp.issuer)
        script = f"{parts.scheme}://{parts.netloc}{parts.path}/static/{PASSKEY_SCRIPT}"
    headers = page_headers(form_targets, script, secure=idp.settings.secure)
    if retry_after is not None:
        headers["Retry-After"] = seconds(retry_after)
    return HTMLResponse(html, status, headers)


def seconds(span: timedelta) -> str:
    """A Retry-After value: whole seconds, rounded up, so that it is honest."""
    return str(max(1, math.ceil(span.total_seconds())))


def trouble(
    request: Request,
    kind: Trouble,
    *,
    detail: str | None = None,
    retry: timedelta | None = None,
    ui_locales: Sequence[str] = (),
    person: Account | None = None,
    sign_out: str | None = None,
    again: str | None = None,
    client: Client | None = None,
) -> HTMLResponse:
    """An error page. `again` leads to the beginning of what went wrong, and there is always a way to the account page.

    `client` is the application that sent the person here, as far as anybody knows.
    """
    request_id = request.scope.get("state", {}).get("request_id")
    base = base_path(idp_of(request))
    paused = request.path_params.get("id") if request.url.path.startswith(f"{base}/i/") else None
    if again is None and paused is not None and request.method == "POST":
        # What this browser can see no more starts again in one press, as a page of it would only say.
        again = f"{base}/i/{paused}/again" if kind is Trouble.SIGNED_OUT else f"{base}/i/{paused}"
    for asked in (base + metadata.AUTHORIZE, base + SIGN_IN_PATH):
        if again is None and request.url.path.startswith(f"{asked}/") and request.method == "POST":
            again = f"{asked}?{request.url.query}"
    return page(
        request,
        ErrorPage(
            trouble=kind,
            request_id=request_id,
            detail=detail,
            retry=retry,
            sign_out=sign_out,
            home=(idp_of(request).issuer if base_of(request) != base else base) + ACCOUNT_PATH,
            again=again,
            client_name=client.name if client else None,
            back=leads_home(client.redirect_uris) if client else None,
        ),
        status=kind.status,
        retry_after=retry,
        ui_locales=ui_locales,
        person=person,
        comes_back=False,
    )


def see_other(location: str) -> RedirectResponse:
    """303: whatever was posted, the browser follows with a GET (RFC 9700 4.12)."""
    return RedirectResponse(location, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def again(
    request: Request,
    path: str,
    given: Sequence[tuple[str, str]],
    *,
    leads_to: Sequence[str] = (),
    ui_locales: Sequence[str] = (),
) -> Response:
    """Have the browser send again, as from a page of ours and so with our cookies, what another site had it post.

    By GET; what is too long for an address, by a form, which `came_again` then knows. `leads_to` are the
    `form_targets` of that.
    """
    address = base_path(idp_of(request)) + path
    location = f"{address}?{urlencode(list(given))}"
    if len(location) <= MAX_LOCATION:
        return see_other(location)
    if "sec-fetch-site" not in request.headers:
        # We could not tell the second from the first.
        return trouble(request, Trouble.TOO_LARGE, ui_locales=ui_locales)
    shown = FormPost(redirect_uri=f"{address}?{_AGAIN}", fields=tuple(given), ours=True)
    return page(request, shown, form_targets=leads_to, script=f"'{FORM_POST_SCRIPT_HASH}'", ui_locales=ui_locales)


def came_again(request: Request) -> bool:
    """Whether this was posted by the form of `again`, with every cookie there is."""
    return request.url.query == _AGAIN and request.headers.get("sec-fetch-site") == "same-origin"


def to_client(request: Request, answer: ToClient) -> Response:
    """The answer on its way to the client: by redirect, or by a form that sends itself (Form Post 2)."""
    return _with_cookies(request, answer, _to_client(request, answer))


def _to_client(request: Request, answer: ToClient) -> Response:
    wanted = answer.request
    if wanted.client_id in OURS:
        # Back to the room would ask again what the person just declined.
        declined = ("error", "access_denied") in answer.parameters
        back = offered_on(wanted.redirect_uri) or CANCELLED_PATH
        if back == CANCELLED_PATH and wanted.client_id == CONSOLE:
            back += f"?{urlencode({'to': wanted.redirect_uri.partition('?')[0]})}"
        return see_other(base_path(idp_of(request)) + (back if declined else wanted.redirect_uri))
    if wanted.response_mode is ResponseMode.FORM_POST:
        client = idp_of(request).client(wanted.client_id)
        return form_post(request, wanted.redirect_uri, answer.parameters, client=client, ui_locales=wanted.ui_locales)
    return see_other(redirect_url(wanted.redirect_uri, answer.parameters))


def form_post(
    request: Request,
    redirect_uri: str,
    parameters: Sequence[tuple[str, str]],
    *,
    client: Client | None = None,
    ui_locales: Sequence[str] = (),
) -> Response:
    """The page that posts the answer to the client."""
    name, registered = (client.name, client.redirect_uris) if client else (None, ())
    return page(
        request,
        FormPost(redirect_uri=redirect_uri, fields=tuple(parameters), client_name=name),
        form_targets=leads_on(redirect_uri, registered),
        script=f"'{FORM_POST_SCRIPT_HASH}'",
        ui_locales=ui_locales,
    )


def to_interaction(request: Request, answer: ToInteraction) -> Response:
    """On to the page that asks, with a new session cookie if there is one."""
    idp = idp_of(request)
    chosen = "" if answer.factor is None else f"/{answer.factor.value}"
    return _with_cookies(request, answer, see_other(f"{base_path(idp)}/i/{answer.interaction_id}{chosen}"))


def with_token(request: Request, token: str | None, response: Response) -> Response:
    """An answer that sets this session cookie, if there is a new one."""
    if token is not None:
        set_cookie(response, idp_of(request), token)
    return response


def _with_cookies(request: Request, answer: ToInteraction | ToClient, response: Response) -> Response:
    idp = idp_of(request)
    with_token(request, answer.token, response)
    if answer.device is not None:
        set_cookie(response, idp, answer.device, kind="-device", life=idp.policy.sessions.known)
    return response


def told(request: Request, beyond: Told) -> HTMLResponse:
    """The page for who cannot approve what is asked of them."""
    client, asked = beyond.client, beyond.request
    return page(
        request,
        out_of_reach(beyond, base=base_path(idp_of(request))),
        status=403,
        form_targets=leads_on(asked.redirect_uri, client.redirect_uris),
        ui_locales=asked.ui_locales,
        person=beyond.account,
        here=f"{base_path(idp_of(request))}/i/{beyond.interaction_id}",
    )
