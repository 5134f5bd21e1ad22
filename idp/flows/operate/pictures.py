"""Whether bytes are a picture that may be shown on our pages: told by the bytes, whatever their name says. Pure."""

from dataclasses import dataclass, field

from idp.sentences import sentence

LARGEST = 100_000  # bytes
LEAST, MOST = 16, 1024  # pixels, each way
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # ITU T.81 B.1.1.3: SOF0 to SOF15


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


def _png(content: bytes) -> tuple[int, int] | None:
    # PNG 5.2, 11.2.2 and 11.2.5: it begins with IHDR and ends with IEND
    if content[:8] != _PNG or content[12:16] != b"IHDR" or content[-8:] != b"IEND\xaeB`\x82":
        return None
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


def _jpeg(content: bytes) -> tuple[int, int] | None:
    if content[:3] != b"\xff\xd8\xff" or content[-2:] != b"\xff\xd9":
        return None
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if marker in _JPEG_SIZES:
            return int.from_bytes(content[at + 7 : at + 9]), int.from_bytes(content[at + 5 : at + 7])
        if length < 2:
            return None
        at += 2 + length
    return None


def _webp(content: bytes) -> tuple[int, int] | None:
    # RFC 9649 2.4: the size in the header is that of all that follows it
    whole = int.from_bytes(content[4:8], "little") + 8 == len(content) >= 30
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or not whole:
        return None
    body = content[20:30]
    match content[12:16]:
        case b"VP8X":
            return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
        case b"VP8L" if body[0] == 0x2F:
            bits = int.from_bytes(body[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 " if body[3:6] == b"\x9d\x01\x2a":
            return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
        case _:
            return None
