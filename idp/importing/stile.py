"""Exports of ours, line by line: a first one that says what follows, clients, people, and one that says it is whole."""

from collections.abc import Iterator
from datetime import datetime

from idp.importing import envelope
from idp.importing.document import Object, read_list
from idp.importing.incoming import Unreadable
from idp.importing.written import VERSION, Kept, read_client, read_person
from idp.model import Client


def read(content: bytes, *, passphrase: str | None, now: datetime) -> tuple[str, Iterator[Kept | Client]]:
    """The RP ID of its passkeys, and everything in it. Raises `Unreadable`, at once for a file that is not whole."""
    head, *lines = read_list(content, inside="lines") or [Object({})]
    if head.text("stile") != "export":
        raise Unreadable("This is no export of Stile: its first line does not say so.")
    if head.whole("version") != VERSION:
        raise Unreadable(f"This export is of another version: this Stile reads version {VERSION}.")
    end = lines[-1].object("end") if lines else Object({})
    people, clients = sum("person" in line for line in lines), sum("client" in line for line in lines)
    if (end.whole("people"), end.whole("clients")) != (people, clients):
        raise Unreadable("The export is not whole: its last line does not count what is in it.")
    return head.text("rp_id") or "", _entries(lines, envelope.opened(head, passphrase), now)


def _entries(lines: list[Object], way: envelope.Envelope, now: datetime) -> Iterator[Kept | Client]:
    for line in lines:
        if "client" in line:
            client = line.object("client")
            yield read_client(client, way.take(line, of=f"client/{client.needed('id')}"))
        elif "person" in line:
            person = line.object("person")
            yield read_person(person, way.take(line, of=f"person/{person.needed('id')}"), now=now)
