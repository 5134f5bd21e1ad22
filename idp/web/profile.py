"""The page of what a person says of themselves: read, one flow, answer."""

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.catalogue import languages
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people import profile
from idp.flows.people.account import Done as Changed
from idp.flows.people.profile import Wrong
from idp.flows.people.rooms import HOME, PROFILE_PATH, Inside, enter
from idp.formats import own_name
from idp.policy.profile import FIELDS, UTC, Amiss, zones
from idp.web.answers import page
from idp.web.door import Form, idp_of, own_form, visitor
from idp.web.notes import Note, note_of, see
from idp.web.pages import Done, Problem, Profile
from idp.web.rooms import home_with, outside, url

_LONGEST = 600  # of one field that is shown again
_PROBLEMS = {
    ("name", Amiss.TOO_LONG): Problem.NAME_LONG,
    ("given_name", Amiss.TOO_LONG): Problem.GIVEN_NAME_LONG,
    ("family_name", Amiss.TOO_LONG): Problem.FAMILY_NAME_LONG,
    ("nickname", Amiss.TOO_LONG): Problem.NICKNAME_LONG,
    ("website", Amiss.NO_WEBSITE): Problem.WEBSITE_SHAPE,
    ("zoneinfo", Amiss.NO_ZONE): Problem.ZONE_UNKNOWN,
    ("locale", Amiss.NO_LANGUAGE): Problem.LANGUAGE_UNKNOWN,
}


async def show(request: Request) -> Response:
    """GET /account/profile."""
    idp, note = idp_of(request), note_of(request)
    inside = await enter(idp, visitor(request), HOME)
    if not isinstance(inside, Inside):
        return outside(request, inside)
    kept = profile.of(inside.account)
    fields = kept if note.typed is None else {**kept, **_typed(note.typed)}
    shown = Profile(
        action=url(request, PROFILE_PATH),
        back=url(request, ACCOUNT_PATH),
        fields=fields,
        zones=_by_region((kept["zoneinfo"],) if kept["zoneinfo"] else ()),
        languages=[(code, own_name(code)) for code in languages(idp.settings.templates)],
        problems=note.problems,
    )
    return page(request, shown, status=note.status, person=inside.account)


def _typed(text: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(text)
    return found


def _by_region(besides: tuple[str, ...]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for zone in dict.fromkeys((*zones(), *besides)):
        found.setdefault("UTC" if zone == UTC else zone.partition("/")[0], []).append(zone)
    return found


async def change(request: Request) -> Response:
    """POST /account/profile."""
    form = await own_form(request)
    match await profile.change(idp_of(request), visitor(request), form.fields):
        case Changed():
            return home_with(request, Done.PROFILE_CHANGED)
        case Wrong(fields):
            problems = tuple(_PROBLEMS[name, why] for name, why in fields.items())
            return see(request, url(request, PROFILE_PATH), Note(400, problems=problems, typed=_again(form)))
        case otherwise:
            return outside(request, otherwise)


def _again(form: Form) -> str:
    """What was typed, for the page that says what is wrong with it."""
    return json.dumps({name: form.get(name)[:_LONGEST] for name in FIELDS}, ensure_ascii=False)


ROUTES = [Route(PROFILE_PATH, show, methods=["GET"]), Route(PROFILE_PATH, change, methods=["POST"])]
