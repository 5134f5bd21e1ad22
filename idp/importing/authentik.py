"""People of authentik, as `ak dumpdata` writes its models: users, groups, and the devices they confirm with."""

import binascii
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from idp.importing import secrets
from idp.importing.document import Object, one_by_one, read_list
from idp.importing.incoming import App, Entry, Left, Person, Phone, Unreadable
from idp.importing.pieces import Source
from idp.model import AppCodes

_USER, _GROUP = "authentik_core.user", "authentik_core.group"
_TOTP = "authentik_stages_authenticator_totp.totpdevice"
_SMS = "authentik_stages_authenticator_sms.smsdevice"
_OTHERS = {
    "authentik_stages_authenticator_static.staticdevice": (
        "recovery codes",
        "the file has the codes in clear: new ones are made on the account page",
    ),
    "authentik_stages_authenticator_webauthn.webauthndevice": (
        "passkey",
        "a passkey works at the address alone that it was made for: they add it anew on their account page",
    ),
    "authentik_stages_authenticator_email.emaildevice": (
        "code by e-mail",
        "here it goes to the address that was verified, if the policy has it",
    ),
    "authentik_stages_authenticator_duo.duodevice": ("Duo", "Stile has nothing like it"),
}
_OF_SOMEBODY = re.compile(r"authentik_stages_authenticator_\w+\.\w+device|authentik_\w+\.\w+sourceconnection")
_OF_A_DEVICE = ("key", "name", "digits", "step", "phone_number")
_PEOPLE = {"internal", "external"}


def read(content: Source, *, phone_attribute: str | None = None) -> Iterator[Entry]:
    """Everybody in the file. Raises `Unreadable`."""
    groups: dict[str, str] = {}
    devices: dict[str, list[tuple[str, Object]]] = defaultdict(list)
    people = False
    for row, model, fields in _rows(content):
        people = people or model == _USER
        if model == _GROUP:
            groups[_key(row)] = fields.needed("name")
        elif _OF_SOMEBODY.fullmatch(model) and "user" in fields and fields.flag("confirmed", otherwise=True):
            known = {name: fields.members[name] for name in _OF_A_DEVICE if name in fields}
            devices[str(fields.members["user"])].append((model, Object(known, fields.where)))
    if not people:
        raise Unreadable(f"The file has no rows of {_USER}: this is no `ak dumpdata {_USER} …`.")
    twice = {name for name, count in Counter(groups.values()).items() if count > 1}

    def somebody(row: Object) -> Iterator[Entry]:
        fields = row.object("fields")
        if (fields.text("type") or "internal") in _PEOPLE:
            theirs = [groups.get(str(each), str(each)) for each in _list(fields)]
            yield from _person(fields, devices.get(_key(row), []), theirs, twice, phone_attribute)

    yield from one_by_one((row for row, model, _ in _rows(content) if model == _USER), somebody)


def _rows(content: Source) -> Iterator[tuple[Object, str, Object]]:
    for row in read_list(content, inside="objects"):
        yield row, row.needed("model"), row.object("fields")


def _key(row: Object) -> str:
    return str(row.members.get("pk"))


def _list(fields: Object) -> list[object]:
    found = fields.members.get("groups") or fields.members.get("ak_groups") or []
    if not isinstance(found, list):
        raise Unreadable(f"{fields.where}.groups is not a list.")
    return found


def _person(
    fields: Object,
    devices: list[tuple[str, Object]],
    groups: list[str],
    twice: set[str],
    phone_attribute: str | None,
) -> Iterator[Entry]:
    username, apps, phones = fields.needed("username"), [], []
    for model, device in devices:
        if model == _TOTP and (app := _app(device)) is not None:
            apps.append(app)
        elif model == _TOTP:
            yield Left(username, "authenticator app", "its key is not hexadecimal")
        elif model == _SMS and device.needed("phone_number").startswith("hash:"):
            yield Left(username, "phone", "its number is kept as a hash, to which nothing can be sent")
        elif model == _SMS:
            phones.append(Phone(device.needed("phone_number"), verified=True))
        elif model in _OTHERS:
            yield Left(username, *_OTHERS[model])
        elif model.endswith("sourceconnection"):
            yield Left(username, "links to other providers", "Stile signs people in itself")
        else:
            yield Left(username, model.rpartition(".")[2][:60], "Stile has nothing like it")
    for member in sorted(fields.object("attributes").members.keys() - {"settings", phone_attribute}):
        yield Left(username, f"attribute {member[:60]}", "it is no standard claim")
    for group in groups:
        if group in twice:
            yield Left(username, f"group {group}", "two groups have this name: `idp user groups` puts people into one")
    attributes = fields.object("attributes")
    if phone_attribute is not None and (number := attributes.text(phone_attribute)) is not None:
        phones.append(Phone(number))
    hashed = fields.text("password")
    # An exclamation mark is how Django says that there is none.
    stored = None if hashed is None or hashed.startswith("!") else secrets.stored(hashed)
    yield Person(
        username=username,
        id=fields.uuid("uuid"),
        name=fields.text("name"),
        email=fields.text("email"),
        locale=attributes.object("settings").text("locale"),
        groups=tuple(group for group in dict.fromkeys(groups) if group not in twice),
        disabled=not fields.flag("is_active", otherwise=True),
        password=stored,
        unlike=None if stored is None else secrets.unlike(stored),
        phones=tuple(phones),
        apps=tuple(apps),
    )


def _app(device: Object) -> App | None:
    try:
        seed = binascii.unhexlify(device.text("key") or "no key")
    except (binascii.Error, ValueError):
        return None
    period = secrets.period(device.whole("step") or 30)
    return App(seed, device.text("name") or "", AppCodes("SHA1", device.whole("digits") or 6, period))
