"""The form for the password, the same of a stored request and of one whose own address shows it."""

from dataclasses import replace
from typing import Protocol
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from idp import metrics
from idp.factors import password as passwords
from idp.factors import strength
from idp.flows.people.account import Weak
from idp.flows.people.forgotten import FORGOT_PATH
from idp.flows.signin import alone, login, outcomes
from idp.flows.signin.authorize import Gone, Show, ToClient, ToInteraction, Unstored
from idp.model import Factor
from idp.policy import Kind
from idp.web.answers import page, see_other, to_client, to_interaction, with_token
from idp.web.asking import leads_to, sign_in
from idp.web.door import Form, base_path, idp_of, meet, visitor
from idp.web.notes import Note, after, extra_of, note_of, see
from idp.web.pages import Problem

_UNFIT = {
    strength.Problem.TOO_SHORT: Problem.PASSWORD_SHORT,
    strength.Problem.TOO_LONG: Problem.PASSWORD_LONG,
    strength.Problem.UNREADABLE: Problem.PASSWORD_UNREADABLE,
}


class Answered(Protocol):
    """What answers a form of the page: `typed` or `with_passkey`."""

    async def __call__(self, request: Request, form: Form, asked: UUID | Unstored, *, here: str) -> Response:
        """Answer it."""
        ...


def ask(request: Request, show: Show, here: str, written: str) -> Response:
    """The page at the address of the request itself: `here` with what is `written` there. Nothing is stored."""
    idp = idp_of(request)
    if show.token is not None:
        meet(request, show.token)
    asked = f"?{written}"
    note = note_of(request, about=Kind.PASSWORD.value, path=here + asked)
    extra = replace(
        extra_of(note, now=idp.clock.now()), options=alone.options(idp, visitor(request), written, show.loaded.session)
    )
    response = page(
        request,
        sign_in(show, idp.policy, here, extra, asked=asked, forgot=base_path(idp) + FORGOT_PATH),
        status=note.status,
        form_targets=leads_to(show),
        retry_after=extra.wait if note.status == 429 else None,
        ui_locales=show.interaction.request.ui_locales,
        person=show.facts.account,
        here=here + asked,
    )
    return with_token(request, show.token, response)


async def typed(request: Request, form: Form, asked: UUID | Unstored, *, here: str) -> Response:
    """The form, sent. `here` is the page it was on, which says what was wrong."""
    idp = idp_of(request)
    username, typed = form.get("username"), passwords.parse(form.get("password"))
    again = Note(400, Kind.PASSWORD.value, typed=username[:254])
    if not username.strip() or typed is None or len(username) > 254:
        problems = [] if username.strip() else [Problem.USERNAME_MISSING]
        problems += [] if form.get("password") else [Problem.PASSWORD_MISSING]
        return see(request, here, replace(again, problems=tuple(problems) or (Problem.SIGN_IN_WRONG,)))
    saved = form.get("recovery_code")
    outcome = await login.password(idp, asked, visitor(request), username=username, typed=typed, saved=saved)
    count(Factor.PASSWORD, outcome)
    match outcome:
        case ToInteraction() as onward:
            return to_interaction(request, onward)
        case login.WrongPassword():
            problem = Problem.SIGN_IN_WRONG_HERE if saved else Problem.SIGN_IN_WRONG
            return see(request, here, replace(again, problems=(problem,)))
        case login.Wait(retry_after, strange):
            problem = Problem.SIGN_IN_WAIT_HERE if strange else Problem.SIGN_IN_WAIT
            return see(request, here, replace(again, status=429, problems=(problem,), until=after(idp, retry_after)))
        case Gone():
            # There the request begins again, or is asked for in a session that this browser may use.
            return see_other(here)


def unfit(weak: Weak) -> tuple[Problem, ...]:
    """Why a password cannot be the new one."""
    if weak.same:
        return (Problem.PASSWORD_SAME,)
    return tuple(dict.fromkeys(_UNFIT.get(each, Problem.PASSWORD_COMMON) for each in weak.problems))


async def with_passkey(request: Request, form: Form, asked: UUID | Unstored, *, here: str) -> Response:
    """The form of a passkey that does instead of a password, sent. `here` is the page it was on."""
    idp = idp_of(request)
    outcome = await alone.passkey(idp, asked, visitor(request), answer=form.get("code"))
    count(Factor.PASSKEY, outcome)
    again = Note(400, Kind.PASSWORD.value)
    match outcome:
        case ToInteraction() as onward:
            return to_interaction(request, onward)
        case ToClient() as done:
            return to_client(request, done)
        case alone.NotAccepted(empty, old, behind, barred):
            words = (
                (empty, Problem.PASSKEY_MISSING),
                (barred, Problem.PASSKEY_BARRED),
                (behind, Problem.PASSKEY_BEHIND),
                (old, Problem.PASSKEY_OLD),
                (True, Problem.PASSKEY_WRONG),
            )
            problem = next(problem for so, problem in words if so)
            return see(request, here, replace(again, problems=(problem,)))
        case alone.Wait(retry_after):
            until = after(idp, retry_after)
            return see(request, here, replace(again, status=429, problems=(Problem.SIGN_IN_WAIT,), until=until))
        case Gone():
            return see_other(here)


def count(factor: Factor, outcome: object) -> None:
    """For the figures: how an answer to this factor was judged."""
    match outcome:
        case ToInteraction(token=str()) | ToClient(token=str()):
            metrics.observe_factor(factor, "verified")
        case login.WrongPassword() | alone.NotAccepted() | outcomes.WrongCode() | outcomes.DeadCode():
            metrics.observe_factor(factor, "refused")
        case login.Wait() | alone.Wait() | outcomes.Paused():
            metrics.observe_factor(factor, "waited")
