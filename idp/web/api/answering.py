"""One request of the API, from its token to its answer. What is done is the endpoint's, which calls one operation."""

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from idp.errors import AlreadyThere, Busy, NotThere, OAuthError, Outdated, SettingsError, TooMany
from idp.flows import repeats
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import NotPermitted, permit
from idp.flows.tokens.keys import TooEarly
from idp.flows.tokens.operators import Caller, caller, insufficient, step_up
from idp.model import OPERATOR
from idp.oidc import errors
from idp.oidc.params import once
from idp.oidc.userinfo import bearer
from idp.sentences import Sentence
from idp.web.api import problems
from idp.web.api.endpoints import Asked, Done, Endpoint
from idp.web.api.mistakes import in_words
from idp.web.api.problems import API, Mistake, Refused, problem, refusal
from idp.web.api.reading import Mistyped, invalid, is_known, key_of, malformed, read
from idp.web.door import Unreadable, base_path, body, idp_of, machine, query

_NO_STORE = {"Cache-Control": "no-store"}
_TITLES = {
    "invalid_token": "The token is not valid",
    "insufficient_scope": "The token does not open this",
    "insufficient_user_authentication": "Prove yourself anew",
}


def answered(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint as Starlette calls it."""

    async def answer(request: Request) -> Response:
        try:
            return await _answer(request, endpoint)
        except Refused as error:
            return refusal(error)
        except Unreadable as error:
            return refusal(malformed(error))
        except OAuthError as error:
            return _unauthorized(error)
        except TooMany as error:
            seconds = math.ceil(error.retry_after.total_seconds())
            return problems.of_status(429, {"Retry-After": str(seconds)})

    answer.__name__ = f"api_{endpoint.name}"
    return answer


def _unauthorized(error: OAuthError) -> Response:
    headers = dict(errors.headers(error))
    if isinstance(error, errors.NoCredentials):
        said = "Send an access token: Authorization: Bearer …"
        return problem(error.status, "no_token", "A token is needed", said, headers=headers)
    title = _TITLES.get(error.code, "Unreadable")
    return problem(error.status, error.code, title, error.description, headers=headers)


async def _answer(request: Request, endpoint: Endpoint) -> Response:
    idp = idp_of(request)
    machine(request)  # so that the trail says from where it came
    raw = await body(request, most=endpoint.longest)  # first: who sends it slowly is looked up when it is here
    presented = bearer(request.headers.get("authorization"), {}, once(query(request)), realm="api")
    who = await caller(idp, presented)
    OPERATOR.set(who.operator)
    try:
        permit(idp, endpoint.act)
        try:
            asked = read(request, endpoint, raw)
        except Mistyped as error:
            told = (*error.mistakes, *await _beside(endpoint, error.asked))
            raise invalid(in_words(told), *told) from None
        if request.method != "POST" or (key := key_of(request)) is None:
            return _said(request, endpoint, await _done(endpoint, asked))
        return await _once(request, endpoint, asked, who, key, raw)
    except NotPermitted as error:
        raise _not_permitted(error, request, who) from None


def _not_permitted(error: NotPermitted, request: Request, who: Caller) -> Refused | OAuthError:
    for scope in error.scopes:
        if scope in who.lapsed:
            return step_up(idp_of(request), scope)
    if error.scopes:
        return insufficient(error.scopes[0])
    return Refused(403, "not_permitted", "You may not do this", str(error))


async def _beside(endpoint: Endpoint, asked: Asked) -> Sequence[Mistake]:
    """What cannot be taken of the members that have the right type: both are told in one answer."""
    if endpoint.judges is None:
        return ()
    try:
        await endpoint.judges(asked)
    except NotAcceptable as error:
        return [each for each in _mistakes(endpoint, error) if each.pointer[1:] in asked.body]
    except (NotThere, NotPermitted):
        return ()
    return ()


def _mistakes(endpoint: Endpoint, error: NotAcceptable) -> Sequence[Mistake]:
    lead = "/" if endpoint.takes is not None else ""
    told = zip(error.fields, error.problems, strict=True)
    return [Mistake(field and lead + field, said) for field, said in told]


async def _done(endpoint: Endpoint, asked: Asked) -> Done:
    """What the operation says of its mistakes, in HTTP."""
    try:
        return await endpoint.does(asked)
    except NotAcceptable as error:
        raise invalid(str(error), *_mistakes(endpoint, error)) from None
    except NotThere as error:
        raise Refused(404, "not_found", "Nothing is here", str(error)) from None
    except AlreadyThere as error:
        where = [Mistake(f"/{error.field}", str(error))] if error.field else []
        raise Refused(409, "already_there", "There is one already", str(error), errors=where) from None
    except TooEarly as error:
        raise Refused(409, "too_early", "Not yet", str(error)) from None
    except Outdated as error:
        raise Refused(412, "outdated", "Somebody else changed it", str(error)) from None
    except SettingsError as error:
        raise Refused(503, "settings", "Settings are in the way", str(error)) from None


async def _once(request: Request, endpoint: Endpoint, asked: Asked, who: Caller, key: str, raw: bytes) -> Response:
    # draft-ietf-httpapi-idempotency-key-header-07, 2.6: done once, told again; 422 for another request, 409 meanwhile
    idp = asked.idp
    told = b"\0".join((request.method.encode(), request.url.path.encode(), request.scope["query_string"], raw))
    match await repeats.begin(idp, who.operator, key, told):
        case repeats.Other():
            said = "This Idempotency-Key was used for another request: take a new one."
            raise Refused(422, "key_reused", "Another request has this key", said)
        case repeats.AtWork(lost=True):
            said = "The first request with this key was cut off: see whether it was done, then use a new key."
            raise Refused(409, "outcome_unknown", "Nobody knows whether it was done", said)
        case repeats.AtWork():
            said = "The first request with this key is being worked on: ask again."
            raise Refused(409, "at_work", "One moment", said, headers={"Retry-After": "1"})
        case repeats.Again(status, text):
            return _again(request, endpoint, status, text)
        case first:
            pass
    try:
        done = await _done(endpoint, asked)
    except (Refused, NotPermitted, Busy):
        await repeats.undone(idp, first)
        raise
    await repeats.answered(idp, first, status=endpoint.status, text=_kept(endpoint, done))
    return _said(request, endpoint, done)


def _kept(endpoint: Endpoint, done: Done) -> bytes:
    """What is told again: the answer without its secrets, which are given once, and the address of what was made."""
    body: Any = msgspec.to_builtins(done.body, enc_hook=_text)
    if isinstance(body, dict) and (given := [name for name in endpoint.secrets if body.get(name) is not None]):
        body = {**body, **dict.fromkeys(given), "given_once": given}
    return msgspec.json.encode({"body": body, "etag": done.etag, "at": done.at})


def _again(request: Request, endpoint: Endpoint, status: int, text: bytes) -> Response:
    kept = msgspec.json.decode(text)
    response = _said(request, endpoint, Done(kept["body"], kept["etag"], kept["at"]), status=status)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _said(request: Request, endpoint: Endpoint, done: Done, *, status: int | None = None) -> Response:
    headers = dict(_NO_STORE)
    if done.etag is not None:
        headers["ETag"] = f'"{done.etag}"'
    if done.at is not None:
        headers["Location"] = base_path(idp_of(request)) + API + done.at
    if endpoint.answers is None:
        return Response(None, 204, headers)
    if endpoint.method == "GET" and done.etag is not None and is_known(request, done.etag):
        return Response(None, 304, headers)
    return Response(
        msgspec.json.encode(done.body, enc_hook=_text), status or endpoint.status, headers, "application/json"
    )


def _text(value: object) -> str:
    """A sentence as the text that it is."""
    if not isinstance(value, Sentence):
        raise TypeError(f"{type(value).__name__} is not in the document of the API")
    return str(value)
