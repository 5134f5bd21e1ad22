"""Password hashes, those of other systems too: read, bounded, compared. In the syntax of PHC strings, and bcrypt's.

What it would cost to compare is looked at before any work. No hash of ours is made here.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import assert_never

import argon2
import bcrypt

from idp.crypto import equal

BCRYPT_BYTES = 72  # of the password; bcrypt has never looked at more

# What a comparison may cost at most, about a second of one processor, and 256 MiB.
MAX_MEMORY = 256 * 1024  # KiB
MAX_WORK = 1024 * 1024  # KiB times passes
MAX_LANES = 16
MAX_THREADS = 1024  # passes times lanes: each begins four, which cost more than a little memory does
MAX_COST = 14
MAX_ITERATIONS: Mapping[str, int] = MappingProxyType({"sha1": 4_000_000, "sha256": 4_000_000, "sha512": 2_000_000})
# Under this a password is found by trying: NIST SP 800-132 5.2 wants a thousand.
MIN_ITERATIONS = 1_000
MIN_COST = 4

_LONGEST = 512
_COMPARES = argon2.PasswordHasher()  # with the parameters of each hash
_PBKDF2 = re.compile(
    r"\$pbkdf2-(?P<name>sha1|sha256|sha512)\$i=(?P<i>[1-9][0-9]{0,8}),l=(?P<l>[1-9][0-9]{0,3})"
    r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<hash>[A-Za-z0-9+/]+)"
)
_ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$(?:v=(?:16|19)\$)?m=(?P<m>[1-9][0-9]{0,8}),t=(?P<t>[1-9][0-9]{0,8}),"
    r"p=(?P<p>[1-9][0-9]{0,8})\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}"
)
# Of the last characters of salt and hash two and four bits are no part of them: where they are set nothing compares.
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]")


class Unfit(StrEnum):
    """Why a hash is not compared with anything."""

    UNREADABLE = "unreadable"
    TOO_DEAR = "too_dear"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class Argon2:
    """RFC 9106, any of its three kinds."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pbkdf2:
    """RFC 8018 5.2, with HMAC of the hash function `name`."""

    name: str
    iterations: int
    salt: bytes = field(repr=False)
    hashed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bcrypt:
    """`$2a$`, `$2b$` or `$2y$`, which differ in nothing that a password of ours can hold."""

    text: str = field(repr=False)


Hash = Argon2 | Pbkdf2 | Bcrypt


def read(text: str) -> Hash | Unfit:
    """The hash in a stored string, if comparing with it is bearable."""
    if len(text) <= _LONGEST:
        for pattern, reader in _READERS:
            if (found := pattern.fullmatch(text)) is not None:
                return reader(found)
    return Unfit.UNREADABLE


def _read_argon2(found: re.Match[str]) -> Hash | Unfit:
    memory, passes, lanes = int(found["m"]), int(found["t"]), int(found["p"])
    if memory > MAX_MEMORY or memory * passes > MAX_WORK or lanes > MAX_LANES:
        return Unfit.TOO_DEAR
    if lanes > 1 and passes * lanes > MAX_THREADS:
        return Unfit.TOO_DEAR
    if memory < 8 * lanes:  # RFC 9106 3.1
        return Unfit.UNREADABLE
    try:
        argon2.extract_parameters(found[0])
    except argon2.exceptions.InvalidHashError:
        return Unfit.UNREADABLE
    return Argon2(found[0])


def _read_pbkdf2(found: re.Match[str]) -> Hash | Unfit:
    iterations = int(found["i"])
    if iterations > MAX_ITERATIONS[found["name"]]:
        return Unfit.TOO_DEAR
    if iterations < MIN_ITERATIONS:
        return Unfit.WEAK
    salt, hashed = _bytes(found["salt"]), _bytes(found["hash"])
    if salt is None or hashed is None or len(hashed) != int(found["l"]) or len(hashed) < 16:
        return Unfit.UNREADABLE
    return Pbkdf2(found["name"], iterations, salt, hashed)


def _read_bcrypt(found: re.Match[str]) -> Hash | Unfit:
    cost = int(found["cost"])
    if cost > MAX_COST:
        return Unfit.TOO_DEAR
    return Unfit.UNREADABLE if cost < MIN_COST else Bcrypt(found[0])


_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Hash | Unfit]], ...] = (
    (_ARGON2, _read_argon2),
    (_PBKDF2, _read_pbkdf2),
    (_BCRYPT, _read_bcrypt),
)


def pbkdf2(name: str, iterations: int, salt: bytes, hashed: bytes) -> str:
    """The string to store of a PBKDF2 hash, whatever its numbers: `read` judges them."""
    return f"$pbkdf2-{name}$i={iterations},l={len(hashed)}${unpadded(salt)}${unpadded(hashed)}"


def verify(stored: Hash, password: bytes) -> bool:
    """Whether this is the password, in UTF-8, that was hashed. Raises `ValueError` where the string holds nonsense."""
    match stored:
        case Argon2(text):
            try:
                return _COMPARES.verify(text, password)
            except argon2.exceptions.VerifyMismatchError:
                return False
            except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
                raise ValueError("no argon2 hash") from None
        case Pbkdf2(name, iterations, salt, hashed):
            # RFC 8018 5.2: each block of the key is made by itself. The first is 160 bits or more, and costs a quarter
            # of Keycloak's 64 bytes of HMAC-SHA-1.
            first = hashed[: hashlib.new(name, usedforsecurity=False).digest_size]
            return equal(hashlib.pbkdf2_hmac(name, password, salt, iterations, len(first)), first)
        case Bcrypt(text):
            # The others cut it off there; the library refuses what is longer.
            return bcrypt.checkpw(password[:BCRYPT_BYTES], text.encode())
        case _:
            assert_never(stored)


def covers(stored: Hash, password: bytes) -> bool:
    """Whether a right answer says that all of it is right: bcrypt looked at the first 72 bytes alone."""
    return not isinstance(stored, Bcrypt) or len(password) <= BCRYPT_BYTES


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None


def unpadded(value: bytes) -> str:
    """Base64 as PHC strings have it."""
    return base64.b64encode(value).rstrip(b"=").decode()
