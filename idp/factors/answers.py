"""What people type into the one code field. Parsing only; nothing is compared here."""

import re
from collections.abc import Collection

from idp.typed import plain

_LONGEST = 64


SIX = frozenset({6})


def six_digits(answer: object, *, lengths: Collection[int] = SIX) -> str | None:
    """The six ASCII digits of an answer, leading zeros kept, or None when it is anything else (OTP-11).

    `lengths`: how many there may be, of an app that shows more.

    Read as `typed.plain` says: digits of any script count, blanks, hyphens and direction marks do not. Circled and
    superscript digits, signs, line ends, numbers and lists out of JSON are refused before anything is compared or
    charged.
    """
    if not isinstance(answer, str) or len(answer) > _LONGEST:
        return None
    digits = plain(answer).replace(" ", "").replace("-", "")
    return digits if re.fullmatch("[0-9]+", digits) and len(digits) in lengths else None
