"""LDIF of directories (RFC 2849): people, and the groups that name them."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from idp.factors import hashes
from idp.importing import secrets
from idp.importing.incoming import Entry, Left, Person, Phone, Unreadable
from idp.importing.pieces import Source, lines_of
from idp.oidc.strictjson import Malformed, storable

_LONGEST = 100_000  # characters of one value; a photo is longer and is nothing of ours
_BOM = "\ufeff"
_GROUPS = {"groupofnames", "groupofuniquenames", "group", "posixgroup", "groupofmembers"}
_THINGS = {"computer", "msds-managedserviceaccount", "msds-groupmanagedserviceaccount", "trusteddomain"}
_OF_THE_SEARCH = {"search", "result", "ref"}  # what `ldapsearch` says beside entries, without -LLL
_NAMES = ("uid", "samaccountname", "userprincipalname")
_PARTS = re.compile(r"(?:\\.|[^\\,])+", re.DOTALL)  # of a DN
_ESCAPED = re.compile(rb"\\(?:([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_HEX = re.compile(rb"[0-9A-Fa-f]{2}")
_EPOCH, _TICKS_FROM = datetime(1970, 1, 1, tzinfo=UTC), datetime(1601, 1, 1, tzinfo=UTC)
_NEVER = {0}
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


def read(content: Source, *, phone_attribute: str | None = None) -> Iterator[Entry]:
    """Everybody in the file. Raises `Unreadable`."""
    groups = Groups(record for record in records_of(content) if record.classes & _GROUPS)
    yield from groups.inside_others()
    people = things = 0
    for record in records_of(content):
        name = record.first(*_NAMES)
        if name is None or record.classes & _GROUPS:
            continue
        if name.endswith("$") or record.classes & _THINGS:  # how Active Directory and Samba name what is no person
            things += 1
            continue
        people += 1
        yield _person(record, groups, (phone_attribute or "mobile").lower())
    if things:
        yield Left("", f"{things} computers and service accounts", "they are no people")
    if not people:
        raise Unreadable("The file has no people: no entry has uid, sAMAccountName or userPrincipalName.")


def records_of(content: Source) -> Iterator[Record]:
    """The entries of the file. Changes are none: only what is there can come."""
    lines: list[tuple[int, list[str]]] = []
    for number, line in enumerate(_lines(content), 1):
        if line.startswith(" ") and lines:
            lines[-1][1].append(line[1:])
        elif line.strip():
            lines.append((number, [line]))
        elif lines:
            yield from _record([(first, "".join(parts)) for first, parts in lines])
            lines = []


def _lines(content: Source) -> Iterator[str]:
    """The lines as they stand in the file, and an empty one at its end."""
    bom = _BOM
    try:
        for line in lines_of(content):
            yield line.decode("utf-8").removeprefix(bom).removesuffix("\n").removesuffix("\r")
            bom = ""
    except UnicodeDecodeError:
        raise Unreadable("The file is not in UTF-8, as LDIF is (RFC 2849).") from None
    except Malformed as error:
        raise Unreadable(f"The file cannot be read: {error}.") from None
    yield ""


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
        elif dn is None and name in _OF_THE_SEARCH:
            return
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


class Groups:
    """The groups of a directory, and who is in each: by DN, or in a posixGroup by `uid` and `gidNumber`.

    Each goes by its `cn`, or by its DN where two have one `cn`.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        groups = [
            (plain_dn(each.dn), each, each.first("cn") or each.dn, "posixgroup" in each.classes) for each in records
        ]
        count = Counter(cn.lower() for _, _, cn, _ in groups)
        self._names = {dn: cn if count[cn.lower()] == 1 else each.dn for dn, each, cn, _ in groups}
        self._by_dn: dict[str, list[str]] = {}
        self._by_uid: dict[str, list[str]] = {}
        self._by_number: dict[str, list[str]] = {}
        for dn, each, _, posix in groups:
            for member in (*each.values.get("member", ()), *each.values.get("uniquemember", ())):
                self._by_dn.setdefault(plain_dn(member), []).append(dn)
            for uid in each.values.get("memberuid", ()):
                self._by_uid.setdefault(uid.lower(), []).append(dn)
            if posix and (number := each.first("gidnumber")) is not None:
                self._by_number.setdefault(number, []).append(dn)

    def of(self, person: Record) -> Mapping[str, str]:
        """Their groups, each with its DN."""
        found = [plain_dn(dn) for dn in person.values.get("memberof", ())]
        found += self._by_dn.get(plain_dn(person.dn), ())
        found += [dn for uid in person.values.get("uid", ()) for dn in self._by_uid.get(uid.lower(), ())]
        # RFC 2307 5.3: the first group of somebody is in no list of members
        found += [dn for number in person.values.get("gidnumber", ()) for dn in self._by_number.get(number, ())]
        written = {plain_dn(dn): dn for dn in person.values.get("memberof", ())}
        return {self._names.get(dn, written.get(dn, dn)): dn for dn in found}

    def inside_others(self) -> Iterator[Left]:
        """Groups that are members of groups."""
        for dn, name in self._names.items():
            for outer in self._by_dn.get(dn, ()):
                why = "Stile has no groups in groups: its members come into it, and not into the outer one"
                yield Left("", f"group {name} in group {self._names[outer]}", why)


