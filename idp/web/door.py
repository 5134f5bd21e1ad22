"""Reading a request: who is at the door, what they posted, whether the form is ours. No flow is called here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from idp.addresses import ORIGIN, Origin
from idp.catalogue import accepted_languages, choose_language, languages
from idp.crypto import equal, mac
from idp.errors import OAuthError
from idp.flows.idp import Idp, Visitor, is_ours
from idp.oidc.strictjson import storable
from idp.web import uploads
from idp.web.address import address
from idp.web.uploads import Parts

MAX_BODY = 64 * 1024
MAX_UPLOAD = 1024 * 1024  # more than any file that we take, so that the page can say what is too large
MAX_FIELDS = 100
A_YEAR = timedelta(days=365)
_TOKEN = re.compile(r"[0-9a-f]{64}")
_COOKIE = re.compile(r"[A-Za-z0-9._-]{1,512}")


class TooLarge(Exception):
    """The body is larger than any form of ours."""


class Unreadable(Exception):
    """The body is no form, or holds what is no text; the text says what, for developers."""


class NotOurForm(Exception):
    """The form was not sent from our own page in this browser.

    `forgotten`: it looks like one of ours, from before this browser's session was ended, lost or replaced.
    """

    def __init__(self, *, forgotten: bool = False) -> None:
        super().__init__()
        self.forgotten = forgotten


def idp_of(request: Request) -> Idp:
    """The running provider."""
    idp: Idp = request.app.state.idp
    return idp


def base_path(idp: Idp) -> str:
    """The path of the issuer, empty at the root."""
    return urlsplit(idp.issuer).path


def cookie_name(idp: Idp, kind: str = "") -> str:
    """`__Host-` binds a cookie to this host and https; on a loopback http issuer browsers would refuse that."""
    return f"__Host-stile{kind}" if idp.settings.secure else f"stile{kind}"


def set_cookie(response: Response, idp: Idp, value: str, *, kind: str = "", life: timedelta | None = None) -> None:
    """HttpOnly, SameSite=Lax, for the whole host; Secure wherever there is https. No `life`: as long as it is open."""
    response.set_cookie(
        cookie_name(idp, kind),
        value,
        max_age=None if life is None else int(life.total_seconds()),
        path="/",
        secure=idp.settings.secure,
        httponly=True,
        samesite="lax",
    )


def cookies_of(request: Request) -> dict[str, str]:
    """The cookies by name, without those that are there twice, so that nobody can tell which is ours.

    Not `request.cookies`: that takes a byte 0xA0 before a name for a blank, and such a name any sibling host may set.
    """
    found: dict[str, str] = {}
    twice: set[str] = set()
    for part in ";".join(request.headers.getlist("cookie")).split(";"):
        name, _, value = part.strip(" ").partition("=")
        if name in found:
            twice.add(name)
        found[name] = value
    return {name: value for name, value in found.items() if name not in twice}


def drop_cookie(response: Response, idp: Idp) -> None:
    """Forget the session cookie."""
    response.delete_cookie(cookie_name(idp), path="/", secure=idp.settings.secure, httponly=True, samesite="lax")


def visitor(request: Request) -> Visitor:
    """The browser that sent this request; looked at once."""
    state = request.scope.setdefault("state", {})
    found: Visitor | None = state.get("visitor")
    if found is None:
        found = state["visitor"] = _visitor(request)
        ORIGIN.set(Origin(found.address, found.user_agent))
    return found


def machine(request: Request) -> Visitor:
    """The program that sent this request: all that matters is its address."""
    found = Visitor(address=address(request, idp_of(request).settings.trusted_proxies))
    ORIGIN.set(Origin(found.address))
    return found


def meet(request: Request, token: str) -> None:
    """From here on the browser is who this new session cookie says, which the answer has to set."""
    request.scope["state"]["visitor"] = replace(visitor(request), token=token)


def _visitor(request: Request) -> Visitor:
    idp = idp_of(request)
    cookies = cookies_of(request)
    token = cookies.get(cookie_name(idp))
    language, chosen = _language(request, idp, cookies.get(cookie_name(idp, "-language")))
    return Visitor(
        address=address(request, idp.settings.trusted_proxies),
        token=token if token and _COOKIE.fullmatch(token) and is_ours(idp.secrets, token) else None,
        device=cookies.get(cookie_name(idp, "-device")),
        user_agent=_plain(request.headers.get("user-agent", ""))[:200],
        locale=language,
        chose_language=chosen,
    )


def _plain(text: str) -> str:
    return text if text.isprintable() else "".join(character for character in text if character.isprintable())


def _language(request: Request, idp: Idp, chosen: str | None) -> tuple[str, bool]:
    """The language that this browser asks for, and whether somebody chose it on a page of ours."""
    if chosen in languages(idp.settings.templates):
        return chosen, True
    accepted = accepted_languages(request.headers.get("accept-language", "")[:400])
    return choose_language(accepted, overrides=idp.settings.templates), False


def ui_locales(parameters: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The languages that parameters ask for, best first, as far as they can be read (OIDC Core 3.1.2.1)."""
    return tuple(dict(parameters).get("ui_locales", "")[:200].split()[:10])


