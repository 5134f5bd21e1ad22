"""Spans, moments, money and the names of languages."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from idp.formats import html_language, lasting, moment, own_name, relative, wait

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
