"""Pictures, whole ones and their heads. The real ones were drawn by Chromium, 24 by 24 pixels."""

import struct
import zlib
from base64 import b64decode


def png(width: int = 48, height: int = 48, *, note: bytes = b"") -> bytes:
    """A whole one, of one colour, with a note in it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(b"".join(b"\0" + b"\x1f\x6f\x5c" * width for _ in range(height)))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    told = chunk(b"teXt", note) if note else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + told + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    """The segments of one, with a scan that is none."""
    size = b"\xff\xc0\x00\x0b\x08" + struct.pack(">HH", height, width) + b"\x01\x01\x11\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"scan\xff\x00\xff\xd0more"
    return b"\xff\xd8\xff\xe0\x00\x04ab" + size + scan + b"\xff\xd9"


def webp(kind: bytes, body: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A file of these chunks."""
    chunks = b"".join(
        kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in ((kind, body), *more)
    )
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(7))


REAL_JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8"
    "ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAAR"
    "CAAYABgDASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAAAAQD/8QAFRABAQAAAAAAAAAAAAAAAAAAAgD/xAAXAQEBAQEAAAAAAAAAAAAA"
    "AAAAAgED/8QAFhEBAQEAAAAAAAAAAAAAAAAAAAER/9oADAMBAAIRAxEAPwDICoAgFQBa4SAEqAJF4nAqAJIRQBJIt//Z"
)
REAL_LOSSY = b64decode(
    "UklGRloAAABXRUJQVlA4IE4AAAAwBACdASoYABgAPxF+t1W/p6UyKAgD8CIJQBdgAsTu47IEUFT82wV1ENAA/f+0OT+5fV33qo7GbLjMKWKd"
    "CHQ7IXWSfTkM5iU5m+IAAAA="
)
REAL_LOSSLESS = b64decode(
    "UklGRkABAABXRUJQVlA4TDQBAAAvF8AFAI+CqG0bpckRPv7PkTCQtm2s5Z2SG0jbNtWu9/n5r8P//3ZsQC0DoDUD7VhaBkDeIOogvCAGKihv"
    "EHUqLaCTLO3YDLkMWNrxBjFUQXhB1JnYzQCqYmlnwAbUArK5FlTTjhdEZcobBKiC8DJRxwKHkWSb1rPft23btv3zD+finBAi+s/GbRtJM3uw"
    "UeNnCKKsGablevzBSDSeSKVz+UKxUq2JsmKYluP1BcOxeCKVyeYLpXK11pRUYq8/ALjRZhyC3OrqqKLe7vbpAnZvhCs6/eHYZook5Qrj8QRX"
    "DMeTGVBwPFugCvKusF5u4GIwnszmy/UW6fV2hyvW290B3mu6WG62u/0R2IsqiI8nTEF8usAF7csN3ov29cnZi1ucb483VDB+vL644v7+/Ph7"
    "8fz7Aw=="
)
REAL = {"png": png(24, 24), "jpeg": REAL_JPEG, "lossy": REAL_LOSSY, "lossless": REAL_LOSSLESS}
