"""A bank in FastAPI: people confirm payee and amount at the provider, and the API does what their token says."""

import os
import secrets
from html import escape
from typing import Annotated

import httpx
import uvicorn
from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, Response
from starlette.middleware.sessions import SessionMiddleware

from stile_rp import BearerAuth
from stile_rp.fastapi import AccessToken, Auth, Confirmed, Declined, Person, Settings

auth = Auth(Settings.from_environ())
API = f"{auth.settings.base_url}/api/transfers"
app = FastAPI()
app.include_router(auth.router)
app.add_middleware(SessionMiddleware, secret_key=secrets.token_hex(), session_cookie="bank")
sent: dict[str, str] = {}  # what became of each transfer
FORM = '<form method="post" action="/transfers"><label>To <input name="payee"></label><button>Send €25</button></form>'
OUT = '<form method="post" action="/logout"><button>Sign out</button></form>'


@app.post("/api/transfers")
async def move(token: Annotated[AccessToken, Depends(auth.require(details="payment"))]) -> dict[str, str]:
    payment = token.details[0]  # what the person saw, whatever else a request may say
    return {"said": f"€{payment['amount']['amount']} sent to {payment['payee']}, confirmed with {token.acr}"}


@app.get("/")
async def home(person: Annotated[Person, Depends(auth.signed_in)]) -> HTMLResponse:
    return HTMLResponse(f"<h1>Hello, {escape(person.name or person.subject)}</h1>{FORM}{OUT}")


@app.post("/transfers", dependencies=[Depends(auth.signed_in)])
async def ask(request: Request, payee: Annotated[str, Form()]) -> Response:
    number, euros = secrets.token_urlsafe(8), {"amount": "25.00", "currency": "EUR"}
    payment = {"type": "payment", "amount": euros, "payee": payee}
    request.session[number] = payment  # of this one: a second tab asks for another
    return await auth.confirm(request, details=payment, then=f"/transfers/{number}")


@app.get("/transfers/{number}")
async def transfer(request: Request, number: str) -> Response:
    match await auth.confirmed(request, details=request.session.get(number)):
        case Confirmed() as by:
            async with httpx.AsyncClient(auth=BearerAuth(auth.party, by.access_token)) as api:
                sent[number] = (await api.post(API)).raise_for_status().json()["said"]
        case Declined() as no:
            sent.setdefault(number, f"Nothing was sent. {no.description}")
    return HTMLResponse(f"<h1>{escape(sent.get(number, 'Nothing was sent'))}</h1><a href='/'>Home</a>")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "3000")), log_level="warning")
