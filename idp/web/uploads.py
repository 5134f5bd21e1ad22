"""A form with a file, as browsers post it: multipart/form-data, read whole and strictly. Pure.

RFC 7578 with what HTML sends of it: each part is named, and nothing stands before the first or behind the last.
"""

import re
from dataclasses import dataclass, field

_MOST_PARTS = 20
_TYPE = re.compile(r'multipart/form-data; *boundary=("?)([0-9A-Za-z\'()+_,./:=?-]{1,70})\1', re.IGNORECASE)
# HTML: of a name it quotes " as %22, CR as %0D and LF as %0A, and escapes nothing else
_NAMED = re.compile(rb'content-disposition: *form-data; *name="([^"\r\n]*)"(; *filename="([^"\r\n]*)")?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parts:
    """The fields in order, and the files by their names; one that nobody chose is there as no bytes."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)


def boundary(content_type: str) -> bytes | None:
    """What stands between the parts of a body of this type; None if it is another type."""
    match = _TYPE.fullmatch(content_type.strip())
    return None if match is None else match[2].encode()


def read(body: bytes, between: bytes) -> Parts | None:
    """The parts of a body; None if it is none that a browser sends."""
    # RFC 2046 5.1.1: the line break before a delimiter is part of it
    pieces = (b"\r\n" + body).split(b"\r\n--" + between)
    if len(pieces) < 2 or pieces[0] or pieces[-1] not in {b"--", b"--\r\n"} or len(pieces) > _MOST_PARTS + 2:
        return None
    found = Parts()
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        named = [match for match in map(_NAMED.fullmatch, lines) if match is not None]
        if not blank or lines[0] or len(named) != 1:
            return None
        try:
            name = named[0][1].decode()
            if named[0][2] is None:
                found.fields.append((name, content.decode()))
                continue
        except UnicodeDecodeError:
            return None
        if name in found.files:
            return None
        found.files[name] = content
    return found
