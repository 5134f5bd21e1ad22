"""The pages of a paused request: GET shows what is asked now, POST answers it and goes back to asking."""

from dataclasses import replace
from uuid import UUID

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.delivery import deliver
from idp.flows.idp import Idp
from idp.flows.people import temporary
from idp.flows.people.account import Weak
from idp.flows.people.rooms import TooOften
from idp.flows.signin import alone, authorize, challenge, choices, outcomes
from idp.flows.signin.authorize import Gone, Show, ToClient, ToInteraction
from idp.flows.signin.destinations import next_send
from idp.flows.signin.questions import waiting
from idp.flows.signin.signed import second_options
from idp.flows.signin.told import Told
from idp.model import SECOND, SENT, Factor
from idp.policy import Kind
from idp.sms import Channel
from idp.web import password_form
from idp.web.answers import page, to_client, to_interaction, told
from idp.web.asking import NOTHING, WORDS, Extra, asked, destination_of, leads_to, page_for
from idp.web.door import base_path, idp_of, own_form, visitor
from idp.web.notes import ANYTHING, Note, after, extra_of, note_of, see
from idp.web.pages import Delivery, Problem
from idp.web.password_form import count, unfit
from idp.web.restart import again, gone


async def shown(
    request: Request,
    show: Show,
    *,
    factor: Factor | None = None,
    extra: Extra = NOTHING,
    status: int = 200,
    here: str | None = None,
) -> Response:
    """The page of a question, with what else the person needs to know to answer it; `here` is its address."""
    idp = idp_of(request)
    to = destination_of(idp, show, factor)
    if to is not None:
        coming = await next_send(idp, visitor(request), to, show.loaded.device)
        extra = replace(
            extra,
            to=to,
            resend_in=coming.wait,
            last_for=coming.then if coming.then > idp.policy.challenge.ttl else None,
            delivery=await _delivery(request, show, to.factor),
        )
    if show.ask.kind is Kind.SECOND_FACTOR and asked(show, factor) is Factor.PASSKEY:
        extra = replace(extra, options=second_options(idp, show))
    elif show.ask.kind is Kind.PASSWORD:
        asks = alone.options(idp, visitor(request), str(show.interaction.id), show.loaded.session)
        extra = replace(extra, options=asks)
    return page(
        request,
        page_for(show, idp.policy, base=base_path(idp), factor=factor, extra=extra),
        status=status,
        form_targets=leads_to(show),
        retry_after=extra.wait if status == 429 else None,
        ui_locales=show.interaction.request.ui_locales,
        person=show.facts.account,
        here=here,
    )


async def _delivery(request: Request, show: Show, factor: Factor) -> Delivery:
    idp = idp_of(request)
    challenge = waiting(show, factor, idp.policy)
    found = None if challenge is None else await deliver.delivery_of(idp, challenge.interaction_id, Channel(factor))
    return Delivery.UNKNOWN if found is None else Delivery(found)


async def show(request: Request) -> Response:
    """GET /i/{id} and /i/{id}/{factor}: decide again; ask, or answer the client."""
    interaction_id: UUID = request.path_params["id"]
    match await authorize.resume(idp_of(request), interaction_id, visitor(request)):
        case Show() as asked:
            chosen = request.path_params.get("factor")
            factor = Factor(chosen) if chosen else None
            note = note_of(request, about=chosen or asked.ask.kind.value)
            extra = extra_of(note, now=idp_of(request).clock.now())
            return await shown(request, asked, factor=factor, extra=extra, status=note.status)
        case ToClient() as done:
            return to_client(request, done)
        case Told() as beyond:
            return told(request, beyond)
        case Gone():
            return await gone(request, interaction_id)


async def password(request: Request) -> Response:
    """POST /i/{id}/password."""
    interaction_id: UUID = request.path_params["id"]
    form = await own_form(request)
    return await password_form.typed(request, form, interaction_id, here=_here(request, interaction_id))


