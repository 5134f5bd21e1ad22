"""Recovery codes: ten on paper, each good once. Made and read here; used up by the store, by one UPDATE."""

import re
from uuid import UUID

from idp.crypto import mac, random_bytes
from idp.typed import plain

COUNT = 10
GROUP = 4
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
_CHARACTERS = 16  # of 5 bits: 80 random bits, where REC-02 wants 64
_LONGEST = 64
_LOOK_ALIKES = str.maketrans("OIL", "011")


def new_codes() -> tuple[str, ...]:
    """Ten different codes as people see them, `7K3F-9QZM-4R2T-XW8H`. Show them once; store `stored(…)` of each."""
    codes: set[str] = set()
    while len(codes) < COUNT:
        codes.add(_code())
    return tuple(codes)


def normalise_answer(answer: object) -> str | None:
    """The 16 characters of a typed code, or None when it cannot be one.

    Forgiven: case, spaces, hyphens, `O` for `0`, `I` and `L` for `1`, and how a keyboard writes them (`typed.plain`).
    """
    if not isinstance(answer, str) or len(answer) > _LONGEST:
        return None
    # str.upper turns a dotless i into an I: only ASCII gets that far.
    if not (text := plain(answer)).isascii():
        return None
    text = text.replace(" ", "").replace("-", "").upper().translate(_LOOK_ALIKES)
    return text if re.fullmatch(f"[{_ALPHABET}]{{{_CHARACTERS}}}", text) else None


def stored(code: str, *, authenticator_id: UUID) -> bytes:
    """What is stored of a normalised code, and looked up by equality.

    Bound to the set it belongs to: a stolen table has to be searched set by set, 2**80 for each.
    """
    return mac(b"stile/recovery", authenticator_id.bytes, code.encode())


def _code() -> str:
    number = int.from_bytes(random_bytes(_CHARACTERS * 5 // 8), "big")
    text = "".join(_ALPHABET[number >> 5 * place & 31] for place in range(_CHARACTERS))
    return "-".join(text[start : start + GROUP] for start in range(0, _CHARACTERS, GROUP))
