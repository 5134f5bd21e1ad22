"""The page of a known browser: read, one flow, answer."""

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people import devices as flow
from idp.flows.people.account import Done as Changed
from idp.flows.people.devices import Device
from idp.flows.people.enrol import LONGEST_LABEL
from idp.flows.people.recovery import Nothing
from idp.web.activity import device
from idp.web.answers import page, see_other, trouble
from idp.web.door import idp_of, own_form, visitor
from idp.web.home import DEVICES_PATH, device_path
from idp.web.notes import Note, note_of, see
from idp.web.pages import Done, EditDevice, Problem, Trouble
from idp.web.rooms import home_with, outside, url


class KeyConvertor(Convertor[bytes]):
    """`{key:device}`: the key of a browser."""

    regex = "[0-9a-f]{64}"

    def convert(self, value: str) -> bytes:
        """From its digits."""
        return bytes.fromhex(value)

    def to_string(self, value: bytes) -> str:
        """To its digits."""
        return value.hex()


register_url_convertor("device", KeyConvertor())


async def edit(request: Request) -> Response:
    """GET /account/devices/{key}."""
    key: bytes = request.path_params["key"]
    match await flow.device(idp_of(request), visitor(request), key):
        case Device() as found:
            note, here = note_of(request), url(request, device_path(key))
            shown = EditDevice(
                told=device(found.known.user_agent),
                label=found.known.label if note.typed is None else note.typed,
                since=found.known.created_at,
                zone=found.inside.account.claims.get("zoneinfo"),
                rename=f"{here}/rename",
                forget=f"{here}/forget",
                back=url(request, ACCOUNT_PATH),
                current=found.here,
                problems=note.problems,
            )
            return page(request, shown, status=note.status, person=found.inside.account)
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


async def rename(request: Request) -> Response:
    """POST /account/devices/{key}/rename."""
    key: bytes = request.path_params["key"]
    form = await own_form(request)
    match await flow.rename(idp_of(request), visitor(request), key, label=form.get("label")):
        case Changed():
            return home_with(request, Done.DEVICE_RENAMED)
        case (Device(), _):
            typed = form.get("label")[: 4 * LONGEST_LABEL]
            again = Note(400, problems=(Problem.LABEL_TOO_LONG,), typed=typed)
            return see(request, url(request, device_path(key)), again)
        case Nothing():
            return trouble(request, Trouble.NOT_FOUND)
        case otherwise:
            return outside(request, otherwise)


async def forget(request: Request) -> Response:
    """POST /account/devices/{key}/forget."""
    key: bytes = request.path_params["key"]
    await own_form(request)
    found = await flow.forget(idp_of(request), visitor(request), key)
    return home_with(request, Done.DEVICE_FORGOTTEN) if isinstance(found, Changed) else outside(request, found)


async def back(request: Request) -> Response:
    """GET where only a POST answers, as after a reload or a change of language: to the page with the button."""
    return see_other(url(request, device_path(request.path_params["key"])))


ROUTES = [
    Route(f"{DEVICES_PATH}/{{key:device}}", edit, methods=["GET"]),
    *(
        Route(f"{DEVICES_PATH}/{{key:device}}/{what}", answer, methods=[method])
        for what, does in (("rename", rename), ("forget", forget))
        for method, answer in (("POST", does), ("GET", back))
    ),
]
