"""A bank of three pages in Starlette: sign in, ask for a transfer, confirm it. OIDC_ISSUER and the like say where."""

import os
import secrets
from html import escape

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from stile_rp import Settings
from stile_rp.starlette import Auth, Confirmed, Declined

PORT = int(os.environ.get("PORT", "3000"))
auth = Auth(Settings.from_environ())
sent: dict[str, str] = {}  # what became of each transfer
FORM = '<form method="post" action="/transfers"><label>To <input name="payee"></label><button>Send €25</button></form>'
OUT = '<form method="post" action="/logout"><button>Sign out</button></form>'


async def home(request: Request) -> Response:
    person = await auth.signed_in(request)
    return HTMLResponse(f"<h1>Hello, {escape(person.name or person.subject)}</h1>{FORM}{OUT}")


async def ask(request: Request) -> Response:
    await auth.signed_in(request)
    then = f"/transfers/{secrets.token_urlsafe(8)}"
    request.session[then] = str((await request.form())["payee"])  # of this one: a second tab asks for another
    return await auth.confirm(request, action="transfers:write", then=then)


async def transfer(request: Request) -> Response:
    here = request.url.path
    match await auth.confirmed(request, action="transfers:write"):
        case Confirmed() as by:
            sent[here] = f"€25 sent to {request.session.pop(here)}, confirmed with {by.person.acr}"
        case Declined() as no:
            sent.setdefault(here, f"Nothing was sent. {no.description}")
    return HTMLResponse(f"<h1>{escape(sent.get(here, 'Nothing was sent'))}</h1><a href='/'>Home</a>")


routes = [*auth.routes, Route("/", home), Route("/transfers", ask, methods=["POST"])]
session = Middleware(SessionMiddleware, secret_key=secrets.token_hex(), session_cookie="bank")
app = Starlette(routes=[*routes, Route("/transfers/{number}", transfer)], middleware=[session])

if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning")