def plain_dn(dn: str) -> str:
    """A DN as two may be compared (RFC 4514), however they are written: without case, blanks and needless escapes."""
    return ",".join(_plain_part(part) for part in _PARTS.findall(dn))


def _plain_part(part: str) -> str:
    name, _, value = part.partition("=")
    raw = _ESCAPED.sub(lambda found: _unescaped(found[1] or found[2]), value.strip().encode())
    text = " ".join(raw.decode("utf-8", "replace").lower().split())
    # What a comma or a backslash is part of stays one part.
    return f"{name.strip().lower()}={text.replace(chr(92), chr(92) * 2).replace(',', chr(92) + ',')}"


def _unescaped(found: bytes) -> bytes:
    return bytes.fromhex(found.decode()) if _HEX.fullmatch(found) else found


def _person(record: Record, groups: Groups, phone_attribute: str) -> Person:
    username = record.first(*_NAMES)
    assert username is not None
    password, unlike = _password(record)
    theirs = groups.of(record)
    claims = {"given_name": record.first("givenname"), "family_name": record.first("sn")}
    return Person(
        username=username,
        id=_uuid(record),
        name=record.first("displayname", "cn"),
        email=record.first("mail"),
        locale=record.first("preferredlanguage"),
        groups=tuple(theirs),
        whole_names=theirs,
        claims={name: value for name, value in claims.items() if value},
        disabled=_disabled(record),
        until=_until(record),
        password=password,
        unlike=unlike,
        temporary=(record.first("pwdreset") or "").upper() == "TRUE",
        phones=tuple(Phone(number) for number in dict.fromkeys(record.values.get(phone_attribute, ())) if number),
    )


def _password(record: Record) -> tuple[str | None, str | None]:
    """Of several hashes the first that can be compared; or why none can."""
    unlike = None
    for hashed in record.values.get("userpassword", ()):
        password = secrets.stored(hashed)
        if not isinstance(hashes.read(password), hashes.Unfit):
            return password, None
        if hashed and password == hashed and not hashed.startswith("$"):
            unlike = unlike or f"{secrets.scheme(hashed)} is found out by trying, or unknown to Stile"
    first = record.first("userpassword")
    return (None, unlike) if unlike or first is None else (secrets.stored(first), None)


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
    flags = ("nsaccountlock", "logindisabled")  # of 389 Directory Server and eDirectory
    return bool(off) or locked or any((record.first(flag) or "").lower() == "true" for flag in flags)


def _until(record: Record) -> datetime | None:
    """When the account ends there, or has ended: by days, by Windows' ticks, by a time."""
    days, ticks, at = (
        record.first("shadowexpire"),
        record.first("accountexpires"),
        record.first("krbprincipalexpiration"),
    )
    if days is not None and re.fullmatch("[0-9]{1,6}", days):
        return _EPOCH + timedelta(days=int(days))
    if ticks is not None and re.fullmatch("[0-9]{1,18}", ticks) and int(ticks) not in _NEVER:
        return _TICKS_FROM + timedelta(microseconds=int(ticks) // 10)
    if at is not None and re.fullmatch("[0-9]{14}Z", at):
        with suppress(ValueError):
            return datetime.strptime(at, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    return None
