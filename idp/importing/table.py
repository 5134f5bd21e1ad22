"""Tables of people in CSV (RFC 4180): one of them a line, the columns named in the first."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO

from idp.importing import secrets
from idp.importing.incoming import Entry, Left, Person, Phone, Unreadable
from idp.importing.pieces import UTF_16, Source, content_of
from idp.oidc.strictjson import storable

COLUMNS = (
    "username", "name", "given_name", "family_name", "email", "email_verified", "phone", "phone_verified", "groups",
    "locale", "disabled", "password_hash", "temporary", "totp",
)  # fmt: skip
_DELIMITERS = ",;\t"
_YES, _NO = {"true", "yes", "1", "x"}, {"false", "no", "0", ""}
_FLAGS = ("email_verified", "phone_verified", "disabled", "temporary")
_BOM = "\ufeff"
_TOLD = 20  # mistakes at once


def read(content: Source, *, phone_attribute: str | None = None) -> Iterator[Entry]:
    """Everybody in the table. Raises `Unreadable`."""
    columns, rows = opened(content_of(content), known=COLUMNS)
    number = (phone_attribute or "phone").lower()
    for column in columns:
        if column not in COLUMNS and column != number:
            yield Left("", f"column {column[:60]}", f"columns are {', '.join(COLUMNS)}")
    people = [(line, row, dict(zip(columns, (cell.strip() for cell in row), strict=False))) for line, row in rows]
    mistakes = [each for line, row, cells in people for each in _mistakes(line, cells, more=len(row) > len(columns))]
    if mistakes:
        others = [f"And {len(mistakes) - _TOLD} mistakes more."] if len(mistakes) > _TOLD else []
        raise Unreadable(*mistakes[:_TOLD], *others)
    for _, _, cells in people:
        yield from _person(cells, number)


def opened(content: bytes, *, known: Sequence[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The columns, one of which is the username, and each row that is not empty, with its line. Raises `Unreadable`."""
    if content.startswith(UTF_16):
        raise Unreadable("The file is in UTF-16: save the table as CSV UTF-8.")
    try:
        text = content.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"Line {line} is not in UTF-8: save the table as CSV UTF-8.") from None
    if not storable(text):
        raise Unreadable("The file holds NUL: save the table as CSV UTF-8.")
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    lines = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        if "field larger" in str(error):
            longest = csv.field_size_limit()
            raise Unreadable(f"Line {lines.line_num} has a cell of more than {longest} characters.") from None
        raise Unreadable(f"Line {lines.line_num} is no CSV: a quote is not closed, or stands where none may.") from None
    if not rows:
        raise Unreadable("The file is empty: its first line names the columns, as username,name,email,phone.")
    columns = [column.strip().lower() for column in rows[0][1]]
    if "username" not in columns:
        raise Unreadable(f"The first line names no column username. Columns are {', '.join(known)}.")
    if len(set(columns)) < len(columns):
        raise Unreadable("The first line names a column twice.")
    return columns, rows[1:]


def _mistakes(line: int, cells: Mapping[str, str], *, more: bool) -> Iterator[str]:
    if more:
        yield f"Line {line} has more cells than there are columns."
        return  # and so each may be in the wrong one
    if not cells.get("username"):
        yield f"Line {line} has no username."
    for column in _FLAGS:
        if cells.get(column, "").lower() not in _YES | _NO:
            yield f"Line {line}: {column} is yes or no."


def _person(cells: Mapping[str, str], number: str) -> Iterator[Entry]:
    username = cells["username"]
    secret = cells.get("totp", "")
    app = secrets.app(secret) if secret else None
    if secret and app is None:
        yield Left(username, "authenticator app", "its secret is neither base32 nor an otpauth address")
    stored = secrets.stored(cells["password_hash"]) if cells.get("password_hash") else None
    phone = cells.get(number, "")
    claims = {name: cells[name] for name in ("given_name", "family_name") if cells.get(name)}
    yield Person(
        username=username,
        name=cells.get("name") or " ".join(claims.values()) or None,
        email=cells.get("email") or None,
        email_verified=_flag(cells, "email_verified"),
        locale=cells.get("locale") or None,
        groups=tuple(dict.fromkeys(group for group in re.split(r"[\s;,|]+", cells.get("groups", "")) if group)),
        claims=claims,
        disabled=_flag(cells, "disabled"),
        password=stored,
        unlike=None if stored is None else secrets.unlike(stored),
        temporary=_flag(cells, "temporary"),
        phones=(Phone(phone, verified=_flag(cells, "phone_verified")),) if phone else (),
        apps=() if app is None else (app,),
    )


def _flag(cells: Mapping[str, str], column: str) -> bool:
    return cells.get(column, "").lower() in _YES
