"""Whether bytes are a picture that may be shown on our pages: told by the bytes, whatever their name says. Pure.

The parts are gone through from the first byte to the last: what is only dressed up as a picture, or has something
behind it, is none. What the pixels are is not looked at.
"""

import re
import zlib
from dataclasses import dataclass, field

from idp.sentences import sentence

LARGEST = 100_000  # bytes
LEAST, MOST = 16, 1024  # pixels, each way
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # ITU T.81 B.1.1.3: SOF0 to SOF15
_EOI, _SOS = 0xD9, 0xDA
# ITU T.81 B.1.1.5: in the data of a scan 0xFF stands before 0x00, or is one of the markers RST0 to RST7
_SCAN = re.compile(rb"(?:[^\xff]|\xff[\x00\xd0-\xd7])+")

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its media type. Nothing that a browser would run: PNG, JPEG or WebP."""

    kind: str
    width: int
    height: int
    content: bytes = field(repr=False)


def read(content: bytes) -> Picture | str:
    """The picture, or why it is none that we show, as the rest of a sentence."""
    if len(content) > LARGEST:
        return sentence("has more than %(kb)s kB", kb=LARGEST // 1000)
    for kind, size in (("image/png", _png(content)), ("image/jpeg", _jpeg(content)), ("image/webp", _webp(content))):
        if size is not None:
            width, height = size
            if not (LEAST <= width <= MOST and LEAST <= height <= MOST):
                return sentence(
                    "is %(width)s x %(height)s pixels, and must be %(least)s to %(most)s each way",
                    width=width,
                    height=height,
                    least=LEAST,
                    most=MOST,
                )
            return Picture(kind, width, height, content)
    return sentence("is no PNG, JPEG or WebP picture, or not a whole one")


def _png(content: bytes) -> Size | None:
    # PNG 5.2, 5.3 and 5.6: chunks with the CRC of each, the first is IHDR, the last IEND, and IDAT is between
    if not content.startswith(_PNG):
        return None
    at, kinds = len(_PNG), list[bytes]()
    while at < len(content):
        length, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        end = at + 12 + length
        crc = zlib.crc32(content[at + 4 : end - 4])
        if end > len(content) or not kind.isalpha() or crc != int.from_bytes(content[end - 4 : end]):
            return None
        kinds.append(kind)
        at = end
    inside = kinds[1:-1]
    whole = kinds[:1] == [b"IHDR"] and kinds[-1:] == [b"IEND"] and content[-12:-8] == bytes(4) and b"IDAT" in inside
    if not whole or {b"IHDR", b"IEND"} & set(inside) or content[8:12] != b"\0\0\0\x0d":
        return None
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


def _jpeg(content: bytes) -> Size | None:
    # ITU T.81 B.1.1.4: after SOI each marker but those of a scan is followed by the length of its segment
    if not content.startswith(b"\xff\xd8\xff"):
        return None
    at, size, scans = 2, None, 0
    while content[at : at + 1] == b"\xff" and at + 1 < len(content):
        marker = content[at + 1]
        if marker == 0xFF:  # B.1.1.2: any marker may have more of these before it
            at += 1
            continue
        if marker == _EOI:
            return size if scans and at + 2 == len(content) else None
        length = int.from_bytes(content[at + 2 : at + 4])
        end = at + 2 + length
        if length < 2 or end > len(content) or marker in {0x00, 0x01, *range(0xD0, 0xD9)}:
            return None
        if marker in _JPEG_SIZES:
            if size is not None or length < 8:
                return None
            size = int.from_bytes(content[at + 7 : at + 9]), int.from_bytes(content[at + 5 : at + 7])
        if marker == _SOS:
            scan = _SCAN.match(content, end)
            if size is None or scan is None:
                return None
            scans, end = scans + 1, scan.end()
        at = end
    return None


def _webp(content: bytes) -> Size | None:
    # RFC 9649 2.3 and 2.4: chunks, each of an even size, fill what the header says that there is
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        return None
    if int.from_bytes(content[4:8], "little") + 8 != len(content):
        return None
    at, chunks = 12, list[tuple[bytes, bytes]]()
    while at < len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        if end > len(content):
            return None
        chunks.append((content[at : at + 4], content[at + 8 : at + 8 + length]))
        at = end
    kinds = [kind for kind, _ in chunks]
    # RFC 9649 2.5 to 2.7: one picture alone, or the extended format, which says first what is in it
    if not chunks or (kinds[0] != b"VP8X" and len(kinds) != 1) or not {b"VP8 ", b"VP8L", b"ANMF"} & set(kinds):
        return None
    return _webp_size(*chunks[0])


def _webp_size(kind: bytes, body: bytes) -> Size | None:
    if len(body) < 10:
        return None
    match kind:
        case b"VP8X":
            return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
        case b"VP8L" if body[0] == 0x2F:
            bits = int.from_bytes(body[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 " if body[3:6] == b"\x9d\x01\x2a":
            return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
        case _:
            return None
