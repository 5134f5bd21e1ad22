"""JSON of strangers that is too long to be held at once: value by value, with the care of `strictjson`."""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, BinaryIO, Generic, TypeVar

from idp.oidc.strictjson import STRICT, Malformed, check

T = TypeVar("T")
DEPTH = 64
LONGEST = 64 * 1024 * 1024  # characters of one value
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # how a file begins that Windows calls Unicode
_CHUNK = 256 * 1024
_WORD = 16  # characters of a number's end, a word or an escape that may be cut
_BLANKS = re.compile(r"[ \t\n\r\ufeff]*")
_MAY_GO_ON = re.compile(r"(?:\.|[eE][+-]?)?\Z")
_LOOSE = json.JSONDecoder()  # of what is not looked at

Source = bytes | BinaryIO  # a file may be read from its beginning as often as needed


def begin(source: Source) -> BinaryIO:
    """The file at its beginning. Raises `Malformed` where there is nothing, or what Windows calls Unicode."""
    file = BytesIO(source) if isinstance(source, bytes) else source
    file.seek(0)
    first = file.read(2)
    if not first:
        raise Malformed("it is empty")
    if first in UTF_16:
        raise Malformed("it is in UTF-16. `iconv -f UTF-16 -t UTF-8` makes it UTF-8, as it has to be")
    file.seek(0)
    return file


def content_of(source: Source) -> bytes:
    """All of a file that is held at once."""
    if isinstance(source, bytes):
        return source
    source.seek(0)
    return source.read()


def lines_of(source: Source) -> Iterator[bytes]:
    """The lines of a file, each with its end. Raises `Malformed` for one that is too long to be held."""
    file = begin(source)
    while line := file.readline(LONGEST + 1):
        if len(line) > LONGEST:
            raise Malformed("one line of it is too long")
        yield line


class Again(Generic[T]):
    """What `make` makes, anew for everybody who goes through it."""

    def __init__(self, make: Callable[[], Iterator[T]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[T]:
        return self._make()


class Text:
    """The text of a file, as far as it was read and is not done with."""

    def __init__(self, source: Source) -> None:
        self._file = begin(source)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at, self._over = "", 0, False
        self._gone, self._lines = 0, 1  # characters and lines that are done with

    def place(self) -> str:
        """Where it stands, for who looks for a mistake."""
        line = self._lines + self._text.count("\n", 0, self._at)
        return f"after character {self._gone + self._at}, on line {line}"

    def peek(self) -> str:
        """The next character that is not blank; empty at the end. Raises `Malformed`."""
        while True:
            found = _BLANKS.match(self._text, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def value(self, decoder: json.JSONDecoder = STRICT) -> Any:  # noqa: ANN401 - any JSON value
        """The next value. Raises `Malformed`."""
        self.peek()
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._at)
            except Malformed:
                raise
            except (ValueError, RecursionError) as error:
                if not self._cut(error) or not self._more():
                    raise Malformed("not JSON in UTF-8") from None
                continue
            # A number that ends where we stopped reading may go on, as 1e+ does.
            if _MAY_GO_ON.match(self._text, end) and self._more():
                continue
            self._at = end
            if decoder is STRICT:
                check(value, DEPTH)
            return value

    def skip(self) -> None:
        """Pass over the next value, piece by piece if it is a list. Raises `Malformed`."""
        if self.peek() == "[":
            for _ in self.items(_LOOSE):
                pass
        else:
            self.value(_LOOSE)

    def items(self, decoder: json.JSONDecoder = STRICT) -> Iterator[Any]:
        """The values of the array that begins here. Raises `Malformed`."""
        self._take("[")
        while self.peek() != "]":
            yield self.value(decoder)
            if self.peek() != "]":
                self._take(",")
                if self.peek() == "]":
                    raise Malformed("not JSON in UTF-8")
        self._take("]")

    def enter(self) -> bool:
        """Step into a list, if one begins here. Raises `Malformed`."""
        listed = self.peek() == "["
        self._at += listed
        return listed

    def leave(self) -> bool:
        """Step out of a list, if it ends here. Raises `Malformed`."""
        if (ends := self.peek() == "]") is False:
            self._take(",")
        self._at += ends
        return ends

    def names(self) -> Iterator[str]:
        """The names of the object that begins here; the caller takes the value of each. Raises `Malformed`."""
        seen: set[str] = set()
        self._take("{")
        while self.peek() != "}":
            if self.peek() != '"':
                raise Malformed("not JSON in UTF-8")
            name = self.value()
            if name in seen:
                raise Malformed("a member occurs twice")
            seen.add(name)
            self._take(":")
            yield name
            if self.peek() != "}":
                self._take(",")
                if self.peek() == "}":
                    raise Malformed("not JSON in UTF-8")
        self._take("}")

    def _cut(self, error: Exception) -> bool:
        """Whether it may be wrong only because we stopped reading there."""
        if not isinstance(error, json.JSONDecodeError):
            return False
        return error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _WORD

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise Malformed("not JSON in UTF-8")
        self._at += 1

    def _more(self) -> bool:
        """Read on, twice as much if that was not enough. False at the end of the file."""
        if self._over:
            return False
        held = len(self._text) - self._at
        if held > LONGEST:
            raise Malformed("one entry of it is too long")
        read = self._file.read(max(_CHUNK, held))
        self._gone, self._lines = self._gone + self._at, self._lines + self._text.count("\n", 0, self._at)
        try:
            self._text = self._text[self._at :] + self._decoder.decode(read, final=not read)
        except UnicodeDecodeError:
            raise Malformed("not JSON in UTF-8") from None
        self._at, self._over = 0, not read
        return True
