"""Dates, spans and money as a language writes them, by babel. No sentences: those are in the catalogue. Pure."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_timedelta
from babel.numbers import format_currency, format_decimal
from babel.units import format_unit

# A language without a country, as most of its readers write: 22 Nov 2026, not Nov 22; Spanish as from Mexico to Peru.
_FORMATS = {"en": "en_001", "es": "es_419"}


@cache
def formats(locale: str) -> Locale:
    """How dates, numbers and lists are written in this language; in English for what is no language."""
    try:
        return Locale.parse(_FORMATS.get(locale, locale).replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse(_FORMATS["en"])


@cache
def own_name(locale: str) -> str:
    """What the language calls itself."""
    name = formats(locale).get_language_name() if locale in _FORMATS else formats(locale).get_display_name()
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


def in_minutes(span: timedelta, locale: str) -> str:
    """A span in whole minutes, rounded down, at least one: "5 minutes"."""
    return _spoken(max(1, span // _MINUTE), "minute", locale)


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


@lru_cache(maxsize=128)
def _zone(name: str | None) -> tzinfo:
    try:
        return UTC if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # no zone, no name, or a directory
        return UTC


def moment(at: datetime, locale: str, zone: str | None = None) -> str:
    """A date and time in the zone of this name, which is said; in UTC where we do not know where the reader is."""
    here = at.astimezone(_zone(zone))
    # Of zones without letters the database has the offset alone: "+03".
    name = here.tzname() or "UTC"
    return f"{_day(here.toordinal(), locale)}, {here:%H:%M} {name if name[0].isalpha() else f'UTC{name}'}"


def day(at: date, locale: str) -> str:
    """A day of the calendar."""
    return _day(at.toordinal(), locale)


def number(count: int, locale: str) -> str:
    """A whole number."""
    return format_decimal(count, locale=formats(locale))


@lru_cache(maxsize=1024)
def money(amount: Decimal, currency: str, locale: str) -> str:
    """An amount with the letters of its currency (ISO 4217), because signs are shared: "EUR 1,250.00"."""
    # The letters stand in front in every language, so that they are read before the number.
    said = format_currency(amount, currency, "¤¤\N{NO-BREAK SPACE}#,##0.00", locale=formats(locale))
    return said.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
