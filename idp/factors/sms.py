"""Codes by text message: derived when sent and when compared, never stored (design 6). No sending, no counting."""

import hashlib

from idp.crypto import equal, mac
from idp.factors.answers import six_digits

NONCE_BYTES = 16
NO_DETAILS = hashlib.sha256(b"").digest()


def code(*, key: bytes, nonce: bytes, purpose: str, details: bytes = NO_DETAILS) -> str:
    """Six digits for this challenge, purpose and transaction alone, and the same ones each time.

    `nonce` are the challenge's 16 random bytes, `details` the SHA-256 of what is being approved. A resend carries the
    same code, changed details another one, and a database without the key tells nothing.
    """
    if len(nonce) != NONCE_BYTES or len(details) != len(NO_DETAILS):
        raise ValueError("a code needs a nonce of 16 bytes and a SHA-256 of the details")
    number = int.from_bytes(mac(key, nonce, purpose.encode(), details)[:8], "big")
    # 2**64 is no multiple of 10**6; the bias is below 1 in 10**13.
    return f"{number % 1_000_000:06d}"


def check(*, key: bytes, nonce: bytes, purpose: str, details: bytes = NO_DETAILS, answer: str) -> bool:
    """Whether `answer` is the code of this challenge, in constant time. Spend the attempt before asking."""
    digits = six_digits(answer)
    expected = code(key=key, nonce=nonce, purpose=purpose, details=details)
    return digits is not None and equal(digits.encode(), expected.encode())
