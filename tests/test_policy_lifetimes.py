"""How long things live and how often they may be tried: what an operator may say, and what no operator may."""

from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from idp.errors import SettingsError
from idp.flows.tokens import sealed_keys
from idp.limits import Limit, Limits, Window
from idp.model import EVERYWHERE, Notice, Texting
from idp.policy import LIFETIMES, Policy, default_policy, in_units, lifetimes_of, limits_of, load_policy, said
from tests.world.policies import BEFORE, OURS

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_policy(BEFORE + text)
    return caught.value.problems


def read(text: str) -> Policy:
    return load_policy(BEFORE + text)


def spelt(span: timedelta, *, more: int = 0) -> str:
    """A span as the file says it, and `more` of its unit."""
    seconds = int(span.total_seconds())
    size, unit = next(
        (size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if seconds % size == 0
    )
    return f"{seconds // size + more}{unit}"


def test_a_file_without_the_tables_gets_ours() -> None:
    assert read("") == default_policy()


def test_the_lifetimes_are_those_of_the_threat_model() -> None:
    minutes = {row: span / timedelta(minutes=1) for row, span in lifetimes_of(default_policy()).items()}
    assert minutes == {
        "sessions.idle": 60,
        "sessions.life": 24 * 60,
        "sessions.forgiven": 0.5,
        "sessions.known": 365 * 24 * 60,
        "sessions.site": 1,
        "interaction.ttl": 10,
        "challenge.ttl": 5,
        "enrolment.hold": 24 * 60,
        "enrolment.ttl": 10,
        "tokens.code": 1,
        "tokens.id_token": 10,
        "tokens.access": 10,
        "tokens.refresh": 30 * 24 * 60,
        "tokens.refresh_max": 90 * 24 * 60,
        "tokens.forgiven": 0.5,
        "tokens.pushed": 1.5,
        "notices.ttl": 24 * 60,
        "notices.tried_for": 30 * 24 * 60,
        "links.reset": 20,
        "links.verify_email": 24 * 60,
        "links.freeze": 7 * 24 * 60,
        "recovery.nudge": 180 * 24 * 60,
        "links.register": 60,
        "links.invite": 3 * 24 * 60,
        "links.ticket": 24 * 60,
    }


@pytest.mark.parametrize("row", LIFETIMES)
def test_a_lifetime_is_set_by_its_row_up_to_its_bounds_and_no_further(row: str) -> None:
    table, key = row.split(".")
    bounds = LIFETIMES[row]

    def said_of(span: str) -> list[str]:
        # Whatever must not be shorter than another is told apart from the bounds.
        return [one for one in problems(f'[{table}]\n{key} = "{span}"\n') if f"{row}: must be at" in one]

    (more,) = said_of(spelt(bounds.most, more=1))
    assert more == f"{row}: must be at most {in_units(bounds.most)}: {bounds.too_much}"
    if bounds.least > timedelta(seconds=1):
        (less,) = said_of("1s")
        assert less == f"{row}: must be at least {in_units(bounds.least)}: {bounds.too_little}"
    within = {"sessions.life": HOUR, "tokens.refresh_max": 30 * DAY, "sessions.idle": DAY, "tokens.refresh": 90 * DAY}
    middle = within.get(row, bounds.most)
    assert lifetimes_of(read(f'[{table}]\n{key} = "{spelt(middle)}"\n'))[row] == middle


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('[challenge]\nttl = "11m"', "challenge.ttl: must be at most 10 minutes", id="a code"),
        pytest.param("[challenge]\nattempts = 4", "challenge.attempts: must be at most 3", id="tries"),
        pytest.param('[tokens]\ncode = "61s"', "tokens.code: must be at most 1 minute", id="an authorization code"),
        pytest.param('[sessions]\nlife = "31d"', "sessions.life: must be at most 30 days", id="a session"),
        pytest.param('[sessions]\nidle = "25h"', "sessions.life: 1 day, as it comes with Stile, must", id="idle"),
        pytest.param('[limits.sms_pace]\nbase = "59s"', "limits.sms_pace.base: must be at least 1 minute", id="texts"),
        pytest.param('[limits.email_pace]\nbase = "59s"', "limits.email_pace.base: must be at least 1", id="mails"),
        pytest.param(
            "[limits.code_failures]\nfree = 1\nclose_at = 4", "close_at: must be at least 5: who", id="closed"
        ),
        pytest.param('[limits.email_pace]\nbase = "6m"', "limits.email_pace.base: 6 minutes must not", id="pace"),
        pytest.param('[sessions]\nidle = "40d"', "sessions.idle: must be at most 30 days", id="idle alone is blamed"),
        pytest.param("[limits.code_failures]\nclose_at = 101", "close_at: must be at most 100", id="never closed"),
        pytest.param("[limits.code_failures]\nfree = 101", "free: must be at most 100", id="never waited for"),
        pytest.param("[limits.password_day]\nper_day = 101", "password_day.per_day: must be at most 100", id="guesses"),
        pytest.param("[limits.sms_number]\nper_hour = 0", "sms_number.per_hour: must be at least 1", id="no texts"),
        pytest.param(
            "[limits.sms_number]\nper_hour = 3",
            "limits.sms_strangers.per_hour: 4, as it comes with Stile, must not be more than limits.sms_number",
            id="strangers",
        ),
        pytest.param(
            "[limits.email_strangers]\nper_day = 11",
            "limits.email_strangers.per_day: 11 must not be more than limits.email_address.per_day",
            id="mail",
        ),
        pytest.param(
            "[limits.password_day]\nper_day = 19",
            "limits.password_stranger.per_day: 20, as it comes with Stile, must not",
            id="all of it",
        ),
        pytest.param("[limits.sms_pace]\nfree = 2", "limits.sms_pace.free: unknown key", id="two at once"),
        pytest.param("[limits.sms_pace]\nper_day = 2", "limits.sms_pace.per_day: unknown key", id="another key"),
        pytest.param("[limits]\nsms_speed = { }", "limits.sms_speed: unknown key", id="another row"),
        pytest.param("[limits]\nsms_pace = 3", "limits.sms_pace: must be a table", id="no row"),
        pytest.param('[limits.sms_day]\nper_day = "9"', "sms_day.per_day: must be a whole number, not '9'", id="text"),
        pytest.param("[limits.sms_day]\nper_day = true", "per_day: must be a whole number, not True", id="a flag"),
        pytest.param("[notices]\nwrong_codes = 0", "notices.wrong_codes: must be at least 1", id="no reason"),
        pytest.param('[limits.password_device]\nforget = "59m"', "forget: must be at least 1 hour", id="all day"),
        pytest.param('[notices]\ntexts = "all"', "notices.texts: must be a list of notices, not 'all'", id="no list"),
        pytest.param('[notices]\ntexts = ["news"]', "notices.texts: there is no notice 'news'; there are ", id="news"),
        pytest.param("[notices]\nno_texts = [1, []]", "notices.no_texts: there is no notice 1", id="no names"),
        pytest.param(
            '[notices]\nno_texts = ["totp_added"]',
            "notices.no_texts: totp_added changes how somebody signs in: it is texted",
            id="silenced",
        ),
        pytest.param(
            '[notices]\nno_texts = ["codes_wrong"]',
            "notices.no_texts: codes_wrong stands in notices.texts too",
            id="both",
        ),
    ],
)
def test_no_operator_may(text: str, said: str) -> None:
    assert any(said in one for one in problems(text)), problems(text)


