"""The page of one change, and what happens when its button is pressed: read, one operation, answer.

What may be changed of a kind of thing is a table, beside its pages.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar
from uuid import UUID, uuid4, uuid5

from starlette.requests import Request
from starlette.responses import Response

from idp.errors import IdpError, NotThere
from idp.flows.idp import Idp
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import NotPermitted
from idp.policy import Act
from idp.sentences import sentence
from idp.web.console.door import Said, come_in, come_in_with, done, frame, gone, missing, refused, said, show
from idp.web.door import Form, idp_of, query
from idp.web.notes import keep, kept
from idp.web.pages.console import Edit, Input
from idp.web.rooms import url

Key = TypeVar("Key")
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Done:
    """What to say of it; what is shown once; what followed; whether the thing is still there.

    What is shown once is a link or secret, the `uri` of an app with its key, or saved `codes`.
    """

    sentence: str
    once: str | None = field(default=None, repr=False)
    uri: str = field(default="", repr=False)
    codes: tuple[str, ...] = field(default=(), repr=False)
    follows: tuple[str, ...] = ()
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Change(Generic[Key, Thing]):
    """One change: to whom it is allowed, its words, what it asks for, and the operation that makes it.

    `version` is what of the thing it depends on, where that is not what all changes depend on; `sees`, where that
    has to be looked up; `files`: it takes some. `asks` are further inputs, which have to be looked up. What it
    `makes` is made with the form and comes back with it, sealed, so that a form sent twice gives one thing once.
    """

    act: Act
    title: str
    button: str
    do: Callable[[Idp, Key, Form, Thing], Awaitable[Done]]
    consequences: tuple[str, ...] = ()
    inputs: Callable[[Idp, Thing], Sequence[Input]] = lambda _, __: ()
    grave: bool = False
    follows: Callable[[Idp, Key], Awaitable[Sequence[str]]] | None = None
    version: Callable[[Thing], str] | None = None
    sees: Callable[[Idp, Key], Awaitable[str]] | None = None
    files: bool = False
    asks: Callable[[Idp, Key], Awaitable[Sequence[Input]]] | None = None
    makes: Callable[[], Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Kind(Generic[Key, Thing]):
    """What is changed at PATH/ID/CHANGE: how one is found, what it is called there, and as which version it is seen.

    `key` and `find` raise `NotThere`.
    """

    path: str
    changes: Mapping[str, Change[Key, Thing]]
    key: Callable[[Request], Key]
    find: Callable[[Idp, Key, Act], Awaitable[Thing]]
    about: Callable[[Thing], str]
    version: Callable[[Thing], str]

    def _change(self, request: Request) -> Change[Key, Thing]:
        try:
            return self.changes[request.path_params["change"]]
        except KeyError:
            raise NotThere("There is no such change.") from None

    async def ask(self, request: Request) -> Response:
        """GET: the form, with what follows."""
        staff = await come_in(request)
        if isinstance(staff, Response):
            return staff
        idp = idp_of(request)
        try:
            change, which = self._change(request), self.key(request)
            thing = await self.find(idp, which, change.act)
            follows, wrong = await _follows(idp, change, which)
            version = await change.sees(idp, which) if change.sees else (change.version or self.version)(thing)
            there = [*change.inputs(idp, thing), *(await change.asks(idp, which) if change.asks else ())]
        except IdpError as error:
            return missing(request, error)
        told = said(request)
        shown = Edit(
            frame=frame(request, staff),
            title=change.title,
            about=self.about(thing),
            action=request.url.path,
            back=url(request, f"{self.path}/{which}"),
            button=change.button,
            consequences=change.consequences,
            follows=follows,
            inputs=[again(_picked(request, one), told) for one in there],
            made=made(request, change.makes),
            # What was typed was typed beside what was seen then.
            version=told.typed.get("version", "") if told.waiting and told.typed else version,
            now=[(one.label, one.value or "–") for one in there if told.status == 409 and again(one, told) != one],
            grave=change.grave,
            never=bool(wrong),
            wrong=told.at or [("", each) for each in wrong],
            waiting=told.waiting,
        )
        return show(request, staff, shown, status=403 if wrong else told.status)

    async def make(self, request: Request) -> Response:
        """POST: make the change, and go where it is seen."""
        asked = self.changes.get(request.path_params["change"])
        found = await come_in_with(request, files=asked is not None and asked.files)
        if isinstance(found, Response):
            return found
        _, form = found
        idp = idp_of(request)
        try:
            change, which = self._change(request), self.key(request)
        except NotThere as error:
            return missing(request, error)
        try:
            thing = await self.find(idp, which, change.act)
            filled = with_made(request, form) if change.makes else form
            result = await change.do(idp, which, filled, thing)
        except NotThere as error:
            return await self._gone(request, which, change.act, error)
        except IdpError as error:
            return refused(request, form, error)
        return finished(request, self.path if result.gone else f"{self.path}/{which}", result)

    async def _gone(self, request: Request, which: Key, act: Act, error: NotThere) -> Response:
        """303 to the thing where one of its parts is not there, else to the list."""
        try:
            await self.find(idp_of(request), which, act)
        except NotThere:
            return gone(request, self.path)
        return gone(request, f"{self.path}/{which}", error.problems)


async def _follows(idp: Idp, change: Change[Key, Thing], which: Key) -> tuple[Sequence[str], tuple[str, ...]]:
    """What would follow; or nothing, and why this is not to be done to it by anybody in the console."""
    if change.follows is None:
        return (), ()
    try:
        return tuple(await change.follows(idp, which)), ()
    except NotPermitted as error:
        return (), tuple(error.problems)


def finished(request: Request, path: str, result: Done) -> Response:
    """303 to where it is seen."""
    shown = (result.once, result.uri) if result.uri else (result.once,) if result.once else result.codes
    once = tuple(each for each in shown if each)
    return done(request, path, result.sentence, follows=result.follows, once=once)


def made(request: Request, makes: Callable[[], Mapping[str, str]] | None) -> str:
    """Something new for this form, sealed; nothing where it makes nothing."""
    return "" if makes is None else keep(request, request.url.path, json.dumps(dict(makes())))


def with_made(request: Request, form: Form) -> Form:
    """The form with what was made for it. Raises `NotAcceptable` where it was open for too long.

    Sent again with something else in it, as after Back, it is another form: its `id` is of both.
    """
    text = kept(request, form.get("made"))
    if text is None:
        raise NotAcceptable(sentence("This page was open for too long, so nothing was changed. Please try again"))
    found: dict[str, str] = json.loads(text)
    if "id" in found:
        typed = sorted((name, value) for name, value in form.fields.items() if name not in {"csrf", "made"})
        found["id"] = str(uuid5(UUID(found["id"]), json.dumps(typed)))
    return replace(form, fields={**form.fields, **found})


def one_link() -> Mapping[str, str]:
    """For a form that makes a link: sent twice, it makes it once."""
    return {"id": str(uuid4())}


def nonce_of(form: Form) -> bytes:
    """From what the link of this form is derived."""
    return UUID(form.get("id")).bytes


def _picked(request: Request, one: Input) -> Input:
    """A choice, with what the address chose."""
    chosen = dict(query(request)).get(one.name)
    return replace(one, value=chosen) if chosen in dict(one.options) else one


def again(one: Input, told: Said) -> Input:
    """A field with what was typed into it before."""
    return replace(one, value=told.typed.get(one.name, "")) if told.typed else one
