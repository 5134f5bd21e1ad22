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
from idp.sentences import Sentence, located, sentence

LEVELS = {level.name.lower(): level for level in AssuranceLevel if level >= AssuranceLevel.TWO_FACTOR}
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DURATION = re.compile(r"([0-9]{1,6})([smhd])")

_SAID = "%(value)s %(why)s"  # nothing to translate

T = TypeVar("T", int, timedelta)


@dataclass(frozen=True, slots=True)
class Bounds(Generic[T]):
    """What an operator may set a row to. `too_little` and `too_much` say why no less, and why no more."""

    least: T
    most: T
    too_little: Sentence
    too_much: Sentence


def in_words(value: int | timedelta) -> Sentence | int:
    """A number or span of the policy as people say it."""
    return in_units(value) if isinstance(value, timedelta) else value


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
            problems.append(located(where, sentence("must be a table")))

    def wrong(self, key: str, why: Sentence) -> None:
        """Write a mistake down; reading goes on, so that all are told at once."""
        self.problems.append(located(f"{self.where}.{key}" if self.where else key, why))

    def clash(self, key: str, value: int | timedelta, why: Sentence) -> None:
        """Write down that this row, `row.key` of a table in this one too, does not go together with another.

        What the file does not say is said to be ours.
        """
        table, _, name = key.rpartition(".")
        said = self._said.get(table) if table else self._said
        if isinstance(said, Mapping) and name in said:
            self.wrong(key, sentence(_SAID, value=in_words(value), why=why))
        else:
            told = sentence("%(value)s, as it comes with Stile, %(why)s", value=in_words(value), why=why)
            self.wrong(key, told)

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
            as_in = '"30s", "5m", "24h", "90d"'
            if always:
                why = sentence(
                    'must be a duration such as %(as_in)s or "always", not %(value)s', as_in=as_in, value=repr(value)
                )
            else:
                why = sentence("must be a duration such as %(as_in)s, not %(value)s", as_in=as_in, value=repr(value))
            self.wrong(key, why)
            return default
        return found

    def lifetime(self, key: str, default: timedelta, *, most: timedelta | None = None) -> timedelta:
        """A duration that is always there and at most `most`."""
        value = self.duration(key, default) or default
        if most is not None and value > most:
            self.wrong(key, sentence("must be at most %(most)s", most=in_units(most)))
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
        self.wrong(key, sentence("must be a whole number, not %(value)s", value=repr(value)))
        return int(self.usual[key])

    def _within(self, key: str, value: T, bounds: Bounds[T]) -> T:
        if value < bounds.least:
            least = in_words(bounds.least)
            self.wrong(key, sentence("must be at least %(least)s: %(why)s", least=least, why=bounds.too_little))
            return bounds.least
        if value > bounds.most:
            most = in_words(bounds.most)
            self.wrong(key, sentence("must be at most %(most)s: %(why)s", most=most, why=bounds.too_much))
            return bounds.most
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.left.pop(key, default)
        if not isinstance(value, bool):
            self.wrong(key, sentence("must be true or false, not %(value)s", value=repr(value)))
            return default
        return value

    def words(self, key: str, most: int) -> str | None:
        """One line of at most so many characters; None when it is missing or wrong."""
        value = self.left.pop(key, None)
        if value is None:
            return None
        if isinstance(value, str) and 0 < len(value) <= most and value.isprintable():
            return value
        why = sentence("must be one line of at most %(most)s characters, not %(value)s", most=most, value=repr(value))
        self.wrong(key, why)
        return None

    def level(self, key: str, known: dict[AssuranceLevel, str]) -> AssuranceLevel:
        """A level of `[levels]`. `TWO_FACTOR` when it is wrong, so that reading can go on."""
        if self.misspelt(key):
            return AssuranceLevel.TWO_FACTOR
        value = self.left.pop(key, None)
        level = LEVELS.get(value) if isinstance(value, str) else None
        if value == "one_factor":
            self.wrong(key, sentence("nothing is granted below two_factor"))
        elif level is None or level not in known:
            self.wrong(key, sentence("must be a level of [levels], not %(value)s", value=repr(value)))
        else:
            return level
        return AssuranceLevel.TWO_FACTOR

    def misspelt(self, key: str) -> bool:
        """Whether a key is missing because it was misspelt: that alone is to be said, by `close`."""
        return key not in self.left and bool(get_close_matches(key, self.left))

    def close(self) -> None:
        """Nothing may be left over: a misspelt key would otherwise be a rule that silently does not hold."""
        for key in self.left:
            self.wrong(key, sentence("unknown key"))


def parse_span(value: object) -> timedelta | None:
    """A span as it is written, such as "30s", "5m", "24h", "90d"; None for what is none."""
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) == 0:
        return None
    return timedelta(**{UNITS[found[2]]: int(found[1])})
