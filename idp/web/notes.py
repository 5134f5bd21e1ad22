"""What was wrong with a form, on its way to the page that says it: sealed in the address, stored nowhere.

A form is answered with 303, so that reload, Back and Forward send nothing again. What the page has to say goes with the
address, readable by us alone, for this browser and this page, and for ten minutes. Opened elsewhere or later, the
address shows the page as it is.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from idp.errors import SealBroken
from idp.flows.idp import Idp
from idp.oidc.answer import MAX_LOCATION
from idp.web.answers import see_other
from idp.web.asking import Extra
from idp.web.door import Unreadable, idp_of, query, visitor
from idp.web.pages import Problem

NOTE = "note"
ANYTHING = "*"  # what is said on whatever page is asked now
_KEPT = "kept"  # what a form brings back: nothing that a page says
ROOM = 600  # characters: the longest note with nothing typed, and a common name
LIFE = timedelta(minutes=10)
_PURPOSE = "note"


@dataclass(frozen=True, slots=True)
class Note:
    """What a page says beside its question, and the status it says it with; `about` is the question it belongs to.

    `until` is when what was refused is possible again.
    """

    status: int = 200
    about: str = ""
    problems: tuple[Problem, ...] = ()
    typed: str | None = field(default=None, repr=False)
    tries_left: int | None = None
    until: datetime | None = None
    enrolment: UUID | None = None
    codes: tuple[str, ...] = field(default=(), repr=False)

    def wait(self, now: datetime) -> timedelta | None:
        """How much of the wait is left."""
        return None if self.until is None else self.until - now


NOTHING = Note()


def see(request: Request, path: str, note: Note) -> Response:
    """303 to the page at `path`, which says it; what was typed only if there is room."""
    return see_other(saying(request, path, note))


def saying(request: Request, path: str, note: Note) -> str:
    """The address of the page at `path` that says it."""
    idp, place = idp_of(request), _place(request, path)
    location = f"{path}{'&' if '?' in path else '?'}{NOTE}="
    sealed = _seal(idp, place, note)
    if len(location) + len(sealed) > MAX_LOCATION:
        sealed = _seal(idp, place, replace(note, typed=None))
    return location + sealed


def note_of(request: Request, *, about: str = "", path: str | None = None) -> Note:
    """What `see` wrote for this page, in this browser, not long ago; `NOTHING` otherwise, or once its wait is over.

    `path` is where `see` was told to go, if there is more to that than the path.
    """
    idp, now = idp_of(request), idp_of(request).clock.now()
    try:
        given = dict(query(request)).get(NOTE) if f"{NOTE}=" in request.url.query else None
    except Unreadable:
        return NOTHING
    note = NOTHING if given is None else _open(idp, _place(request, path or request.url.path), given, now=now)
    if note.about not in {about, ANYTHING}:
        return NOTHING
    return note if note.until is None or note.until > now else Note(typed=note.typed, enrolment=note.enrolment)


def keep(request: Request, path: str, value: str) -> str:
    """A value that a form at `path` brings back, sealed as a note is: nobody reads or makes it but us."""
    return _seal(idp_of(request), _place(request, path), Note(about=_KEPT, typed=value))


def kept(request: Request, text: str) -> str | None:
    """What `keep` sealed for the form that this is, in this browser and not long ago."""
    idp = idp_of(request)
    note = _open(idp, _place(request, request.url.path), text, now=idp.clock.now())
    return note.typed if note.about == _KEPT else None


def extra_of(note: Note, *, now: datetime) -> Extra:
    """What a page that asks shows of it."""
    return Extra(problems=note.problems, username=note.typed, tries_left=note.tries_left, wait=note.wait(now))


def after(idp: Idp, wait: timedelta | None) -> datetime | None:
    """The moment when a wait is over."""
    return None if wait is None else idp.clock.now() + wait


def _place(request: Request, path: str) -> str:
    # The session's id stays when its token changes; a browser without one has none, and no form of ours either.
    return f"{visitor(request).session_id}{path}"


def _seal(idp: Idp, place: str, note: Note) -> str:
    said: dict[str, Any] = {"x": (idp.clock.now() + LIFE).timestamp(), "s": note.status}
    if note.about:
        said["a"] = note.about
    if note.problems:
        said["p"] = [problem.name for problem in note.problems]
    if note.typed is not None:
        said["t"] = note.typed
    if note.tries_left is not None:
        said["l"] = note.tries_left
    if note.until is not None:
        said["u"] = note.until.isoformat()
    if note.enrolment is not None:
        said["e"] = note.enrolment.hex
    if note.codes:
        said["c"] = note.codes
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    sealed = idp.secrets.seal(text.encode("utf-8", "surrogatepass"), purpose=_PURPOSE, bound_to=place)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _open(idp: Idp, place: str, given: str, *, now: datetime) -> Note:
    try:
        sealed = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
        said = json.loads(idp.secrets.unseal(sealed, purpose=_PURPOSE, bound_to=place))
    except (binascii.Error, ValueError, SealBroken):
        return NOTHING
    if said["x"] <= now.timestamp():
        return NOTHING
    note = Note(
        status=said["s"],
        about=said.get("a", ""),
        problems=tuple(Problem[name] for name in said.get("p", ()) if name in Problem.__members__),
        typed=said.get("t"),
        tries_left=said.get("l"),
        codes=tuple(said.get("c", ())),
    )
    if "u" in said:
        note = replace(note, until=datetime.fromisoformat(said["u"]))
    if "e" in said:
        note = replace(note, enrolment=UUID(hex=said["e"]))
    return note