async def body(request: Request, *, most: int = MAX_BODY) -> bytes:
    """The body, at most so many bytes. Raises `TooLarge` without reading on."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > most:
        raise TooLarge
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > most:
                raise TooLarge
    except ClientDisconnect:
        raise Unreadable("The connection was closed before the whole form had arrived.") from None
    return bytes(received)


async def pairs(request: Request) -> list[tuple[str, str]]:
    """The fields of a posted form, in order, repeated ones too. Raises `TooLarge` or `Unreadable`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await body(request)
    if kind != "application/x-www-form-urlencoded":
        raise Unreadable("The body must be application/x-www-form-urlencoded.")
    return decode(raw)


async def parts(request: Request) -> Parts:
    """The fields and files of a posted form that may have some. Raises `TooLarge` or `Unreadable`."""
    kind = request.headers.get("content-type", "")
    if not uploads.has_files(kind):
        return Parts(await pairs(request))
    found = uploads.read(await body(request, most=MAX_UPLOAD), kind)
    if found is None:
        raise Unreadable("The body is no form as browsers send it.")
    return found


def query(request: Request) -> list[tuple[str, str]]:
    """The parameters of the query, in order, repeated ones too. Raises `Unreadable`."""
    return decode(request.scope["query_string"])


def decode(raw: bytes) -> list[tuple[str, str]]:
    """Decode a form or query strictly: UTF-8 or nothing."""
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except (UnicodeDecodeError, ValueError):
        raise Unreadable("The form or query is not UTF-8, or has too many fields.") from None


@dataclass(frozen=True, slots=True)
class Form:
    """A posted form of one of our own pages: each field once, but `scope`."""

    fields: dict[str, str]
    scopes: frozenset[str]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def get(self, name: str) -> str:
        """A field, empty if it is missing."""
        return self.fields.get(name, "")


async def own_form(request: Request, *, anybody: bool = False, files: bool = False) -> Form:
    """A form that our own page sent in this browser. Raises `NotOurForm`, `Unreadable` or `TooLarge`.

    With `anybody` a browser without a session may send it too, for what touches no session; with `files` it may have
    some.
    """
    sent_with = await parts(request) if files else Parts(await pairs(request))
    fields: dict[str, str] = {}
    scopes: set[str] = set()
    for name, value in sent_with.fields:
        if not storable(name) or not storable(value):
            raise Unreadable("A field holds a character that is not text.")
        if name == "scope":
            scopes.add(value)
        elif name in fields:
            raise Unreadable("A field occurs twice.")
        else:
            fields[name] = value
    idp = idp_of(request)
    sent = fields.pop("csrf", "")
    if not _same_origin(request, idp):
        raise NotOurForm
    if not _is_ours(request, idp, sent, anybody=anybody):
        raise NotOurForm(forgotten=_TOKEN.fullmatch(sent) is not None)
    return Form(fields, frozenset(scopes), sent_with.files)


def _same_origin(request: Request, idp: Idp) -> bool:
    # SES-03: what a browser says of itself, where it says it; the token decides in any case
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    parts = urlsplit(idp.issuer)
    origin = request.headers.get("origin")
    return origin is None or origin in {"null", f"{parts.scheme}://{parts.netloc}"}


def csrf(idp: Idp, session_id: UUID | None, action: str, *, key_id: str | None = None) -> str:
    """The token of a form: for this session and this action only."""
    owner = b"" if session_id is None else session_id.bytes
    return mac(idp.secrets.subkey("csrf", key_id), owner, action.encode()).hex()


def csrfs(idp: Idp, session_id: UUID | None, action: str) -> list[str]:
    """The same under every key, the one in use first: a form that was open while keys changed is still ours."""
    return [csrf(idp, session_id, action, key_id=key_id) for key_id in idp.secrets.ids()]


def _is_ours(request: Request, idp: Idp, sent: str, *, anybody: bool) -> bool:
    session_id = visitor(request).session_id
    if (session_id is None and not anybody) or not sent.isascii():
        return False
    action = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return any(equal(sent.encode(), made.encode()) for made in csrfs(idp, session_id, action))


def malformed(why: Unreadable) -> OAuthError:
    """An unreadable body as the protocol says it (RFC 6749 5.2)."""
    return OAuthError("invalid_request", str(why))
