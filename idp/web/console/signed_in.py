"""Where somebody is signed in and known, ended by an operator: one browser at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from idp.catalogue import mark
from idp.errors import NotThere
from idp.flows.idp import Idp
from idp.flows.operate.finding import Person
from idp.flows.operate.leaving import end_sessions, forget_devices
from idp.flows.operate.looking import list_devices, list_sessions
from idp.policy import Act
from idp.sentences import minute, sentence
from idp.web.activity import device
from idp.web.console.forms import Change, Done
from idp.web.door import Form
from idp.web.pages.console import Input

_SEEN = "%(browser)s, %(when)s"  # nothing to translate


async def _session(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    await end_sessions(idp, who, _one(form.get("session")))
    return Done(mark("They are signed out of that browser."))


async def _device(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    await forget_devices(idp, who, _key(form.get("device")))
    return Done(mark("That browser counts as unknown from now on, and is signed out."))


def _one(text: str) -> UUID:
    """Raises `NotThere`."""
    try:
        return UUID(text)
    except ValueError:
        raise NotThere(sentence("There is no such browser.")) from None


def _key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise NotThere(sentence("There is no such browser.")) from None


async def _sessions(idp: Idp, who: UUID) -> Sequence[Input]:
    options = [(str(one.session_id), _browser(one.user_agent, one.seen_at)) for one in await list_sessions(idp, who)]
    return (Input("session", mark("Browser"), options=options),)


async def _devices(idp: Idp, who: UUID) -> Sequence[Input]:
    known = await list_devices(idp, who)
    options = [(one.key.hex(), _browser(one.label or one.user_agent, one.seen_at)) for one in known]
    return (Input("device", mark("Browser"), options=options),)


def _browser(named: str, seen_at: datetime) -> str:
    return sentence(_SEEN, browser=device(named), when=minute(seen_at))


SIGNED_IN: Mapping[str, Change[UUID, Person]] = {
    "session": Change(
        Act.END_SESSIONS,
        mark("Sign out of one browser"),
        mark("Sign out of one browser"),
        _session,
        (mark("That browser has to sign in again. Applications keep what they may use without it."),),
        asks=_sessions,
    ),
    "device": Change(
        Act.END_SESSIONS,
        mark("Forget a browser"),
        mark("Forget it"),
        _device,
        (mark("It counts as a stranger's from now on, and is signed out. Signing in there tells them."),),
        asks=_devices,
    ),
}  # fmt: skip
