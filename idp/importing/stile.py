"""Exports of ours, line by line: a first one that says what follows, clients, people, and one that says it is whole."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from idp.importing import envelope
from idp.importing.document import Object
from idp.importing.incoming import Unreadable
from idp.importing.pieces import DEPTH, Again, Source, lines_of
from idp.importing.written import VERSION, Kept, read_person
from idp.importing.written_clients import read_client
from idp.model import Registration
from idp.oidc.strictjson import Malformed, parse_object


def read(content: Source, *, passphrase: str | None, now: datetime) -> tuple[str, Iterable[Kept | Registration]]:
    """The RP ID of its passkeys, and everything in it, as often as it is gone through.

    Raises `Unreadable`, at once for a file that is not whole or, where its secrets are sealed, not as it was made.
    """
    lines = _lines(content)
    _, first = next(lines, (0, b""))
    head = _object(1, first)
    if head.text("stile") != "export":
        raise Unreadable("This is no export of Stile: its first line does not say so.")
    if head.whole("version") != VERSION:
        raise Unreadable(f"This export is of another version: this Stile reads version {VERSION}.")
    way = envelope.opened(head, passphrase)
    _check(first, lines, way)
    return head.text("rp_id") or "", Again(lambda: _entries(content, way, now))


def _lines(content: Source) -> Iterator[tuple[int, bytes]]:
    """Each line with its number."""
    try:
        for number, line in enumerate(lines_of(content), 1):
            yield number, line.rstrip(b"\r\n")
    except Malformed as error:
        raise Unreadable(f"The file cannot be read: {error}.") from None


def _check(first: bytes, lines: Iterator[tuple[int, bytes]], way: envelope.Envelope) -> None:
    """Whether the last line counts the others, and vouches for them. Raises `Unreadable`."""
    seen = envelope.Lines(way)
    seen.take(first)
    people = clients = 0
    number, line, last = 1, first, Object({})
    for number, line in lines:
        if "end" in last:
            raise Unreadable(f"The export goes on after its last line: line {number} is no part of it.")
        last = _object(number, line)
        people, clients = people + ("person" in last), clients + ("client" in last)
        if "end" not in last:
            seen.take(line)
    if "end" not in last:
        raise Unreadable(f"The export is cut off: it ends at line {number}, and its last line is not there.")
    if last.members.keys() - {"end", "mac"}:
        # Nothing vouches for this line itself: who comes in it would come from anybody.
        raise Unreadable(f"The last line of the export, line {number}, holds more than counts.")
    end = last.object("end")
    if (end.whole("people"), end.whole("clients")) != (people, clients):
        raise Unreadable("The export is not whole: its last line does not count what is in it.")
    seen.check(last)


def _object(number: int, line: bytes) -> Object:
    try:
        return Object(parse_object(line, depth=DEPTH), f"line {number}")
    except Malformed as error:
        raise Unreadable(f"Line {number} cannot be read: {error}. An export that is cut off ends so.") from None


def _entries(content: Source, way: envelope.Envelope, now: datetime) -> Iterator[Kept | Registration]:
    for number, text in _lines(content):
        line = _object(number, text)
        if "client" in line:
            client = line.object("client")
            yield read_client(client, way.take(line, of=f"client/{client.needed('id')}"), now=now)
        elif "person" in line:
            person = line.object("person")
            yield read_person(person, way.take(line, of=f"person/{person.needed('id')}"), now=now)
