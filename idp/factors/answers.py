"""What people type into the one code field. Parsing only; nothing is compared here."""

import re

from idp.typed import plain

_LONGEST = 64


def six_digits(answer: object) -> str | None:
    """The six ASCII digits of an answer, leading zeros kept, or None when it is anything else (OTP-11).

    Read as `typed.plain` says: digits of any script count, blanks, hyphens and direction marks do not. Circled and
    superscript digits, signs, line ends, numbers and lists out of JSON are refused before anything is compared or
    charged.
    """
    if not isinstance(answer, str) or len(answer) > _LONGEST:
        return None
    digits = plain(answer).replace(" ", "").replace("-", "")
    return digits if re.fullmatch("[0-9]{6}", digits) else None
