"""A bank in FastAPI: pages where people confirm a transfer, and the API that believes the token they get for it."""

import os
import secrets
from html import escape
from typing import Annotated

import httpx
import uvicorn
from fastapi import Body, Depends, FastAPI, Form, Request
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
async def move(
    token: Annotated[AccessToken, Depends(auth.require("transfers:write", once=True))],
    payee: Annotated[str, Body(embed=True)],
) -> dict[str, str]:
    return {"said": f"€25 sent to {payee}, confirmed with {token.acr}"}


@app.get("/")
async def home(person: Annotated[Person, Depends(auth.signed_in)]) -> HTMLResponse:
    return HTMLResponse(f"<h1>Hello, {escape(person.name or person.subject)}</h1>{FORM}{OUT}")


@app.post("/transfers", dependencies=[Depends(auth.signed_in)])
async def ask(request: Request, payee: Annotated[str, Form()]) -> Response:
    request.session["payee"] = payee
    return await auth.confirm(request, action="transfers:write", then=f"/transfers/{secrets.token_urlsafe(8)}")


@app.get("/transfers/{number}")
async def transfer(request: Request, number: str) -> Response:
    match await auth.confirmed(request, action="transfers:write"):
        case Confirmed() as by:
            async with httpx.AsyncClient(auth=BearerAuth(auth.party, by.access_token)) as api:
                answer = await api.post(API, json={"payee": request.session["payee"]})
            sent[number] = answer.raise_for_status().json()["said"]
        case Declined() as no:
            sent[number] = f"Nothing was sent. {no.description}"
    return HTMLResponse(f"<h1>{escape(sent.get(number, 'Nothing was sent'))}</h1><a href='/'>Home</a>")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "3000")), log_level="warning")
