"""Sentences and dates in a person's language: gettext catalogues, babel's formats. No HTML and no pages.

Catalogues are `locale/xx/LC_MESSAGES/stile.mo` beside the templates; ours and the operator's are both read, the
operator's first. `pybabel extract` finds sentences in the templates and, with `-k mark -k mark_n:1,2`, in this package.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_date, format_timedelta
from babel.units import format_unit

SOURCE = "en"
DOMAIN = "stile"
# English as the world writes dates: 22 Nov 2026, not Nov 22.
_FORMATS = {SOURCE: "en_001"}
_PACKAGE = Path(__file__).resolve().parents[1]


def mark(sentence: str) -> str:
    """The sentence itself; marks it for `pybabel extract` where it stands outside a template."""
    return sentence


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
        for path in directory.glob(f"locale/*/LC_MESSAGES/{DOMAIN}.mo")
    }
    return SOURCE, *sorted(found - {SOURCE})


def choose_language(wanted: Sequence[str], *, overrides: Path | None = None) -> str:
    """The shipped locale that fits the first fitting wish (BCP 47 tags, best first); English when none does."""
    return _choose(tuple(wanted), overrides)


@lru_cache(maxsize=1024)
def _choose(wanted: tuple[str, ...], overrides: Path | None) -> str:
    tags = [tag.replace("_", "-") for tag in wanted if re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,3}", tag)]
    shipped = {name.replace("_", "-").lower(): name for name in languages(overrides)}
    found = negotiate_locale([tag.lower() for tag in tags], list(shipped), sep="-")
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
    """The catalogue of a shipped locale; for English, and for sentences it lacks, the sentences themselves."""
    catalogue = NullTranslations()
    for directory in reversed(template_dirs(overrides)):
        path = directory / "locale" / locale / "LC_MESSAGES" / f"{DOMAIN}.mo"
        if path.is_file():
            with path.open("rb") as file:
                newer = GNUTranslations(file)
            newer.add_fallback(catalogue)
            catalogue = newer
    return catalogue


@cache
def formats(locale: str) -> Locale:
    """How dates and lists are written in this language."""
    try:
        return Locale.parse(_FORMATS.get(locale, locale))
    except (UnknownLocaleError, ValueError):
        return Locale.parse(_FORMATS[SOURCE])


@cache
def own_name(locale: str) -> str:
    """What the language calls itself."""
    name = formats(locale).get_language_name() if locale == SOURCE else formats(locale).get_display_name()
    return (name or locale).capitalize()


@cache
def html_language(locale: str) -> tuple[str, str]:
    """The values of `lang` and `dir` for a page in this locale."""
    return locale.replace("_", "-"), formats(locale).text_direction


_MINUTE = timedelta(minutes=1)
_GRACE = timedelta(minutes=5)
_UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", _MINUTE))


@lru_cache(maxsize=1024)
def _spoken(count: int, unit: str, locale: str) -> str:
    return format_unit(count, f"duration-{unit}", length="long", locale=formats(locale))


def _span(span: timedelta, locale: str, *, up: bool) -> str:
    # 24 hours are said as hours: from two days on, days are what a person would say.
    for unit, length, least in (("day", _UNITS[0][1], 2), ("hour", _UNITS[1][1], 1), ("minute", _MINUTE, 1)):
        count = -(-span // length) if up else span // length
        if span >= length * least:
            return _spoken(count, unit, locale)
    seconds = max(-(-span // timedelta(seconds=1)), 1)
    return _spoken(1, "minute", locale) if seconds == 60 else _spoken(seconds, "second", locale)


def wait(span: timedelta, locale: str) -> str:
    """How long to wait, rounded up so that nobody comes back too early: "45 seconds", "3 minutes", "24 hours"."""
    return _span(span, locale, up=True)


def lasting(span: timedelta, locale: str) -> str:
    """How long something still works, rounded down; 15 seconds of grace so that a new code does not say 4 minutes."""
    return _span(span + timedelta(seconds=15) if span > _MINUTE else span, locale, up=False)


@lru_cache(maxsize=1024)
def _ago(span: timedelta, locale: str) -> str:
    return format_timedelta(span, threshold=1, granularity="minute", add_direction=True, locale=formats(locale))


def relative(at: datetime, *, now: datetime, locale: str) -> str:
    """A time as seen from now: "2 hours ago", "in 14 hours". Within a minute it says "1 minute", never seconds."""
    span = at - now
    for _, unit in _UNITS:
        # What began a moment ago, as a wait of 24 hours, still says 24.
        long = abs(span) + (_GRACE if span > timedelta(0) and unit > _MINUTE else timedelta(0))
        if long >= unit:
            return _ago((long // unit) * unit * (1 if span > timedelta(0) else -1), locale)
    return _ago(timedelta(minutes=1) if span > timedelta(0) else timedelta(minutes=-1), locale)


@lru_cache(maxsize=1024)
def _day(ordinal: int, locale: str) -> str:
    return format_date(datetime.fromordinal(ordinal), format="medium", locale=formats(locale))


def moment(at: datetime, locale: str) -> str:
    """A date and time, said to be UTC: we do not know where the reader is."""
    utc = at.astimezone(UTC)
    return f"{_day(utc.toordinal(), locale)}, {utc:%H:%M} UTC"
