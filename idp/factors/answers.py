"""What people type into the one code field. Parsing only; nothing is compared here."""

import re

_LONGEST = 64


def six_digits(answer: object) -> str | None:
    """The six ASCII digits of an answer, leading zeros kept, or None when it is anything else (OTP-11).

    Spaces and hyphens between digits are forgiven. Full-width and other Unicode digits, signs, line ends, numbers and
    lists out of JSON are refused before anything is compared or charged.
    """
    if not isinstance(answer, str) or len(answer) > _LONGEST:
        return None
    digits = answer.replace(" ", "").replace("-", "")
    return digits if re.fullmatch("[0-9]{6}", digits) else None
