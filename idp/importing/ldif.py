"""LDIF of directories (RFC 2849): people, and the groups that name them."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from idp.importing import secrets
from idp.importing.incoming import Entry, Person, Phone, Unreadable
from idp.oidc.strictjson import storable

_LONGEST = 100_000  # characters of one value; a photo is longer and is nothing of ours
_BOM = "\ufeff"
_GROUPS = {"groupofnames", "groupofuniquenames", "group", "posixgroup", "groupofmembers"}
_NAMES = ("uid", "samaccountname", "userprincipalname")
_DISABLED = 2  # of userAccountControl (Active Directory): ACCOUNTDISABLE


@dataclass(frozen=True, slots=True)
class Record:
    """An entry: its name, and its values by attribute in lower case, without options (`;lang-en`)."""

    dn: str
    values: Mapping[str, Sequence[str]] = field(repr=False)

    def first(self, *names: str) -> str | None:
        """The first value of the first of these that has one."""
        return next((value for name in names for value in self.values.get(name, ()) if value), None)

    @property
    def classes(self) -> set[str]:
        """What it is."""
        return {value.lower() for value in self.values.get("objectclass", ())}


def read(content: bytes, *, phone_attribute: str | None = None) -> Iterator[Entry]:
    """Everybody in the file. Raises `Unreadable`."""
    records = list(records_of(content))
    members, names = _members(records)
    people = [record for record in records if record.first(*_NAMES) and not record.classes & _GROUPS]
    if not people:
        raise Unreadable("The file has no people: no entry has uid, sAMAccountName or userPrincipalName.")
    for record in people:
        yield from _person(record, members, names, (phone_attribute or "mobile").lower())


def records_of(content: bytes) -> Iterator[Record]:
    """The entries of the file. Changes are none: only what is there can come."""
    try:
        text = content.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError:
        raise Unreadable("The file is not in UTF-8, as LDIF is (RFC 2849).") from None
    lines: list[tuple[int, list[str]]] = []
    for number, line in enumerate([*text.replace("\r\n", "\n").split("\n"), ""], 1):
        if line.startswith(" ") and lines:
            lines[-1][1].append(line[1:])
        elif line.strip():
            lines.append((number, [line]))
        elif lines:
            yield from _record([(first, "".join(parts)) for first, parts in lines])
            lines = []


def _record(lines: list[tuple[int, str]]) -> Iterator[Record]:
    dn: str | None = None
    values: dict[str, list[str]] = {}
    for number, line in lines:
        if line.startswith("#") or line.lower().startswith("version:"):
            continue
        name, value = _value(number, line)
        if name == "dn":
            dn = value
        elif name == "changetype" and value.lower() != "add":
            raise Unreadable(f"Line {number} is a change, and only what is there can come: use the whole directory.")
        elif dn is None:
            raise Unreadable(f"Line {number} is of no entry: an entry begins with dn.")
        else:
            values.setdefault(name, []).append(value)
    if dn is not None:
        yield Record(dn, values)


def _value(number: int, line: str) -> tuple[str, str]:
    name, colon, rest = line.partition(":")
    if not colon or not name or not name.isascii():
        raise Unreadable(f"Line {number} is not `name: value`.")
    name = name.partition(";")[0].strip().lower()
    if rest.startswith("<"):
        raise Unreadable(f"Line {number} names another file, and only this one is read.")
    if not rest.startswith(":"):
        return name, _text(number, rest.strip(" "))
    try:
        value = base64.b64decode(rest[1:].strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable(f"Line {number} is not base64.") from None
    try:
        decoded = value.decode("utf-8")
    except UnicodeDecodeError:
        return name, ""  # a photo, a certificate
    return name, _text(number, decoded) if storable(decoded) else ""  # an objectSid of Active Directory


def _text(number: int, value: str) -> str:
    if not storable(value):
        raise Unreadable(f"Line {number} holds NUL.")
    return value if len(value) <= _LONGEST else ""


def _members(records: Sequence[Record]) -> tuple[Mapping[str, Sequence[str]], Mapping[str, str]]:
    """The groups of each member, by their DN or uid in lower case; and the names of groups, by DN."""
    groups = [record for record in records if record.classes & _GROUPS]
    names = {_plain(record.dn): record.first("cn") or record.dn for record in groups}
    count = Counter(names.values())
    names = {dn: name if count[name] == 1 else dn for dn, name in names.items()}
    found: dict[str, list[str]] = {}
    for record in groups:
        for attribute in ("member", "uniquemember", "memberuid"):
            for member in record.values.get(attribute, ()):
                found.setdefault(_plain(member), []).append(names[_plain(record.dn)])
    return found, names


def _plain(dn: str) -> str:
    """A DN as two that are written differently may be compared: without case, and blanks after commas."""
    return ",".join(part.strip() for part in dn.lower().split(","))


def _person(
    record: Record, members: Mapping[str, Sequence[str]], names: Mapping[str, str], phone_attribute: str
) -> Iterator[Entry]:
    username = record.first(*_NAMES)
    assert username is not None
    hashed = record.first("userpassword")
    password = None if hashed is None else secrets.stored(hashed)
    unlike = None
    if hashed is not None and password == hashed and not hashed.startswith("$"):
        unlike = f"{secrets.scheme(hashed)} is found out by trying, or unknown to Stile"
    of = [names.get(_plain(dn), dn) for dn in record.values.get("memberof", ())]
    groups = [*of, *members.get(_plain(record.dn), ()), *members.get(username.lower(), ())]
    claims = {"given_name": record.first("givenname"), "family_name": record.first("sn")}
    yield Person(
        username=username,
        id=_uuid(record),
        name=record.first("displayname", "cn"),
        email=record.first("mail"),
        locale=record.first("preferredlanguage"),
        groups=tuple(dict.fromkeys(groups)),
        claims={name: value for name, value in claims.items() if value},
        disabled=_disabled(record),
        password=None if unlike else password,
        unlike=unlike,
        temporary=(record.first("pwdreset") or "").upper() == "TRUE",
        phones=tuple(Phone(number) for number in dict.fromkeys(record.values.get(phone_attribute, ())) if number),
    )


def _uuid(record: Record) -> UUID | None:
    try:
        return UUID(record.first("entryuuid", "nsuniqueid") or "")
    except ValueError:
        return None


def _disabled(record: Record) -> bool:
    """Kept out there: by ppolicy for good, by 389 Directory Server, or by Active Directory."""
    control = record.first("useraccountcontrol") or "0"
    off = re.fullmatch("[0-9]{1,10}", control) is not None and int(control) & _DISABLED
    locked = (record.first("pwdaccountlockedtime") or "") == "000001010000Z"  # locked until an administrator says so
    return bool(off) or locked or (record.first("nsaccountlock") or "").lower() == "true"
