"""Our own export, both ways: the lines that clients are written as, and read from. See docs/import.md."""

import base64
import binascii
from dataclasses import fields
from datetime import datetime
from typing import Any

from idp.importing.document import Object
from idp.importing.incoming import Unreadable
from idp.importing.written import hexadecimal, time, written
from idp.model import AssuranceLevel, AuthMethod, Client, Registration

_SETS = {each.name for each in fields(Client) if isinstance(each.default, frozenset)}
_LEFT_OUT = (bytes, datetime)
_APART = {"level", "logo", "old_secret_until", "old_secret_used_at"}


def client_line(registered: Registration) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is written of a client, and the hashes of its secrets."""
    client = registered.client
    values = {each.name: getattr(client, each.name) for each in fields(Client)}
    line = {
        name: sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None and not isinstance(value, _LEFT_OUT)
    }
    line.pop("logo", None)  # the name follows from the picture
    line |= {"created_at": written(registered.created_at)}
    if registered.disabled_at is not None:
        line["disabled_at"] = written(registered.disabled_at)
    if registered.logo is not None:
        kind, content = registered.logo
        line["picture"] = {"kind": kind, "content": base64.b64encode(content).decode()}
    line["level"] = client.level.name.lower()
    secrets = {} if client.secret_hash is None else {"secret_hash": client.secret_hash.hex()}
    if client.old_secret_hash is not None:
        line |= {"old_secret_until": written(client.old_secret_until)}
        if client.old_secret_used_at is not None:
            line |= {"old_secret_used_at": written(client.old_secret_used_at)}
        secrets["old_secret_hash"] = client.old_secret_hash.hex()
    return line, secrets  # with what is empty: none is not the usual


def read_client(line: Object, secrets: Object, *, now: datetime) -> Registration:
    """The client of a line. Raises `Unreadable`."""
    known = {each.name: each for each in fields(Client)}
    given: dict[str, Any] = {}
    for name, value in line.members.items():
        if name in known and isinstance(known[name].default, frozenset | tuple):
            given[name] = frozenset(line.texts(name)) if name in _SETS else line.texts(name)
        elif name in known and isinstance(known[name].default, bool):
            given[name] = line.flag(name)
        elif name in _APART:
            continue
        elif name == "jwks":
            given[name] = line.object(name).members
        elif name in known and isinstance(value, str):
            given[name] = value
    if line.needed("auth_method") not in list(AuthMethod):
        raise Unreadable(f"{line.where}.auth_method is no way to authenticate.")
    method = AuthMethod(line.needed("auth_method"))
    needed = {"id": line.needed("id"), "name": line.needed("name"), "auth_method": method}
    read: dict[str, Any] = {"secret_hash": hexadecimal(secrets, "secret_hash"), "level": _level(line)}
    until, before = time(line, "old_secret_until"), hexadecimal(secrets, "old_secret_hash")
    if until is not None and before is not None:
        used = time(line, "old_secret_used_at")
        read |= {"old_secret_until": until, "old_secret_hash": before, "old_secret_used_at": used}
    since = min(now, time(line, "created_at") or now)
    return Registration(Client(**{**given, **needed, **read}), since, time(line, "disabled_at"), _picture(line))


def _picture(line: Object) -> tuple[str, bytes] | None:
    picture = line.object("picture")
    if not picture.members:
        return None
    try:
        return picture.needed("kind"), base64.b64decode(picture.needed("content"), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable(f"{picture.where}.content is not base64.") from None


def _level(line: Object) -> AssuranceLevel:
    name = line.text("level") or AssuranceLevel.TWO_FACTOR.name.lower()
    for level in AssuranceLevel:
        if level.name.lower() == name and level >= AssuranceLevel.TWO_FACTOR:
            return level
    raise Unreadable(f"{line.where}.level is no level.")