async def with_passkey(request: Request) -> Response:
    """POST /i/{id}/with-passkey."""
    interaction_id: UUID = request.path_params["id"]
    form = await own_form(request)
    return await password_form.with_passkey(request, form, interaction_id, here=_here(request, interaction_id))


def _here(request: Request, interaction_id: UUID, factor: Factor | None = None) -> str:
    return f"{base_path(idp_of(request))}/i/{interaction_id}" + ("" if factor is None else f"/{factor.value}")


async def code(request: Request) -> Response:
    """POST /i/{id}/{factor}: the answer to a second factor."""
    return await _second_factor(request, send=False)


async def send(request: Request) -> Response:
    """POST /i/{id}/{factor}/send: ask for a code, or the same one again."""
    return await _second_factor(request, send=True)


async def _second_factor(request: Request, *, send: bool) -> Response:
    interaction_id: UUID = request.path_params["id"]
    idp, who, factor = idp_of(request), visitor(request), Factor(request.path_params["factor"])
    form = await own_form(request)
    if send:
        outcome = await challenge.send(idp, interaction_id, who, factor, phone_id=_phone(form.get("phone")))
    else:
        outcome = await challenge.answer(
            idp, interaction_id, who, factor, form.get("code"), approves=form.get("approves"), ticked=form.scopes
        )
        count(factor, outcome)
    match outcome:
        case ToInteraction() as further:
            return to_interaction(request, further)
        case ToClient() as done:
            return to_client(request, done)
        case outcomes.NotOffered():
            return elsewhere(request, interaction_id)
        case Gone():
            return to_interaction(request, ToInteraction(interaction_id))
        case refused:
            note = replace(_note(idp, refused), about=factor.value)
            return see(request, _here(request, interaction_id, factor), note)


def _phone(posted: str) -> UUID | None:
    """Which of several phones; whose it is, the flow sees."""
    try:
        return UUID(posted)
    except ValueError:
        return None


def elsewhere(request: Request, interaction_id: UUID) -> Response:
    """The form is not that of what is asked now: the page is older than something else that was done."""
    return see(request, _here(request, interaction_id), Note(400, ANYTHING, (Problem.FORM_OLD,)))


def _note(idp: Idp, refused: outcomes.Malformed | outcomes.WrongCode | outcomes.DeadCode | outcomes.Paused) -> Note:
    """What a refused code means on the page, and its status."""
    match refused:
        case outcomes.Malformed(factor=factor, empty=True):
            return Note(400, problems=(WORDS[factor].missing,))
        case outcomes.Malformed(factor=factor):
            return Note(400, problems=(WORDS[factor].malformed,))
        case outcomes.WrongCode(attempts_left=0, factor=factor) if factor in SENT:
            return Note(400, problems=(Problem.CODE_DEAD,), tries_left=0)
        case outcomes.WrongCode(behind=True):
            return Note(400, problems=(Problem.PASSKEY_BEHIND,))
        case outcomes.WrongCode(used=True, attempts_left=left):
            return Note(400, problems=(Problem.CODE_USED,), tries_left=left)
        case outcomes.WrongCode(factor=factor, attempts_left=left):
            return Note(400, problems=(WORDS[factor].wrong,), tries_left=left)
        case outcomes.DeadCode(factor=factor):
            # Of what nobody sends, the page itself says that no tries are left.
            return Note(400, problems=(Problem.CODE_EXPIRED,) if factor in SENT else ())
        case outcomes.Paused(retry_after=None):
            # No Retry-After: waiting does not help
            return Note(429, problems=(Problem.CODE_CLOSED,))
        case outcomes.Paused(retry_after=wait, sending=sending):
            problem = Problem.RESEND_WAIT if sending else Problem.CODE_WAIT
            return Note(429, problems=(problem,), until=after(idp, wait))


