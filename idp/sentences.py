"""Sentences to operators: English wherever they are read as text, and what another language needs to say them anew.

Commands and the API print them as they are; pages of the console say them in the language of who looks. Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from gettext import NullTranslations

# What is the same in every language: nothing to translate.
_AS_IT_IS, _LISTED, _AT = "%(text)s", "%(one)s, %(other)s", "%(where)s: %(why)s"
Value = str | int
Json = str | int | list[object] | dict[str, str]


def mark(text: str) -> str:
    """The text itself; marks it for `make sentences` where it stands outside a template."""
    return text


class Moment(str):
    """A moment within a sentence: to the minute, in UTC; a page says it as its language does."""

    __slots__ = ("at",)
    at: datetime


def minute(at: datetime) -> Moment:
    """A moment as sentences to operators say it."""
    made = Moment(f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    made.at = at
    return made


class Sentence(str):
    """Its English, word for word; beside it `one` (and `many`, for a `number` that is not one) with `values` to put in.

    A value that is a sentence is said in the same language.
    """

    __slots__ = ("many", "number", "one", "values")
    one: str
    many: str | None
    number: int
    values: Mapping[str, Value]


def sentence(text: str, /, *, at_shell: str | None = None, **values: Value) -> Sentence:
    """A sentence with its values, marked for `make sentences`. `at_shell`: what is read where there are no pages."""
    return _made(text % values if at_shell is None else at_shell, text, None, 1, values)


def plural(one: str, many: str, count: int, /, **values: Value) -> Sentence:
    """The one or the other, by how many they are; both may name `num`."""
    values = {"num": count, **values}
    return _made((one if count == 1 else many) % values, one, many, count, values)


def as_it_is(text: str) -> Sentence:
    """A name, a number, the words of a file or a program: nobody translates them. A sentence stays what it is."""
    return text if isinstance(text, Sentence) else sentence(_AS_IT_IS, text=text)


def located(where: str, why: Sentence) -> Sentence:
    """What is wrong, behind where it is."""
    return sentence(_AT, where=where, why=why)


def apart(parts: Sequence[str]) -> Sentence:
    """Sentences of one line, one after the other."""
    numbered = {f"part{at}": part for at, part in enumerate(parts)}
    return _made("; ".join(parts), "; ".join(f"%({name})s" for name in numbered), None, 1, numbered)


def listed(parts: Sequence[str]) -> str:
    """Parts of a sentence, one after the other."""
    if len(parts) < 2:
        return parts[0] if parts else ""
    return sentence(_LISTED, one=listed(parts[:-1]), other=parts[-1])


def either(names: Sequence[str]) -> str:
    """Names of which any may be: one, or two and more with "or" between them."""
    if len(names) < 2:
        return "".join(names)
    return sentence("%(one)s or %(other)s", one=either(names[:-1]), other=names[-1])


def _made(english: str, one: str, many: str | None, number: int, values: Mapping[str, Value]) -> Sentence:
    made = Sentence(english)
    made.one, made.many, made.number, made.values = one, many, number, values
    return made


def said_in(catalogue: NullTranslations, text: Sentence) -> str:
    """The sentence of this catalogue, its values still to be put in."""
    if text.many is None:
        return catalogue.gettext(text.one)
    return catalogue.ngettext(text.one, text.many, text.number)


def written(text: Value) -> Json:
    """As JSON has it, for `read`."""
    if isinstance(text, Moment):
        return {"at": text.at.isoformat()}
    if not isinstance(text, Sentence):
        return text
    parts: list[object] = [text.one, {name: written(value) for name, value in text.values.items()}]
    return parts if text.many is None else [*parts, text.many, text.number]


def read(told: Json) -> Value:
    """What was `written`."""
    match told:
        case [str(one), dict(values)]:
            known = _read(values)
            return _made(one % known, one, None, 1, known)
        case [str(one), dict(values), str(many), int(count)]:
            return plural(one, many, count, **_read(values))
        case {"at": str(at)}:
            return minute(datetime.fromisoformat(at))
        case str() | int():
            return told
    raise ValueError("no sentence of ours")


def _read(values: Mapping[str, Json]) -> dict[str, Value]:
    return {name: read(value) for name, value in values.items()}
