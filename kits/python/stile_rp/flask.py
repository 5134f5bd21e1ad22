"""The kit in Flask: pages that people sign in to, actions that they confirm, and APIs that believe tokens."""

import functools
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ParamSpec
from urllib.parse import quote

import httpx
from flask import Flask, Response, current_app, g, jsonify, make_response, redirect, request, session
from flask.typing import ResponseReturnValue

from stile_rp import pages
from stile_rp.access import AccessToken, require
from stile_rp.answers import Declined
from stile_rp.claims import Person
from stile_rp.effects import Memory, Steps
from stile_rp.errors import Misconfigured, ProviderUnavailable, Refused, StepUpRequired, Untrusted
from stile_rp.kept import PATH, Details
from stile_rp.party import Clock, RelyingParty, local_clock
from stile_rp.settings import Settings
from stile_rp.site import LARGEST, Confirmed, Site, To

__all__ = ["AccessToken", "Auth", "Confirmed", "Declined", "Person", "Settings"]

P = ParamSpec("P")
log = logging.getLogger("stile_rp")


class Auth:
    """One application. Pages need Flask's `secret_key`. `page` writes what people see when signing in did not work."""

    def __init__(
        self,
        settings: Settings,
        app: Flask | None = None,
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
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add `/login`, `/callback`, `/logout`, `/signed-out` and `/backchannel-logout`, below the prefix."""
        prefix = self.settings.prefix
        name = f"stile_rp{prefix.replace('/', '.')}"  # two of them in one application have two prefixes
        app.add_url_rule(f"{prefix}/login", f"{name}.login", lambda: self.sign_in(then=request.args.get("then")))
        app.add_url_rule(f"{prefix}/callback", f"{name}.callback", self._callback)
        app.add_url_rule(f"{prefix}/logout", f"{name}.logout", self._logout, methods=["POST"])
        app.add_url_rule(f"{prefix}/signed-out", f"{name}.signed_out", lambda: self._answer(self._site.signed_out()))
        app.add_url_rule(f"{prefix}/backchannel-logout", f"{name}.back", self._back_channel, methods=["POST"])
        app.register_error_handler(StepUpRequired, self._step_up)

    def person(self) -> Person | None:
        """Who is signed in here."""
        return self.party.world.run(self._site.person(session))

    def signed_in(self, view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        """Only for people who are signed in; others sign in first, and come back if this was a GET."""

        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            if self.person() is None:
                return self.sign_in(then=_here() if request.method == "GET" else None)
            return _called(view, *args, **kwargs)

        return guarded

    def sign_in(self, *, then: str | None = None, **asked: Any) -> Response:  # noqa: ANN401
        """Off to the provider, and back to `then`; `asked` are other parameters of `RelyingParty.start`."""
        return self._off(self._site.sign_in(session, then=then, **asked))

    def confirm(
        self,
        *,
        action: str = "",
        details: Details = None,
        then: str,
        acr: Sequence[str] = (),
        max_age: timedelta | None = None,
        ui_locales: Sequence[str] = (),
    ) -> Response:
        """Have this action (its scope) or these details confirmed: off to the provider, and back to `then`."""
        steps = self._site.confirm(
            session, action=action, details=details, then=then, acr=acr, max_age=max_age, ui_locales=ui_locales
        )
        return self._off(steps)

    def confirmed(self, *, action: str = "", details: Details = None) -> Confirmed | Declined | None:
        """What came of `confirm` with this action and these details, for this very address: once, then None."""
        return self.party.world.run(self._site.confirmed(session, action=action, details=details, here=_here()))

    def access_token(self) -> str | None:
        """An access token of who is signed in (`keep_tokens`), refreshed if need be; None when that has ended."""
        return self.party.world.run(self._site.access_token(session))

    @property
    def token(self) -> AccessToken:
        """The access token of this request, in a view that requires one."""
        token: AccessToken = g.stile_rp_token
        return token

    def require(
        self,
        *scopes: str,
        acr: str | Sequence[str] = (),
        max_age: timedelta | None = None,
        session_ok: bool = False,
        details: str | None = None,
        once: bool | None = None,
    ) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
        """Only for requests whose access token has what is needed (see `stile_rp.require`); it is `auth.token`."""
        self.settings.api()
        need = require(*scopes, acr=acr, max_age=max_age, session_ok=session_ok, details=details, once=once)

        def decorator(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
            @functools.wraps(view)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
                try:
                    g.stile_rp_token = self.party.check(request.headers.get("Authorization", ""), need)
                except Refused as refused:
                    return jsonify(refused.body), refused.status, refused.headers
                except (ProviderUnavailable, Misconfigured) as error:
                    log.warning("an access token could not be checked: %s", error)
                    return jsonify(error="temporarily_unavailable"), 503, {"Retry-After": "10"}
                return _called(view, *args, **kwargs)

            return guarded

        return decorator

    def _callback(self) -> Response:
        answer = list(request.args.items(multi=True))
        return self._answer(self.party.world.run(self._site.callback(session, answer)))

    def _logout(self) -> Response:
        if not self._site.ours({name.lower(): value for name, value in request.headers.items()}):
            return make_response("This form was not sent from here.", 403)
        return self._answer(self.party.world.run(self._site.sign_out(session)))

    def _back_channel(self) -> Response:
        body = request.stream.read(LARGEST + 1)
        if len(body) > LARGEST:
            return _said("", 413)
        try:
            self.party.world.run(self._site.back_channel(body))
        except Untrusted as error:
            log.warning("a back-channel sign-out was not believed: %s", error)
            return _said("", 400)  # Back-Channel Logout 2.8
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("a back-channel sign-out could not be checked: %s", error)
            return _said("", 503)
        return _said("", 200)

    def _step_up(self, error: StepUpRequired) -> Response:
        return self._answer(self._site.step_up(session, error))

    def _off(self, steps: Steps[To]) -> Response:
        try:
            return self._answer(self.party.world.run(steps))
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("nobody can sign in: %s", error)
            return self._answer(pages.of_error(error, self.settings.login))

    def _answer(self, answer: To | pages.Problem) -> Response:
        if isinstance(answer, To):
            # Flask-Session has it: whoever knew the id of before knows nothing
            if answer.renew and (regenerate := getattr(current_app.session_interface, "regenerate", None)):
                regenerate(session)
            response = make_response(redirect(answer.url, 303))
            response.headers["Cache-Control"] = "no-store"
            return response
        return _said(self._page(answer), answer.status)


def _said(text: str, status: int) -> Response:
    response = make_response(text, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _called(view: Callable[P, ResponseReturnValue], *args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
    answer: ResponseReturnValue = current_app.ensure_sync(view)(*args, **kwargs)
    return answer


def _here() -> str:
    path = quote(f"{request.root_path}{request.path}", safe=PATH)
    return f"{path}?{request.query_string.decode('ascii', 'replace')}".rstrip("?")