async def consent(request: Request) -> Response:
    """POST /i/{id}/consent."""
    interaction_id: UUID = request.path_params["id"]
    form = await own_form(request)
    if form.get("decision") not in {"allow", "deny"}:
        return elsewhere(request, interaction_id)
    return onward(
        request,
        interaction_id,
        await choices.consent(
            idp_of(request),
            interaction_id,
            visitor(request),
            allow=form.get("decision") == "allow",
            ticked=form.scopes,
        ),
    )


async def new_password(request: Request) -> Response:
    """POST /i/{id}/new-password: one of the person's own in place of the one that an operator gave."""
    interaction_id: UUID = request.path_params["id"]
    form, idp = await own_form(request), idp_of(request)
    new, here, about = form.get("password"), _here(request, interaction_id), Kind.NEW_PASSWORD.value
    if not new or new != form.get("repeat"):
        problem = Problem.PASSWORD_REPEAT if new else Problem.NEW_PASSWORD_MISSING
        return see(request, here, Note(400, about, (problem,)))
    match await temporary.choose(idp, interaction_id, visitor(request), new=new):
        case Weak() as weak:
            return see(request, here, Note(400, about, unfit(weak)))
        case TooOften(retry_after):
            return see(request, here, Note(429, about, (Problem.CHANGES_WAIT,), until=after(idp, retry_after)))
        case otherwise:
            return onward(request, interaction_id, otherwise)


async def account(request: Request) -> Response:
    """POST /i/{id}/account: go on as this person, or as somebody else."""
    interaction_id: UUID = request.path_params["id"]
    form = await own_form(request)
    chosen = await choices.choose_account(
        idp_of(request), interaction_id, visitor(request), account=form.get("account")
    )
    return onward(request, interaction_id, chosen)


async def cancel(request: Request) -> Response:
    """POST /i/{id}/cancel: answer the client with access_denied."""
    interaction_id: UUID = request.path_params["id"]
    await own_form(request)
    return onward(request, interaction_id, await choices.cancel(idp_of(request), interaction_id, visitor(request)))


def onward(request: Request, interaction_id: UUID, outcome: ToInteraction | ToClient | Gone) -> Response:
    """To what is asked next, or to the client."""
    match outcome:
        case ToInteraction() as further:
            return to_interaction(request, further)
        case ToClient() as done:
            return to_client(request, done)
        case Gone():
            return to_interaction(request, ToInteraction(interaction_id))


async def back(request: Request) -> Response:
    """GET where only a POST answers, as after a reload or a change of language: to what is asked now."""
    interaction_id: UUID = request.path_params["id"]
    return to_interaction(request, ToInteraction(interaction_id))


class FactorConvertor(Convertor[str]):
    """`{factor:factor}`: a second factor, by the name in policy.toml."""

    regex = "|".join(SECOND)

    def convert(self, value: str) -> str:
        """As it is."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


register_url_convertor("factor", FactorConvertor())


ROUTES = [
    Route("/i/{id:uuid}", show, methods=["GET"]),
    Route("/i/{id:uuid}/again", again, methods=["GET"]),
    Route("/i/{id:uuid}/password", password, methods=["POST"]),
    Route("/i/{id:uuid}/with-passkey", with_passkey, methods=["POST"]),
    Route("/i/{id:uuid}/consent", consent, methods=["POST"]),
    Route("/i/{id:uuid}/account", account, methods=["POST"]),
    Route("/i/{id:uuid}/new-password", new_password, methods=["POST"]),
    Route("/i/{id:uuid}/cancel", cancel, methods=["POST"]),
    Route("/i/{id:uuid}/{factor:factor}", show, methods=["GET"]),
    Route("/i/{id:uuid}/{factor:factor}", code, methods=["POST"]),
    Route("/i/{id:uuid}/{factor:factor}/send", send, methods=["POST"]),
    *(
        Route(f"/i/{{id:uuid}}/{step}", back, methods=["GET"])
        for step in (
            *("password", "with-passkey", "new-password", "consent", "account", "cancel"),
            "{factor:factor}/send",
        )
    ),
]
