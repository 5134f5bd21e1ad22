"""What DNS says of a name, for `idp doctor`: TXT records, asked of the system's resolvers. Nothing is decided by it.

A few lines of RFC 1035 take the place of a library, for nothing but advice rests on the answer.
"""

import secrets
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

RESOLVERS = Path("/etc/resolv.conf")
PATIENCE = 2.0  # seconds for one resolver
_TXT, _OPT, _IN = 16, 41, 1
_NO_SUCH_NAME = 3
_ASKS, _RECURSION, _CUT = 0x8000, 0x0100, 0x0200  # RFC 1035 4.1.1
_ROOM = 1232  # RFC 6891 6.2.5, as resolvers agree on

Resolver = tuple[str, int]


class NoAnswer(Exception):
    """Nobody answered, or nobody could say. That is no fault of the name."""


def resolvers(path: Path | None = None) -> list[Resolver]:
    """The resolvers that this machine asks, two at most."""
    try:
        lines = (path or RESOLVERS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    named = [line.split() for line in lines]
    return [(words[1], 53) for words in named if len(words) > 1 and words[0] == "nameserver"][:2]


def texts(name: str, servers: Sequence[Resolver]) -> list[str]:
    """The TXT records of a name, aliases followed, none where there is no such name. Raises `NoAnswer`."""
    for server in servers:
        try:
            return _read(_ask(name, server))
        except (OSError, ValueError, IndexError):
            continue
    raise NoAnswer(name)


def _ask(name: str, server: Resolver) -> tuple[bytes, int]:
    """The answer to one question, and where its records begin."""
    number = secrets.token_bytes(2)
    question = _name(name) + bytes((0, _TXT, 0, _IN))
    head = number + _RECURSION.to_bytes(2, "big") + bytes((0, 1, 0, 0, 0, 0, 0, 1))
    room = b"\x00" + _OPT.to_bytes(2, "big") + _ROOM.to_bytes(2, "big") + bytes(6)
    asked = head + question + room
    (family, _, _, _, where), *_ = socket.getaddrinfo(*server, type=socket.SOCK_DGRAM)
    with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(PATIENCE)
        datagrams.connect(where)
        datagrams.send(asked)
        answer = datagrams.recv(65535)
    if int.from_bytes(answer[2:4], "big") & _CUT:
        answer = _by_tcp(asked, server)
    flags = int.from_bytes(answer[2:4], "big")
    if answer[:2] != number or not flags & _ASKS or answer[12 : 12 + len(question)].lower() != question.lower():
        raise ValueError("an answer to something else")
    if flags & 15 not in {0, _NO_SUCH_NAME}:
        raise ValueError("the resolver could not say")
    return answer, 12 + len(question)


def _by_tcp(asked: bytes, server: Resolver) -> bytes:
    """RFC 1035 4.2.2: what is too long for a datagram."""
    with socket.create_connection(server, timeout=PATIENCE) as stream, stream.makefile("rb") as answers:
        stream.sendall(len(asked).to_bytes(2, "big") + asked)
        return answers.read(int.from_bytes(answers.read(2), "big"))


def _name(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    if any(not 0 < len(label) < 64 for label in labels) or sum(len(label) + 1 for label in labels) > 254:
        raise ValueError("no name")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\x00"


def _read(answered: tuple[bytes, int]) -> list[str]:
    answer, at = answered
    found = []
    for _ in range(int.from_bytes(answer[6:8], "big")):
        at = _behind_name(answer, at)
        kind, size = int.from_bytes(answer[at : at + 2], "big"), int.from_bytes(answer[at + 8 : at + 10], "big")
        if at + 10 + size > len(answer):
            raise ValueError("cut off")
        if kind == _TXT:
            found.append(b"".join(_strings(answer[at + 10 : at + 10 + size])).decode("utf-8", "replace"))
        at += 10 + size
    return found


def _behind_name(answer: bytes, at: int) -> int:
    while True:
        size = answer[at]
        if size & 0xC0:  # RFC 1035 4.1.4: the rest stands elsewhere
            return at + 2
        at += 1 + size
        if not size:
            return at


def _strings(data: bytes) -> Iterator[bytes]:
    while data:
        yield data[1 : 1 + data[0]]
        data = data[1 + data[0] :]
