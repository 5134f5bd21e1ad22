"""A JSON file of strangers, read with care: what has the wrong type is said by its place, and never repeated."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import UnionType
from typing import Any
from uuid import UUID

from idp.importing.incoming import PERSON, Entry, Left, Unreadable
from idp.importing.pieces import DEPTH, Source, Text
from idp.oidc.strictjson import Malformed, parse_object

_LONGEST_NAME, _DIGITS = 80, 15


@dataclass(frozen=True, slots=True)
class Object:
    """An object in the file and where it stands, as `users[3].credentials[0]`. A member that is null is not there."""

    members: Mapping[str, Any] = field(repr=False)
    where: str = ""

    def __contains__(self, name: str) -> bool:
        return self.members.get(name) is not None

    def _place(self, name: str) -> str:
        shown = name if name.isprintable() and len(name) <= _LONGEST_NAME else "…"
        return f"{self.where}.{shown}" if self.where else shown

    def _of(self, name: str, kind: "type | UnionType", words: str) -> Any:  # noqa: ANN401 - any JSON value
        value = self.members.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is not bool and isinstance(value, bool))):
            raise Unreadable(f"{self._place(name)} is not {words}.")
        return value

    def text(self, name: str) -> str | None:
        """A text that says something."""
        value = self._of(name, str, "a text")
        return None if value is None else str(value).strip() or None

    def needed(self, name: str) -> str:
        """A text without which the rest means nothing."""
        value = self.text(name)
        if value is None:
            raise Unreadable(f"{self._place(name)} is missing.")
        return value

    def whole(self, name: str) -> int | None:
        """A whole number of at most fifteen digits, also one in a text."""
        value = self.members.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
            return int(value)
        found: int | None = self._of(name, int, "a whole number")
        if found is not None and abs(found) >= 10**_DIGITS:
            raise Unreadable(f"{self._place(name)} is too large.")
        return found

    def number(self, name: str) -> float | None:
        """A number."""
        value = self._of(name, int | float, "a number")
        return None if value is None else float(value)

    def flag(self, name: str, *, otherwise: bool = False) -> bool:
        """True or false; `otherwise` where nothing is said."""
        value = self._of(name, bool, "true or false")
        return otherwise if value is None else bool(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self._of(name, list, "a list") or []
        if not all(isinstance(each, str) for each in values):
            raise Unreadable(f"{self._place(name)} is not a list of texts.")
        return tuple(values)

    def some(self, name: str) -> tuple[str, ...]:
        """Texts that say something: one, or a list of which some may be null."""
        value = self.members.get(name)
        if isinstance(value, list) and None in value:
            value = [each for each in value if each is not None]
        found = (value,) if isinstance(value, str) else Object({name: value}, self.where).texts(name)
        return tuple(each.strip() for each in found if each.strip())

    def object(self, name: str) -> "Object":
        """What is inside; empty where there is nothing."""
        return Object(self._of(name, dict, "an object") or {}, self._place(name))

    def objects(self, name: str) -> Iterator["Object"]:
        """The objects of a list."""
        return _each(self._of(name, list, "a list") or [], self._place(name))

    def inside(self, name: str) -> "Object":
        """The object in a text that holds JSON; empty where there is none."""
        text = self.text(name)
        if text is None:
            return Object({}, self._place(name))
        try:
            return Object(parse_object(text, depth=DEPTH), self._place(name))
        except Malformed as error:
            raise Unreadable(f"{self._place(name)} holds no JSON object: {error}.") from None

    def uuid(self, name: str) -> UUID | None:
        """A UUID; None for any other text."""
        try:
            return UUID(self.text(name) or "")
        except ValueError:
            return None


def read_object(source: Source, *, apart: str) -> Object:
    """The object that the file is, or a list of this one, without what is in its list `apart`. Raises `Unreadable`."""
    with _reading(source) as text:
        listed = text.enter()
        members: dict[str, Any] = {}
        for name in text.names():
            if name == apart and text.peek() == "[":
                text.skip()
                members[name] = []
            else:
                members[name] = text.value()
        if listed and not text.leave():
            raise Unreadable("The file has several in a list: take one of them, as `jq '.[1]'` takes the second.")
        _end(text)
    return Object(members)


def read_apart(source: Source, *, apart: str) -> Iterator[Object]:
    """What is in the list `apart` of the object that the file is, one after the other. Raises `Unreadable`."""
    with _reading(source) as text:
        text.enter()
        for name in text.names():
            if name != apart:
                text.skip()
            elif text.peek() == "[":
                yield from _each(text.items(), apart)
            elif text.value() is not None:
                raise Unreadable(f"{apart} is not a list.")


def read_list(source: Source, *, inside: str) -> Iterator[Object]:
    """The objects of a file one after the other: of a list, of an object that has it `inside`, or one object a line."""
    with _reading(source) as text:
        place = 0
        while (first := text.peek()) or not place:
            if first == "[":
                yield from _each(text.items(), "entries")
            else:
                yield from _whole(text, inside, f"lines[{place}]")
            place += 1


@contextmanager
def _reading(source: Source) -> Iterator[Text]:
    """The text of a file. What is malformed is `Unreadable`, with its place."""
    text: Text | None = None
    try:
        text = Text(source)
        yield text
    except Malformed as error:
        where = "" if text is None else f", {text.place()}"
        raise Unreadable(f"The file cannot be read{where}: {error}.") from None


def _whole(text: Text, inside: str, where: str) -> Iterator[Object]:
    """An object of a file, or what it has inside."""
    members: dict[str, Any] = {}
    listed = False
    for name in text.names():
        if name == inside and text.peek() == "[":
            listed = True
            yield from _each(text.items(), inside)
        elif listed:
            text.skip()
        else:
            members[name] = text.value()
    if members.get(inside) is not None:
        raise Unreadable(f"{inside} is not a list.")
    if not listed:
        yield Object(members, where)


def _each(values: Iterable[Any], where: str) -> Iterator[Object]:
    for place, value in enumerate(values):
        if value is None:
            continue  # which says nothing
        if not isinstance(value, dict):
            raise Unreadable(f"{where}[{place}] is not an object.")
        yield Object(value, f"{where}[{place}]")


def one_by_one(entries: Iterable[Object], read: Callable[[Object], Iterator[Entry]]) -> Iterator[Entry]:
    """What is read of each. One who cannot be read is left, and the others come.

    Raises `Unreadable` at the end if nobody could be read: then it is another file.
    """
    wrong: Unreadable | None = None
    somebody = False
    for entry in entries:
        try:
            found = [*read(entry)]
        except Unreadable as error:
            wrong = wrong or error
            yield unread(entry, error)
        else:
            somebody = somebody or bool(found)
            yield from found
    if wrong is not None and not somebody:
        raise wrong


def cannot(error: Unreadable) -> str:
    """Why something is left that is broken, and its place."""
    return f"it cannot be read: {error}".removesuffix(".")


def unread(entry: Object, error: Unreadable) -> Left:
    """What is said of somebody who cannot be read."""
    names = (entry.members.get(name) for name in ("username", "email", "id"))
    return Left(
        next((name for name in names if isinstance(name, str) and name.strip()), entry.where), PERSON, cannot(error)
    )


def _end(text: Text) -> None:
    if text.peek():
        raise Malformed("something follows its end")
