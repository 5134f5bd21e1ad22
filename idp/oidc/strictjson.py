"""JSON from strangers: refuses what parsers disagree about and what UTF-8 or PostgreSQL cannot hold. No schema here."""

import json
from math import isfinite
from typing import Any

MAX_DEPTH = 12


class Malformed(ValueError):
    """Not a JSON object we accept. The text says why and repeats nothing of it."""


def parse_object(text: str | bytes, *, depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The object in `text`; raises `Malformed` for anything else.

    Refused besides broken syntax: a member twice (RFC 7515 4, RFC 7519 4), NaN and infinities, integers of thousands of
    digits, more than `depth` levels, lone surrogates and NUL, encodings other than UTF-8.
    """
    value = _parse(text)
    if not isinstance(value, dict):
        raise Malformed("not an object")
    check(value, depth)
    return value


def parse_array(text: str | bytes, *, depth: int = MAX_DEPTH) -> list[Any]:
    """The array in `text`, with the same care."""
    value = _parse(text)
    if not isinstance(value, list):
        raise Malformed("not an array")
    check(value, depth)
    return value


def _parse(text: str | bytes) -> object:
    try:
        # json.loads would guess UTF-16 and UTF-32 from bytes
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        return json.loads(decoded, object_pairs_hook=_unique)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("not JSON in UTF-8") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("a member occurs twice")
    return members


STRICT = json.JSONDecoder(object_pairs_hook=_unique)  # for who reads value by value, and checks each


def check(value: object, depth: int) -> None:
    """What a value must be besides unique in its members. Raises `Malformed`."""
    if isinstance(value, str):
        if not storable(value):
            raise Malformed("a string holds NUL or half a character")
    elif isinstance(value, float):
        # json takes NaN, and 1e999 for infinity
        if not isfinite(value):
            raise Malformed("a number is too large")
    elif isinstance(value, dict | list):
        if not depth:
            raise Malformed("nested too deep")
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            check(item, depth - 1)


def storable(text: str) -> bool:
    """Whether UTF-8 and PostgreSQL can hold this text: no NUL, no lone surrogate."""
    return "\x00" not in text and (text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text))
