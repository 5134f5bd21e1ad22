"""Every mistake in what was sent, by the types of an endpoint: where each is, and a sentence for who reads."""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import msgspec

from idp.web.api.problems import Mistake

MOST = 20  # that are told at once; who sends more than that sends something else
_SHOWN = 60  # characters of a name that the client chose
_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "bytes": "a text in base64",
    "datetime": "a time with its zone, as in 2026-01-31T18:00:00Z",
    "null": "null",
}
_BOUNDS = {
    "str` of length <=": "must have {} characters at most",
    "array` of length <=": "must have {} items at most",
    "int` >=": "must be {} at least",
    "int` <=": "must be {} at most",
}


def mistakes(given: Mapping[str, Any], kind: type[msgspec.Struct], *, strict: bool) -> tuple[Mistake, ...]:
    """What of these members is not as `kind` has them, `MOST` at most. Values of an address are not `strict`."""
    found: list[Mistake] = []
    for each in _all(given, kind, strict=strict):
        if len(found) == MOST:
            return (*found, Mistake("", "There are more mistakes than are told here."))
        found.append(each)
    return tuple(found)


def well_typed(given: Mapping[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The members that are as `kind` has them, by their types."""
    types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    return {
        name: msgspec.convert(value, types[name])
        for name, value in given.items()
        if name in types and _problem(value, types[name], strict=True) is None
    }


def in_words(found: Iterable[Mistake]) -> str:
    """All of them, for who reads."""
    return " ".join(each.detail for each in found)


def _all(given: Mapping[str, Any], kind: type[msgspec.Struct], *, strict: bool) -> Iterator[Mistake]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in given:
        if name not in fields:
            there = f"there are {', '.join(fields)}" if fields else "there are none"
            yield _mistake((name,), f"is nothing that can be said here: {there}")
    for name, field in fields.items():
        if name in given:
            yield from _of(given[name], field.type, (name,), strict=strict)
        elif field.required:
            yield _mistake((name,), "is missing")


def _of(value: Any, kind: Any, where: tuple[str, ...], *, strict: bool) -> Iterator[Mistake]:  # noqa: ANN401 - JSON
    text = _problem(value, kind, strict=strict)
    if text is None:
        return
    parts = list(enumerate(value)) if isinstance(value, list) else []
    tried = [(place, _problem([one], kind, strict=strict)) for place, one in parts]
    # What is wrong inside of a list of one is wrong with that one.
    inner = [(place, said) for place, said in tried if said is not None and " - at `$[" in said]
    for place, said in inner:
        yield _mistake((*where, str(place)), _sentence(said, kind))
    if not inner:
        yield _mistake(where, _sentence(text, kind))


def _problem(value: Any, kind: Any, *, strict: bool) -> str | None:  # noqa: ANN401 - JSON
    try:
        msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def _mistake(where: tuple[str, ...], said: str) -> Mistake:
    shown = "/".join(each[:_SHOWN] for each in where)
    # RFC 6901 3
    pointer = "".join(f"/{each[:_SHOWN].replace('~', '~0').replace('/', '~1')}" for each in where)
    return Mistake(pointer, f"{shown if shown.isprintable() and shown else repr(shown)} {said}.")


def _sentence(text: str, kind: Any) -> str:  # noqa: ANN401 - a type
    """What msgspec says, as a person would."""
    if choices := [str(each) for each in _choices(kind)]:
        return f"must be one of {', '.join(choices)}"
    for bound, said in _BOUNDS.items():
        if found := re.search(re.escape(bound) + r" (\d+)", text):
            return said.format(found[1])
    expected = re.match(r"Expected `([^`]+)`", text)
    kinds = [_KINDS.get(name, name) for name in expected[1].split(" | ")] if expected else []
    if not kinds:
        kinds = [said for name, said in _KINDS.items() if name == _named(kind)]
    return f"must be {' or '.join(kinds)}" if kinds else "is not what can be said here"


def _named(kind: Any) -> str:  # noqa: ANN401 - a type
    """The one type of a value that is not as its text should be: a time, or bytes."""
    plain = [one for one in _parts(kind) if isinstance(one, type) and one.__name__ in {"datetime", "bytes"}]
    return plain[0].__name__ if plain else ""


def _choices(kind: Any) -> Iterator[object]:  # noqa: ANN401 - a type
    for one in _parts(kind):
        if get_origin(one) is Literal:
            yield from get_args(one)
        elif isinstance(one, type) and issubclass(one, Enum):
            yield from (each.value for each in one)


def _parts(kind: Any) -> Iterator[Any]:  # noqa: ANN401 - a type
    """The type, and those of which it is made."""
    yield kind
    if get_origin(kind) is not Literal:
        for inner in get_args(kind):
            yield from _parts(inner)
