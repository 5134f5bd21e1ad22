"""A bank of three pages in Django: sign in, ask for a transfer, confirm it. OIDC_ISSUER and the like say where."""

import os
import secrets
from wsgiref.simple_server import make_server

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

PORT = int(os.environ.get("PORT", "3000"))
settings.configure(
    SECRET_KEY=secrets.token_hex(),
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    SESSION_COOKIE_NAME="bank",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
application = get_wsgi_application()
from stile_rp.django import Auth, Confirmed, Declined, Settings  # noqa: E402 - Django is set up first

auth = Auth(Settings.from_environ())
sent: dict[str, str] = {}  # what became of each transfer
HOME = """<h1>Hello, {{ person.name }}</h1><form method="post" action="/transfers">{% csrf_token %}
<label>To <input name="payee"></label><button>Send €25</button></form>
<form method="post" action="/logout">{% csrf_token %}<button>Sign out</button></form>"""


@auth.signed_in
def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(HOME).render({"person": request.person}, request))


@auth.signed_in
def ask(request: HttpRequest) -> HttpResponse:
    number = secrets.token_urlsafe(8)
    request.session[number] = request.POST["payee"]  # of this one: a second tab asks for another
    return auth.confirm(request, action="transfers:write", then=f"/transfers/{number}")


def transfer(request: HttpRequest, number: str) -> HttpResponse:
    match auth.confirmed(request, action="transfers:write"):
        case Confirmed() as by:
            sent[number] = f"€25 sent to {request.session.pop(number)}, confirmed with {by.person.acr}"
        case Declined() as no:
            sent.setdefault(number, f"Nothing was sent. {no.description}")
    page = engines["django"].from_string("<h1>{{ said }}</h1><a href='/'>Home</a>")
    return HttpResponse(page.render({"said": sent.get(number, "Nothing was sent")}))


urlpatterns = [*auth.urls, path("", home), path("transfers", ask), path("transfers/<number>", transfer)]
if __name__ == "__main__":
    make_server("localhost", PORT, application).serve_forever()
