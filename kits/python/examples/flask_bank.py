"""A bank of three pages in Flask: sign in, ask for a transfer, confirm it. OIDC_ISSUER and the like say where."""

import os
import secrets

from flask import Flask, render_template_string, request, session
from flask.typing import ResponseReturnValue

from stile_rp.flask import Auth, Confirmed, Declined, Settings

PORT = int(os.environ.get("PORT", "3000"))
app = Flask(__name__)
app.secret_key = secrets.token_bytes()
app.config["SESSION_COOKIE_NAME"] = "bank"
auth = Auth(Settings.from_environ(), app)
sent: dict[str, str] = {}  # what became of each transfer
HOME = """<h1>Hello, {{ person.name }}</h1>
<form method="post" action="/transfers"><label>To <input name="payee"></label><button>Send €25</button></form>
<form method="post" action="/logout"><button>Sign out</button></form>"""


@app.get("/")
@auth.signed_in
def home() -> ResponseReturnValue:
    return render_template_string(HOME, person=auth.person())


@app.post("/transfers")
@auth.signed_in
def ask() -> ResponseReturnValue:
    number = secrets.token_urlsafe(8)
    session[number] = request.form["payee"]  # of this one: a second tab asks for another
    return auth.confirm(action="transfers:write", then=f"/transfers/{number}")


@app.get("/transfers/<number>")
def transfer(number: str) -> ResponseReturnValue:
    match auth.confirmed(action="transfers:write"):
        case Confirmed() as by:
            sent[number] = f"€25 sent to {session.pop(number)}, confirmed with {by.person.acr}"
        case Declined() as no:
            sent.setdefault(number, f"Nothing was sent. {no.description}")
    return render_template_string("<h1>{{ said }}</h1><a href='/'>Home</a>", said=sent.get(number, "Nothing was sent"))


if __name__ == "__main__":
    app.run(port=PORT)
