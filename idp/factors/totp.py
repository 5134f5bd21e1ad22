"""Authenticator apps (RFC 6238). Seeds come in unsealed; nothing is loaded or stored here.

Ours show six digits for 30 seconds, by HMAC-SHA-1; those enrolled in other systems show what they were told to.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp

from idp.crypto import equal, random_bytes
from idp.factors.answers import six_digits
from idp.model import OUR_CODES, AppCodes

SEED_BYTES = 20  # RFC 4226 4, R6: 160 bits are recommended
PERIOD = timedelta(seconds=30)
ALGORITHMS = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
DIGITS = (6, 7, 8)
PERIODS = frozenset(timedelta(seconds=seconds) for seconds in (15, 20, 30, 45, 60, 90, 120))
LEAST_SEED, LONGEST_SEED = 16, 128
WINDOW = 1  # steps before and after the current one (RFC 6238 5.2)


@dataclass(frozen=True, slots=True)
class Verified:
    """The answer is right. Store `step` as the authenticator's last one, by compare-and-set, before believing it."""

    step: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """The answer is not accepted. `used`: it is the very code that was accepted last."""

    used: bool = False


def new_seed() -> bytes:
    """A fresh 160-bit seed. Nothing the browser sends has a say in it (TOTP-10)."""
    return random_bytes(SEED_BYTES)


def problem(seed: bytes, codes: AppCodes) -> str | None:
    """Why an app that another system enrolled cannot be asked for codes, as half a sentence; None if it can."""
    if codes.algorithm not in ALGORITHMS:
        return "Stile does not know how it makes its codes"
    if codes.digits not in DIGITS or codes.period not in PERIODS:
        return "its codes are not of 6 to 8 digits, for 15, 20, 30, 45, 60, 90 or 120 seconds"
    # RFC 4226 4, R6: the shared secret MUST be at least 128 bits
    return None if LEAST_SEED <= len(seed) <= LONGEST_SEED else "its secret has not 128 to 1024 bits"


def secret_text(seed: bytes) -> str:
    """The seed in base32 in groups of four, for people who cannot scan."""
    text = base64.b32encode(seed).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def provisioning_uri(seed: bytes, *, account: str, issuer: str) -> str:
    """The `otpauth://totp/…` address that the QR code holds. As secret as the seed."""
    # Apps split the label at the first colon, so a colon in either name would move text from one to the other.
    names = {"name": account.replace(":", " "), "issuer_name": issuer.replace(":", " ")}
    return _totp(seed).provisioning_uri(**names)


def step_at(now: datetime, period: timedelta = PERIOD) -> int:
    """The number of the step, of 30 seconds unless `period` says otherwise, that `now` falls into."""
    return int(now.timestamp() // period.total_seconds())


def check(*, seed: bytes, answer: str, now: datetime, last_step: int, codes: AppCodes = OUR_CODES) -> Verified | Wrong:
    """Judge an answer against the current step and its two neighbours, in constant time.

    Steps only move forward: at or before `last_step` nothing is accepted (RFC 6238 5.2), which includes the code that
    confirmed the enrolment. Spend the attempt before asking.
    """
    digits = six_digits(answer, lengths=(codes.digits,))
    if digits is None:
        return Wrong()
    totp = _totp(seed, codes)
    current = step_at(now, codes.period)
    matches = [
        step
        for step in range(current - WINDOW, current + WINDOW + 1)
        if equal(totp.generate_otp(step).encode(), digits.encode())
    ]
    # The same digits may belong to two steps of the window; the later one is the one that is still good.
    fresh = [step for step in matches if step > last_step]
    return Verified(fresh[0]) if fresh else Wrong(used=last_step in matches)


def _totp(seed: bytes, codes: AppCodes = OUR_CODES) -> pyotp.TOTP:
    if len(seed) < LEAST_SEED:
        raise ValueError(f"a seed has at least {LEAST_SEED} bytes")
    period, how = int(codes.period.total_seconds()), ALGORITHMS[codes.algorithm]
    return pyotp.TOTP(base64.b32encode(seed).decode(), digits=codes.digits, digest=how, interval=period)
