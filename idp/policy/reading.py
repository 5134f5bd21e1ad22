"""A table of policy.toml, read: each key is taken once, each mistake is one sentence. What it means is elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from idp.model import AssuranceLevel
from idp.policy.table import ALWAYS, in_units

LEVELS = {level.name.lower(): level for level in AssuranceLevel if level >= AssuranceLevel.TWO_FACTOR}
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DURATION = re.compile(r"([0-9]{1,6})([smhd])")

T = TypeVar("T", int, timedelta)


@dataclass(frozen=True, slots=True)
class Bounds(Generic[T]):
    """What an operator may set a row to. `too_little` and `too_much` say why no less, and why no more."""

    least: T
    most: T
    too_little: str
    too_much: str


def in_words(value: int | timedelta) -> str:
    """A number or span of the policy as people say it."""
    return in_units(value) if isinstance(value, timedelta) else str(value)


class Table:
    """One table of the file: each key is taken once, each mistake written down, what is left over is unknown.

    `usual` is the same table of the policy that comes with Stile: what the file does not say, it says.
    """

    def __init__(
        self, raw: object, where: str, problems: list[str], usual: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.where = where
        self.problems = problems
        self.usual = usual
        self.left: dict[str, Any] = {}
        self._said: Mapping[str, Any] = {}
        if isinstance(raw, dict):
            self.left, self._said = dict(raw), raw
        else:
            problems.append(f"{where}: must be a table")

    def wrong(self, key: str, why: str) -> None:
        """Write a mistake down; reading goes on, so that all are told at once."""
        self.problems.append(f"{self.where}.{key}: {why}" if self.where else f"{key}: {why}")

    def clash(self, key: str, value: int | timedelta, why: str) -> None:
        """Write down that this row, `row.key` of a table in this one too, does not go together with another.

        What the file does not say is said to be ours.
        """
        table, _, name = key.rpartition(".")
        said = self._said.get(table) if table else self._said
        ours = "" if isinstance(said, Mapping) and name in said else ", as it comes with Stile,"
        self.wrong(key, f"{in_words(value)}{ours} {why}")

    def table(self, key: str) -> "Table":
        """The table of that name within this one, empty where it is missing."""
        where = f"{self.where}.{key}" if self.where else key
        return Table(self.left.pop(key, {}), where, self.problems, self.usual.get(key, {}))

    def each(self) -> list[str]:
        """The keys that nobody took."""
        return list(self.left)

    def duration(self, key: str, default: timedelta | None, *, always: bool = False) -> timedelta | None:
        """A duration above zero; `default` when it is missing or wrong."""
        if key not in self.left:
            return default
        value = self.left.pop(key)
        if always and value == "always":
            return ALWAYS
        found = parse_span(value)
        if found is None:
            also = ' or "always"' if always else ""
            self.wrong(key, f'must be a duration such as "30s", "5m", "24h", "90d"{also}, not {value!r}')
            return default
        return found

    def lifetime(self, key: str, default: timedelta, *, most: timedelta | None = None) -> timedelta:
        """A duration that is always there and at most `most`."""
        value = self.duration(key, default) or default
        if most is not None and value > most:
            self.wrong(key, f"must be at most {in_units(most)}")
        return value

    def span(self, key: str, bounds: Bounds[timedelta]) -> timedelta:
        """A duration within its bounds: ours when it is missing or wrong, the nearest when it is out of them."""
        ours = parse_span(self.usual[key])
        assert ours is not None
        return self._within(key, self.duration(key, ours) or ours, bounds)

    def number(self, key: str, bounds: Bounds[int]) -> int:
        """A whole number within its bounds: ours when it is missing or wrong, the nearest when it is out of them."""
        value = self.left.pop(key, self.usual[key])
        if isinstance(value, int) and not isinstance(value, bool):
            return self._within(key, value, bounds)
        self.wrong(key, f"must be a whole number, not {value!r}")
        return int(self.usual[key])

    def _within(self, key: str, value: T, bounds: Bounds[T]) -> T:
        if value < bounds.least:
            self.wrong(key, f"must be at least {in_words(bounds.least)}: {bounds.too_little}")
            return bounds.least
        if value > bounds.most:
            self.wrong(key, f"must be at most {in_words(bounds.most)}: {bounds.too_much}")
            return bounds.most
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.left.pop(key, default)
        if not isinstance(value, bool):
            self.wrong(key, f"must be true or false, not {value!r}")
            return default
        return value

    def words(self, key: str, most: int) -> str | None:
        """One line of at most so many characters; None when it is missing or wrong."""
        value = self.left.pop(key, None)
        if value is None:
            return None
        if isinstance(value, str) and 0 < len(value) <= most and value.isprintable():
            return value
        self.wrong(key, f"must be one line of at most {most} characters, not {value!r}")
        return None

    def level(self, key: str, known: dict[AssuranceLevel, str]) -> AssuranceLevel:
        """A level of `[levels]`. `TWO_FACTOR` when it is wrong, so that reading can go on."""
        if self.misspelt(key):
            return AssuranceLevel.TWO_FACTOR
        value = self.left.pop(key, None)
        level = LEVELS.get(value) if isinstance(value, str) else None
        if value == "one_factor":
            self.wrong(key, "nothing is granted below two_factor")
        elif level is None or level not in known:
            self.wrong(key, f"must be a level of [levels], not {value!r}")
        else:
            return level
        return AssuranceLevel.TWO_FACTOR

    def misspelt(self, key: str) -> bool:
        """Whether a key is missing because it was misspelt: that alone is to be said, by `close`."""
        return key not in self.left and bool(get_close_matches(key, self.left))

    def close(self) -> None:
        """Nothing may be left over: a misspelt key would otherwise be a rule that silently does not hold."""
        for key in self.left:
            self.wrong(key, "unknown key")


def parse_span(value: object) -> timedelta | None:
    """A span as it is written, such as "30s", "5m", "24h", "90d"; None for what is none."""
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) == 0:
        return None
    return timedelta(**{UNITS[found[2]]: int(found[1])})
