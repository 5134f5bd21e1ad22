"""Every sentence of the product, as its sources hold it, and `make sentences`, which writes new ones to catalogues."""

import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from idp.catalogue import DOMAIN, SOURCE, read, templates_dir

ROOT = Path(__file__).resolve().parents[2]
Sentence = str | tuple[str, str]  # one, or its singular and plural


@cache
def sentences() -> tuple[Sentence, ...]:
    """In the order of their sources: templates, pages, messages, what operators are told. Some come more than once."""
    return tuple(_sentences())


def _sentences() -> Iterator[Sentence]:
    options = {"**.html": {"trimmed": "true", "silent": "false"}}
    yield from _found(templates_dir(), [("**.html", "jinja2")], options)
    yield from _found(ROOT / "idp/web", [("**.py", "python")], {})
    yield from _found(ROOT / "idp/sms", [("**.py", "python")], {})
    told = ("sentences.py", "flows/**.py", "policy/**.py", "spending/**.py", "store/**.py", "oidc/**.py")
    yield from _found(ROOT / "idp", [(path, "python") for path in told], {})


def _found(directory: Path, methods: list[tuple[str, str]], options: dict[str, dict[str, str]]) -> Iterator[Sentence]:
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "mark": None, "sentence": None, "plural": (1, 2)}
    found = extract_from_dir(str(directory), method_map=methods, options_map=options, keywords=keywords)
    for _, _, message, _, _ in found:
        yield (message[0], message[1]) if isinstance(message, tuple) else message


def shipped() -> list[Path]:
    """Our catalogues."""
    return sorted(templates_dir().glob(f"locale/*/LC_MESSAGES/{DOMAIN}.po"))


def brought_up_to_date(path: Path) -> str:
    """The text of a catalogue with today's sentences: new ones empty, gone ones gone, the head as it was.

    By their letters: no line moves with its source, and what is in this order already is read in half the time.
    """
    old, new = read(path), Catalog(locale=path.parents[1].name)
    for sentence in sorted(sentences(), key=lambda each: each if isinstance(each, str) else each[0]):
        known = old.get(sentence if isinstance(sentence, str) else sentence[0])
        flags = known.flags if known is not None else ()
        comments = known.user_comments if known is not None else ()
        new.add(sentence, known.string if known is not None else None, flags=flags, user_comments=comments)
    body = BytesIO()
    write_po(body, new, width=0, omit_header=True)
    head = path.read_text(encoding="utf-8").partition("\n\n")[0]
    return f"{head}\n\n{body.getvalue().decode().strip()}\n"


_BETWEEN = re.compile(r"<[^>]*>|%\(\w+\)s|\{\w+\}")


def pieces(sentence: str) -> Iterator[str]:
    """What stands between markup and values, as a page shows it in one piece."""
    for piece in _BETWEEN.split(sentence):
        if re.search(r"\w{2}", piece):
            yield " ".join(piece.split())


class _Shown(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.language: str | None = None
        self.texts: list[str] = []
        self.inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.language = given["lang"]
        if tag in _QUIET:
            self.inside.append(tag)
        self.texts += [value for name, value in given.items() if value and name in {"alt", "title", "aria-label"}]

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.texts.append(" ".join(data.split()))


_QUIET = {"bdi", "select", "script", "code"}  # names, and the names of languages


def in_english(html: str, language: str) -> set[str]:
    """English that a page in this language still says, though its catalogue says it differently."""
    shown = _Shown(html)
    assert shown.language == language.replace("_", "-"), "the page says which language it is in"
    [path] = [path for path in shipped() if path.parents[1].name == language]
    own = {piece for message in read(path) for text in _all(message.string) for piece in pieces(text)}
    english = {piece for sentence in sentences() for text in _all(sentence) for piece in pieces(text)}
    said = {piece for text in shown.texts for piece in (text, text.partition(" \N{EN DASH} ")[0])}
    return said & (english - own)


def _all(text: str | Sequence[str] | None) -> Sequence[str]:
    return (text,) if isinstance(text, str) else text or ()


def main() -> None:
    """Bring every catalogue of ours up to date, and say what is left to translate."""
    for path in shipped():
        assert path.parents[1].name != SOURCE, "English is the source"
        path.write_text(brought_up_to_date(path), encoding="utf-8")
        empty = sum(1 for message in read(path) if message.id and not any(message.string or ()))
        sys.stdout.write(f"{path.relative_to(ROOT)}: {empty} sentences to translate\n")


if __name__ == "__main__":
    main()
