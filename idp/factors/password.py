"""Passwords: parsing, argon2id and the threads it runs in. What a new one must not be is in `strength`.

Hashes that other systems made are read and compared in `hashes`.
"""

import asyncio
import base64
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self, TypeVar

import argon2

from idp.crypto import random_bytes
from idp.errors import Busy, Unavailable
from idp.factors import hashes

T = TypeVar("T")

MAX_CHARACTERS = 1000
_HANDED_OVER = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16)


def _unpadded(count: int) -> str:
    return base64.b64encode(bytes(count)).rstrip(b"=").decode()


# The hash of nobody: the same parameters, so the same work, and nothing hashes to 32 zero bytes (promise 9).
NOBODY = (
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    f"${_unpadded(_HASHER.salt_len)}${_unpadded(_HASHER.hash_len)}"
)


@dataclass(frozen=True, slots=True)
class Password:
    """A password that was parsed: of bearable length, normalised, without control characters. Never shown."""

    text: str = field(repr=False)


def temporary(drawn: bytes | None = None) -> str:
    """A password to hand over, 80 random bits that can be read aloud: `7k3f-9qzm-4r2t-xw8h`.

    The same for the same sixteen bytes, where some were `drawn` before.
    """
    letters = "".join(_HANDED_OVER[byte & 31] for byte in drawn or random_bytes(16))
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def parse(text: object) -> Password | None:
    """The password in what was typed, or None for what cannot be one: empty, over 1,000 characters, control characters.

    The OpaqueString profile (RFC 8265 4.2): other spaces become U+0020, then NFC; case and width stay. NFC and not NFKC
    also keeps U+FDFA one character instead of eighteen (DOS-07). The length is looked at first, so a megabyte costs
    nothing.
    """
    if not isinstance(text, str) or not 0 < len(text) <= MAX_CHARACTERS:
        return None
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)
    # Cc: controls, among them NUL. Cs: lone surrogates, which UTF-8 cannot hold. Co, Cn are let through: harmless.
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in spaced):
        return None
    return Password(unicodedata.normalize("NFC", spaced))


def hash_password(password: Password) -> str:
    """The argon2id string to store. About 25 ms of CPU and 19 MiB, by choice: call it through `PasswordThreads`."""
    return _HASHER.hash(password.text)


def verify(password: Password, *, hashed: str | None) -> bool:
    """Whether this is the password that was hashed. With None (no such person, no password) False after as much work.

    The hash may be another system's. Raises `Unavailable` when the stored value is none that is compared: broken data
    is not a wrong password.
    """
    stored = hashes.read(NOBODY if hashed is None else hashed)
    if isinstance(stored, hashes.Unfit):
        raise Unavailable("A stored password hash cannot be read.")
    try:
        return hashes.verify(stored, password.text.encode())
    except ValueError:
        raise Unavailable("A stored password hash cannot be read.") from None


def needs_rehash(password: Password, *, hashed: str) -> bool:
    """Whether a hash is another system's, or has other parameters than today's: store a new one of a right password.

    Not while bcrypt is all that is known of it and it is longer than bcrypt looks: its end may be mistyped.
    """
    stored = hashes.read(hashed)
    if isinstance(stored, hashes.Unfit) or not hashes.covers(stored, password.text.encode()):
        return False
    return not isinstance(stored, hashes.Argon2) or _HASHER.check_needs_rehash(hashed)


def _give_way() -> None:
    """This thread runs when no other wants to: every other request answers in a millisecond, a hash takes 25."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + 10))


class PasswordThreads:
    """As many threads as processors for argon2id, and a bounded queue: overload is "not now", no growing backlog."""

    def __init__(self, *, threads: int | None = None, queue: int = 64) -> None:
        count = threads or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="argon2", initializer=_give_way)
        self._places = threading.BoundedSemaphore(count + queue)

    async def verify(self, password: Password, *, hashed: str | None) -> bool:
        """`verify`, off the event loop. Raises `Busy` when the queue is full."""
        return await self._run(lambda: verify(password, hashed=hashed))

    async def hash_password(self, password: Password) -> str:
        """`hash_password`, off the event loop. Raises `Busy` when the queue is full."""
        return await self._run(lambda: hash_password(password))

    def close(self) -> None:
        """Drop what is queued and wait for what is running."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise Busy("Too many passwords are being checked at once.")
        try:
            job = self._pool.submit(work)
        except BaseException:
            self._places.release()
            raise
        # Given back when the work ends or is dropped from the queue, not when the caller stops waiting.
        job.add_done_callback(self._give_back)
        return await asyncio.wrap_future(job)

    def _give_back(self, _: Future[T]) -> None:
        self._places.release()
