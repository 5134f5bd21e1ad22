"""Spans, moments, money and the names of languages."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from idp.formats import html_language, in_minutes, lasting, moment, money, own_name, relative, wait

NOW = datetime(2026, 11, 22, 19, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "to_wait", "lasts"),
    [
        (-5, "1 second", "1 second"),
        (0.2, "1 second", "1 second"),
        (45, "45 seconds", "45 seconds"),
        (59.5, "1 minute", "1 minute"),
        (61, "2 minutes", "1 minute"),
        (299, "5 minutes", "5 minutes"),
        (271, "5 minutes", "4 minutes"),
        (3600, "1 hour", "1 hour"),
        (5400, "2 hours", "1 hour"),
        (86400, "24 hours", "24 hours"),
        (172800, "2 days", "2 days"),
    ],
)
def test_waits_are_rounded_up_and_lives_are_rounded_down(seconds: float, to_wait: str, lasts: str) -> None:
    assert wait(timedelta(seconds=seconds), "en") == to_wait
    assert lasting(timedelta(seconds=seconds), "en") == lasts


def test_nobody_who_waits_as_told_comes_back_too_early() -> None:
    for seconds in range(0, 200_000, 37):
        count, unit = wait(timedelta(seconds=seconds), "en").split()
        length = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[unit.removesuffix("s")]
        assert int(count) * length >= seconds


def test_a_moment_is_said_in_utc_wherever_it_was_measured() -> None:
    assert moment(NOW.astimezone(timezone(timedelta(hours=5))), "en") == "22 Nov 2026, 19:45 UTC"
    assert moment(NOW, "de") == "22.11.2026, 19:45 UTC"


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=-3), "1 minute ago"),
        (timedelta(minutes=-5), "5 minutes ago"),
        (timedelta(days=-1, hours=-2), "1 day ago"),
        (timedelta(days=-40), "1 month ago"),
        (timedelta(hours=14, minutes=50), "in 14 hours"),
    ],
)
def test_a_time_is_said_as_seen_from_now(span: timedelta, said: str) -> None:
    assert relative(NOW + span, now=NOW, locale="en") == said


def test_a_page_says_its_language_and_direction() -> None:
    assert html_language("pt_BR") == ("pt-BR", "ltr")
    assert html_language("ar") == ("ar", "rtl")
    assert own_name("et") == "Eesti"
    assert (own_name("en"), own_name("es")) == ("English", "Español")
    assert html_language("nonsense") == ("nonsense", "ltr")


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "said"),
    [
        ("1250", "EUR", "en", "EUR 1,250.00"),
        ("1250", "EUR", "es", "EUR 1,250.00"),
        ("1250", "EUR", "de", "EUR 1.250,00"),
        ("1234567.5", "EUR", "fr", "EUR 1 234 567,50"),
        ("1234567.5", "EUR", "et", "EUR 1 234 567,50"),
        ("1250", "JPY", "en", "JPY 1,250"),
        ("0.5", "KWD", "es", "KWD 0.500"),
    ],
)
def test_money_is_written_with_the_letters_of_its_currency(amount: str, currency: str, locale: str, said: str) -> None:
    assert money(Decimal(amount), currency, locale) == said


def test_spanish_dates_and_spans() -> None:
    assert moment(NOW, "es") == "22 nov 2026, 19:45 UTC"
    assert [wait(timedelta(seconds=seconds), "es") for seconds in (1, 45, 60, 180, 3600, 86400, 172800)] == [
        "1 segundo",
        "45 segundos",
        "1 minuto",
        "3 minutos",
        "1 hora",
        "24 horas",
        "2 días",
    ]
    assert relative(NOW - timedelta(hours=2), now=NOW, locale="es") == "hace 2 horas"
    assert relative(NOW + timedelta(hours=14, minutes=50), now=NOW, locale="es") == "dentro de 14 horas"
    assert [in_minutes(timedelta(seconds=seconds), "es") for seconds in (20, 60, 299)] == [
        "1 minuto",
        "1 minuto",
        "4 minutos",
    ]


def test_estonian_dates_and_spans_stand_in_the_case_its_sentences_ask_for() -> None:
    assert moment(NOW, "et", "Europe/Tallinn") == "22. nov 2026, 21:45 EET"
    assert [wait(timedelta(seconds=seconds), "et") for seconds in (1, 45, 60, 180, 3600, 86400, 172800)] == [
        "1 sekund",
        "45 sekundit",
        "1 minut",
        "3 minutit",
        "1 tund",
        "24 tundi",
        "2 ööpäeva",
    ]
    assert relative(NOW - timedelta(hours=2), now=NOW, locale="et") == "2 tunni eest"
    assert relative(NOW + timedelta(hours=14, minutes=50), now=NOW, locale="et") == "14 tunni pärast"
