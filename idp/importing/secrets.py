"""Seeds and hashes as other systems write them, in our ways. What cannot be read is None, or a sentence about why."""

import base64
import binascii
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from idp.factors import hashes
from idp.importing.incoming import App
from idp.model import AppCodes

_DJANGO = re.compile(r"pbkdf2_(sha1|sha256)\$([0-9]{1,9})\$([^$]{1,64})\$([A-Za-z0-9+/=]{16,128})")
_PREFIXED = re.compile(r"(argon2|bcrypt)\$(\$?(?:argon2|2[aby]\$).*)", re.DOTALL)  # of Django, too
_PASSLIB = re.compile(
    r"(?i:\{PBKDF2(?:[-_](SHA1|SHA256|SHA512))?\})([0-9]{1,9})\$([A-Za-z0-9./]+=*)\$([A-Za-z0-9./]+=*)"
)
_BRACED = re.compile(r"\{([A-Za-z0-9_-]{1,32})\}(.*)", re.DOTALL)
_NAMED = re.compile(r"\$?([a-z][a-z0-9_-]{1,24})\$")
_OURS = {"argon2id", "argon2i", "argon2d", "pbkdf2-sha1", "pbkdf2-sha256", "pbkdf2-sha512"}
_PBKDF2 = re.compile(r"\$pbkdf2-(sha1|sha256|sha512)\$i=([0-9]{1,9})(?:,l=[0-9]{1,4})?\$([^$]{1,128})\$([^$]{1,256})")
_CARRIERS = {"argon2", "bcrypt", "crypt", "pbkdf2"}
_LONGEST_PERIOD = 86_400


def stored(text: str) -> str:
    """A hash in the one syntax of `factors.hashes`, as far as it can be written so; else as it is, to be refused."""
    if (found := _DJANGO.fullmatch(text)) is not None:
        name, iterations, salt, hashed = found.groups()
        value = decoded(hashed)
        return text if value is None else hashes.pbkdf2(name, int(iterations), salt.encode(), value)
    if (found := _PASSLIB.fullmatch(text)) is not None:
        # passlib's own base64 has . where others have +
        salt_, value = decoded(found[3].replace(".", "+")), decoded(found[4].replace(".", "+"))
        if salt_ is not None and value is not None:
            return hashes.pbkdf2((found[1] or "SHA1").lower(), int(found[2]), salt_, value)
    if (found := _PBKDF2.fullmatch(text)) is not None:
        # Kratos and Auth0 go by the hash itself, whatever `l` says
        salt_, value = decoded(found[3]), decoded(found[4])
        if salt_ is not None and value is not None:
            return hashes.pbkdf2(found[1], int(found[2]), salt_, value)
    if (found := _PREFIXED.fullmatch(text)) is not None:
        return f"${found[2].removeprefix('$')}"
    if (found := _BRACED.fullmatch(text)) is not None and found[1].lower() in _CARRIERS:
        return found[2]
    return text


def scheme(text: str) -> str:
    """What a hash calls itself, which is no secret: `{SSHA}`, `scrypt`."""
    if (found := _BRACED.match(text)) is not None:
        return f"{{{found[1].upper()}}}"
    if (found := _NAMED.match(text)) is not None:
        return found[1]
    return "what has no scheme"


def unlike(text: str) -> str | None:
    """Why a hash that `stored` made of another cannot be read, in half a sentence; None for all others."""
    if hashes.read(text) is not hashes.Unfit.UNREADABLE or scheme(text) in _OURS:
        return None
    return f"the hash is {scheme(text)}, which Stile does not compare"


def decoded(text: str) -> bytes | None:
    """Base64, with or without its end."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def base32(text: str) -> bytes | None:
    """A secret as apps are given it to type: base32, in whatever groups and case."""
    bare = re.sub(r"[\s-]", "", text).rstrip("=").upper()
    try:
        return base64.b32decode(bare + "=" * (-len(bare) % 8))
    except (binascii.Error, ValueError):
        return None


def app(text: str, *, label: str = "") -> App | None:
    """An app out of its secret in base32, or of the address in its QR code (otpauth://totp/…?secret=…)."""
    if not text.lower().startswith("otpauth://"):
        seed = base32(text)
        return None if seed is None else App(seed, label)
    try:
        parts = urlsplit(text)
        given = {name.lower(): values[0] for name, values in parse_qs(parts.query).items()}
        seed = base32(given.get("secret", ""))
        digits, seconds = int(given.get("digits", "6")), int(given.get("period", "30"))
    except ValueError:
        return None
    if seed is None or parts.netloc.lower() != "totp":
        return None
    algorithm = given.get("algorithm", "SHA1").upper().removeprefix("HMAC").replace("-", "")
    return App(seed, label, AppCodes(algorithm, digits, period(seconds)))


def period(seconds: int | None) -> timedelta:
    """How long a code is shown, in bounds that a time can hold: what is beyond is none of ours in any case."""
    return timedelta(seconds=min(max(seconds or 0, 0), _LONGEST_PERIOD))
