"""The kit in Django: pages that people sign in to, actions that they confirm, and APIs that believe tokens.

For plain views; Django runs them in threads where it is served by ASGI. Sessions are Django's, whichever engine.
"""

import functools
import inspect
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeAlias

import httpx
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import rotate_token
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from stile_rp import pages
from stile_rp.access import AccessToken, require
from stile_rp.answers import Declined
from stile_rp.claims import Person
from stile_rp.effects import Memory, Steps
from stile_rp.errors import Misconfigured, ProviderUnavailable, Refused, StepUpRequired, Untrusted
from stile_rp.kept import Details, Session
from stile_rp.party import Clock, RelyingParty, local_clock
from stile_rp.settings import Settings
from stile_rp.site import LARGEST, Confirmed, Site, To

__all__ = ["AccessToken", "Auth", "Confirmed", "Declined", "Person", "Settings"]

P = ParamSpec("P")
View: TypeAlias = Callable[Concatenate[HttpRequest, P], HttpResponse]
log = logging.getLogger("stile_rp")


class Auth:
    """One application. Pages need `SessionMiddleware`. `page` writes what people see when signing in did not work."""

    def __init__(
        self,
        settings: Settings,
        *,
        http: Callable[[], httpx.Client] | None = None,
        memory: Memory | None = None,
        page: Callable[[pages.Problem], str] = pages.html,
        clock: Clock = local_clock,
    ) -> None:
        self.party = RelyingParty(settings, http=http, memory=memory, clock=clock)
        self.settings = settings
        self._site = Site(self.party.steps)
        self._page = page

    @property
    def urls(self) -> list[URLPattern]:
        """`/login`, `/callback`, `/logout` (POST), `/signed-out` and `/backchannel-logout` (POST), below the prefix."""
        at = f"{self.settings.prefix}/".removeprefix("/")
        return [
            path(f"{at}login", lambda request: self.sign_in(request, then=request.GET.get("then"))),
            path(f"{at}callback", self._callback),
            path(f"{at}logout", require_POST(self._logout)),
            path(f"{at}signed-out", lambda request: self._answer(request, self._site.signed_out())),
            path(f"{at}backchannel-logout", csrf_exempt(require_POST(self._back_channel))),
        ]

    def person(self, request: HttpRequest) -> Person | None:
        """Who is signed in here."""
        return self.party.world.run(self._site.person(_session(request)))

    def signed_in(self, view: View[P]) -> View[P]:
        """Only for people who are signed in (`request.person`); others sign in first, and come back after a GET."""
        _plain(view)

        @functools.wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            request.person = self.person(request)
            if request.person is None:
                return self.sign_in(request, then=request.get_full_path() if request.method == "GET" else None)
            return view(request, *args, **kwargs)

        return guarded

    def sign_in(self, request: HttpRequest, *, then: str | None = None, **asked: Any) -> HttpResponse:  # noqa: ANN401
        """Off to the provider, and back to `then`; `asked` are other parameters of `RelyingParty.start`."""
        return self._off(request, self._site.sign_in(_session(request), then=then, **asked))

    def confirm(
        self,
        request: HttpRequest,
        *,
        action: str = "",
        details: Details = None,
        then: str,
        acr: Sequence[str] = (),
        max_age: timedelta | None = None,
        ui_locales: Sequence[str] = (),
    ) -> HttpResponse:
        """Have this action (its scope) or these details confirmed: off to the provider, and back to `then`."""
        session = _session(request)
        steps = self._site.confirm(
            session, action=action, details=details, then=then, acr=acr, max_age=max_age, ui_locales=ui_locales
        )
        return self._off(request, steps)

    def confirmed(
        self, request: HttpRequest, *, action: str = "", details: Details = None
    ) -> Confirmed | Declined | None:
        """What came of `confirm` with this action and these details, for this very address: once, then None."""
        session, here = _session(request), request.get_full_path()
        return self.party.world.run(self._site.confirmed(session, action=action, details=details, here=here))

    def access_token(self, request: HttpRequest) -> str | None:
        """An access token of who is signed in (`keep_tokens`), refreshed if need be; None when that has ended."""
        return self.party.world.run(self._site.access_token(_session(request)))

    def require(
        self,
        *scopes: str,
        acr: str | Sequence[str] = (),
        max_age: timedelta | None = None,
        session_ok: bool = False,
        details: str | None = None,
        once: bool | None = None,
    ) -> Callable[[View[P]], View[P]]:
        """Only for requests whose access token has what is needed (see `stile_rp.require`): `request.access_token`.

        Such a view needs no CSRF token: a bearer token is nothing that a browser sends by itself.
        """
        self.settings.api()
        need = require(*scopes, acr=acr, max_age=max_age, session_ok=session_ok, details=details, once=once)

        def decorator(view: View[P]) -> View[P]:
            _plain(view)

            @functools.wraps(view)
            def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
                try:
                    request.access_token = self.party.check(request.headers.get("Authorization", ""), need)
                except Refused as refused:
                    return JsonResponse(refused.body, status=refused.status, headers=refused.headers)
                except (ProviderUnavailable, Misconfigured) as error:
                    log.warning("an access token could not be checked: %s", error)
                    return JsonResponse({"error": "temporarily_unavailable"}, status=503, headers={"Retry-After": "10"})
                return view(request, *args, **kwargs)

            exempt: View[P] = csrf_exempt(guarded)
            return exempt

        return decorator

    def step_up(self, request: HttpRequest, error: StepUpRequired) -> HttpResponse:
        """Send the browser where an API's `StepUpRequired` says."""
        return self._answer(request, self._site.step_up(_session(request), error))

    def _callback(self, request: HttpRequest) -> HttpResponse:
        answer = [(name, value) for name, values in request.GET.lists() for value in values]
        return self._answer(request, self.party.world.run(self._site.callback(_session(request), answer)))

    def _logout(self, request: HttpRequest) -> HttpResponse:
        if not self._site.ours({name.lower(): value for name, value in request.headers.items()}):
            return HttpResponse("This form was not sent from here.", status=403)
        return self._answer(request, self.party.world.run(self._site.sign_out(_session(request))))

    def _back_channel(self, request: HttpRequest) -> HttpResponse:
        body = request.read(LARGEST + 1)
        if len(body) > LARGEST:
            return HttpResponse(status=413)
        try:
            self.party.world.run(self._site.back_channel(body))
        except Untrusted as error:
            log.warning("a back-channel sign-out was not believed: %s", error)
            return HttpResponse(status=400, headers={"Cache-Control": "no-store"})  # Back-Channel Logout 2.8
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("a back-channel sign-out could not be checked: %s", error)
            return HttpResponse(status=503, headers={"Cache-Control": "no-store"})
        return HttpResponse(status=200, headers={"Cache-Control": "no-store"})

    def _off(self, request: HttpRequest, steps: Steps[To]) -> HttpResponse:
        try:
            return self._answer(request, self.party.world.run(steps))
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("nobody can sign in: %s", error)
            return self._answer(request, pages.of_error(error, self.settings.login))

    def _answer(self, request: HttpRequest, answer: To | pages.Problem) -> HttpResponse:
        headers = {"Cache-Control": "no-store"}
        if not isinstance(answer, To):
            return HttpResponse(self._page(answer), status=answer.status, headers=headers)
        if answer.renew:
            request.session.cycle_key()
            rotate_token(request)  # of forms: whoever knew the old one knows nothing
        return HttpResponseRedirect(answer.url, headers=headers, status=303)


def _session(request: HttpRequest) -> Session:
    if not hasattr(request, "session"):
        raise Misconfigured("people cannot stay signed in: add django.contrib.sessions.middleware.SessionMiddleware")
    session: Session = request.session
    return session


def _plain(view: Callable[..., Any]) -> None:
    if inspect.iscoroutinefunction(view):
        raise Misconfigured(f"{view.__name__} is asynchronous: make it a plain view, which Django runs in a thread")
