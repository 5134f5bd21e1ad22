"""A statement as text with its values by name. Nothing here opens a connection or reads a row."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_COMMENT = re.compile(r"\s*--[^\n]*")
_NAME = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")  # a name; not the type after `::`


class Runnable(Protocol):
    """What a connection runs: a statement that knows its text and the order of its values."""

    def prepare(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The text with `$1`, `$2`, …, and the values in that order. A missing one is a KeyError."""


class Sql:
    """One statement: `Sql("SELECT … WHERE hash = :hash")`, run as `await conn.one(LOAD, hash=…)`.

    A name stands for one value wherever it occurs; one that is not in the text is not looked at. Text in quotes has no
    colon before a letter.
    """

    __slots__ = ("names", "text")

    def __init__(self, text: str) -> None:
        names: dict[str, int] = {}
        bare = _COMMENT.sub("", text)
        self.text = _NAME.sub(lambda found: f"${names.setdefault(found[1], len(names) + 1)}", bare).strip()
        self.names = tuple(names)

    def prepare(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """See `Runnable`."""
        return self.text, [values[name] for name in self.names]


def values_of(noun: "DataclassInstance") -> dict[str, Any]:
    """The fields of a noun as values of a statement, by their names; of a set its members in order."""
    every = {each.name: getattr(noun, each.name) for each in fields(noun)}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in every.items()}