def test_a_row_that_contradicts_itself_is_one_sentence_each() -> None:
    text = '[limits]\ncode_failures = { free = 50, base = "2h", close_at = 40 }\nclient_failures = { cap = "2h" }\n'
    assert problems(text) == [
        "limits.code_failures.cap: must be at least 2 hours, its base: waits grow",
        "limits.code_failures.close_at: must be at least 50, as many as are free",
        "limits.client_failures.forget: must be at least 2 hours, its cap: a wait is not forgotten before it is over",
    ]


def test_every_mistake_is_told_at_once_and_in_the_order_of_the_tables() -> None:
    text = '[sessions]\nidle = "1s"\nlive = "1d"\n[tokens]\ncode = "1d"\n[limits.sms_pace]\nbase = "1s"\n'
    assert [one.split(":")[0] for one in problems(text)] == [
        "tokens.code",
        "sessions.idle",
        "sessions.live",
        "limits.sms_pace.base",
    ]


def test_what_a_row_does_not_say_is_as_in_ours() -> None:
    found = read("[limits]\nsms_number = { per_hour = 4 }\n").limits
    assert found.sms.places == Limit("sms_number", windows=(Window(4, HOUR), Window(10, DAY)))
    assert replace(found, sms=default_policy().limits.sms) == default_policy().limits


def test_the_page_for_operators_says_each_row_and_its_bounds() -> None:
    page = (Path(__file__).parent.parent / "docs" / "operations.md").read_text()
    for row, span in lifetimes_of(default_policy()).items():
        bounds = LIFETIMES[row]
        assert f"| `{row}` | {in_units(span)} | {in_units(bounds.least)} to {in_units(bounds.most)} |" in page


def test_a_retired_key_outlives_what_it_signed() -> None:
    longest = max(LIFETIMES["tokens.access"].most, LIFETIMES["tokens.id_token"].most)
    assert longest < sealed_keys.VERIFY_AFTER_RETIREMENT


def test_the_file_that_comes_with_stile_has_every_row() -> None:
    policy = default_policy()
    rows = {row.split(".")[1] for row in LIFETIMES} | set(limits_of(policy.limits))
    assert not {row for row in rows if f"\n{row} " not in OURS}
    sent = {each.name for each in fields(policy.limits.sms)}
    assert len(limits_of(policy.limits)) == len(fields(Limits)) - 2 + 2 * len(sent)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("sms_number", "5 an hour; 10 a day"),
        ("sms_pace", "after 1 in a row a wait of 1 minute, doubling up to 32 minutes; forgotten after 1 day"),
        ("code_failures", "after 10 in a row a wait of 30 seconds, doubling up to 1 hour; closed after 100"),
    ],
)
def test_a_limit_is_told_in_words(row: str, words: str) -> None:
    assert said(limits_of(default_policy().limits)[row]) == words


def test_what_is_texted_is_told_of_every_notice() -> None:
    notices = read('[notices]\ntexts = []\nno_texts = ["codes_wrong"]\n').notices
    texted = {notice: notices.texting(notice) for notice in Notice}
    assert {notice for notice, how in texted.items() if how is Texting.ALWAYS} == EVERYWHERE
    assert texted[Notice.CODES_WRONG] is Texting.NEVER
    assert texted[Notice.NEW_BROWSER] is texted[Notice.PASSWORD_CHANGED] is Texting.UNMAILED
