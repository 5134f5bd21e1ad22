"""Sentences in a person's language: the languages there are, the choice among them, their gettext catalogues. No SQL.

A language is a file `locale/xx/LC_MESSAGES/stile.po` beside the templates (or a compiled `.mo`), read when it is first
spoken. Ours and the operator's are both read, the operator's first. How dates and money are written is in `formats`.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import negotiate_locale
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import PoFileError, read_po

from idp.errors import SettingsError
from idp.sentences import mark as mark  # noqa: PLC0414 - pages find it here

SOURCE = "en"
DOMAIN = "stile"
_PACKAGE = Path(__file__).resolve().parent
_TAG = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,3}")
_VALUE = re.compile(r"%(?:\(\w+\)s|.?)|\{\w+\}", re.DOTALL)


@cache
def templates_dir() -> Path:
    """Where our templates are: in an installed wheel inside the package, in a checkout beside it."""
    installed = _PACKAGE / "_templates"
    return installed if installed.is_dir() else _PACKAGE.parent / "templates"


def template_dirs(overrides: Path | None) -> tuple[Path, ...]:
    """Directories to look in for a template, a static file or a catalogue, the operator's first."""
    return (templates_dir(),) if overrides is None else (overrides, templates_dir())


@cache
def languages(overrides: Path | None = None) -> tuple[str, ...]:
    """Locales that have a catalogue, English (which needs none) first."""
    found = {
        path.parents[1].name
        for directory in template_dirs(overrides)
        for path in directory.glob(f"locale/*/LC_MESSAGES/{DOMAIN}.[pm]o")
    }
    return SOURCE, *sorted(found - {SOURCE})


def choose_language(wanted: Sequence[str], *, overrides: Path | None = None) -> str:
    """The shipped locale that fits the first fitting wish (BCP 47 tags, best first); English when none does."""
    return _choose(tuple(wanted), overrides)


@lru_cache(maxsize=1024)
def _choose(wanted: tuple[str, ...], overrides: Path | None) -> str:
    tags = [tag.replace("_", "-").lower() for tag in wanted if _TAG.fullmatch(tag)]
    shipped = {name.replace("_", "-").lower(): name for name in languages(overrides)}
    found = negotiate_locale(tags, list(shipped), sep="-")
    return shipped[found.lower()] if found else SOURCE


@lru_cache(maxsize=1024)
def accepted_languages(header: str) -> tuple[str, ...]:
    """The tags of an Accept-Language header (RFC 9110 12.5.4), best first; what cannot be read is left out."""
    weighed: list[tuple[float, str]] = []
    for item in header[:1000].split(",")[:20]:
        match = re.fullmatch(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*", item)
        if match and (weight := float(match[2] or 1)) > 0:
            weighed.append((weight, match[1]))
    return tuple(tag for _, tag in sorted(weighed, key=lambda pair: -pair[0]))


@cache
def translations(locale: str, overrides: Path | None = None) -> NullTranslations:
    """The catalogue of a shipped locale; for English, and for sentences it lacks, the sentences themselves.

    A file that cannot be read counts as empty, and a translation with a value that its sentence has not as missing:
    a slip of a translator costs the translation, never the page. `mistakes` names both.
    """
    catalogue = NullTranslations()
    for directory in reversed(template_dirs(overrides)):
        path = _file(directory, locale)
        try:
            found = None if path is None else read(path)
        except SettingsError:
            continue
        if found is not None:
            newer = _compiled(found)
            newer.add_fallback(catalogue)
            catalogue = newer
    return catalogue


def mistakes(overrides: Path | None) -> Iterator[str]:
    """What is wrong with the catalogues that are used, one sentence each, for the operator."""
    for locale in languages(overrides):
        for directory in template_dirs(overrides):
            path = _file(directory, locale)
            if path is None:
                continue
            try:
                found = read(path)
            except SettingsError as error:
                yield str(error)
                continue
            for message in found:
                if message.id and not _is_safe(message):
                    yield f"{path}: a translation holds a value that its sentence has not: {_texts(message.id)[0]!r}"


def untranslated(locale: str, overrides: Path | None) -> set[str]:
    """Sentences that this language lacks, and therefore says in English. Our own languages lack none."""
    if locale == SOURCE:
        return set()
    ours = (name for name in languages() if name != SOURCE)
    return set().union(*(_said(name, (templates_dir(),)) for name in ours)) - _said(locale, template_dirs(overrides))


def _said(locale: str, directories: Sequence[Path]) -> set[str]:
    found: set[str] = set()
    for path in filter(None, (_file(directory, locale) for directory in directories)):
        with suppress(SettingsError):
            found |= {_texts(message.id)[0] for message in read(path) if message.id and _is_good(message)}
    return found


def read(path: Path) -> Catalog:
    """A catalogue file, `.po` or `.mo`. Raises `SettingsError`."""
    try:
        with path.open("rb") as file:
            found = read_po(file, abort_invalid=True) if path.suffix == ".po" else read_mo(file)
        if found.locale is None:
            # Or babel would write the file's plural forms nowhere.
            found.locale = path.parents[1].name
    except (PoFileError, OSError, ValueError, KeyError, IndexError) as error:
        raise SettingsError([f"{path} is no catalogue that can be read ({type(error).__name__})"]) from None
    return found


def values_in(sentence: str) -> set[str]:
    """What is put into a sentence: `%(name)s` in pages, `{name}` in messages; a stray % too, because it would break."""
    return set(_VALUE.findall(sentence))


def _file(directory: Path, locale: str) -> Path | None:
    # The source wins over what was once compiled from it.
    here = directory / "locale" / locale / "LC_MESSAGES"
    return next((path for path in (here / f"{DOMAIN}.po", here / f"{DOMAIN}.mo") if path.is_file()), None)


def _compiled(catalogue: Catalog) -> GNUTranslations:
    for message in list(catalogue):
        if message.id and not _is_safe(message):
            catalogue.delete(message.id, message.context)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def _is_good(message: Message) -> bool:
    return all(_texts(message.string)) and bool(message.string) and not message.fuzzy and _is_safe(message)


def _is_safe(message: Message) -> bool:
    told = set().union(*(values_in(text) for text in _texts(message.string)))
    return not told or told <= set().union(*(values_in(text) for text in _texts(message.id)))


def _texts(text: str | Sequence[str] | None) -> Sequence[str]:
    return (text,) if isinstance(text, str) else text or ()
