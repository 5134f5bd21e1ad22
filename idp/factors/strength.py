"""What a new password must not be (NIST SP 800-63B-4 3.1.1.2). No composition rules; never asked when verifying."""

import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache
from importlib.resources import files

from idp.factors.password import MAX_CHARACTERS, parse

MIN_CHARACTERS = 8  # of a password that is never used alone; a second factor is always asked here
_DECORATION = 4  # "dragon2024!": a common word with so few characters around it is that word
_SHORTEST_WORD = 3
_RUN = 3
_LONGEST_RUNS = 64  # bounds the work; nobody types more of the keyboard without repeating it
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "йцукенгшщзхъ",
    "фывапролджэ",
    "ячсмитьбю",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "147258369",
    "!@#$%^&*()",
)
_LEET = str.maketrans("@4831!05$7", "aabeiiosst")
_LEET_L = str.maketrans("1!", "ll")


class Problem(StrEnum):
    """Why a new password is refused. Pages have one sentence for each."""

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"  # control characters
    COMMON = "common"
    NAMES = "names"  # mostly the username, the brand or the like
    REPETITIVE = "repetitive"
    SEQUENCE = "sequence"


def acceptable(password: str, *, username: str, words: Iterable[str] = ()) -> list[Problem]:
    """Every reason to refuse this as a new password; empty when it may be set.

    `words` are further names an attacker would try first: the brand, the person's names, the local part of the e-mail
    address. Length is counted in characters as typed after normalisation, each code point one.
    """
    if len(password) > MAX_CHARACTERS:
        return [Problem.TOO_LONG]
    parsed = parse(password)
    if parsed is None:
        return [Problem.UNREADABLE if password else Problem.TOO_SHORT]
    text = unicodedata.normalize("NFKC", parsed.text).casefold()
    problems = {
        Problem.TOO_SHORT: len(parsed.text) < MIN_CHARACTERS,
        Problem.COMMON: any(guess in common_passwords() for guess in _guesses(text)),
        Problem.NAMES: any(_mostly(text, word.casefold()) for word in (username, *words)),
        Problem.REPETITIVE: _repeats(text),
        Problem.SEQUENCE: _is_runs(text),
    }
    return [problem for problem, found in problems.items() if found]


@cache
def common_passwords() -> frozenset[str]:
    """The bundled list, read once, when first needed."""
    return frozenset((files("idp.factors") / "common_passwords.txt").read_text(encoding="utf-8").split())


def _guesses(text: str) -> Iterator[str]:
    """The password and the common words it may be a decoration of: `P@ssw0rd2024!` is `password`."""
    yield text
    joined = "".join(text.split())
    yield joined
    core = joined.strip("0123456789!?.,;:_-+*#@$%&/=()'\"~^<>")
    if len(joined) - len(core) <= _DECORATION:
        yield core
        yield core.translate(_LEET)
        yield core.translate(_LEET_L).translate(_LEET)
    yield joined.translate(_LEET)
    yield joined.translate(_LEET_L).translate(_LEET)


def _mostly(text: str, word: str) -> bool:
    # What is left without the name has to be long enough by itself.
    return len(word) >= _SHORTEST_WORD and word in text and len(text.replace(word, "")) < MIN_CHARACTERS


def _repeats(text: str) -> bool:
    """One unit again and again (`abcabcabc`), or hardly any different characters."""
    if len(set(text)) <= 2:
        return True
    return any(
        text == (text[:unit] * len(text))[: len(text)] for unit in range(1, min(MIN_CHARACTERS, len(text) // 2 + 1))
    )


def _is_runs(text: str) -> bool:
    """Nothing but neighbours on a keyboard or in the alphabet, either way: `qwerty123`, `4321dcba`."""
    if len(text) > _LONGEST_RUNS:
        return False
    reached = {0}
    for end in range(_RUN, len(text) + 1):
        if any(start in reached and _is_run(text[start:end]) for start in range(end - _RUN + 1)):
            reached.add(end)
    return len(text) >= _RUN and len(text) in reached


def _is_run(piece: str) -> bool:
    return any(piece in run or piece[::-1] in run for run in _RUNS)
