"""The weakest way in: kept for our own policy, and seen to change when any guard of the table is taken away."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idp.model import Change
from idp.policy import default_policy, load_policy, transitions
from idp.policy.changes import Transition, Way
from idp.policy.comparing import Unreadable, kept, weaker
from idp.policy.transitions import TRANSITIONS
from idp.policy.victims import STARTS, victims
from idp.policy.weakest import Found, search
from tests.world.policies import OURS
from tests.world.weakest import KEPT, ours, table

HOLD = timedelta(hours=24)
ROOT = Path(__file__).parent.parent
POLICY = default_policy()
SHORT = load_policy(OURS.replace('hold = "24h"', 'hold = "1h"', 1))
BY_NAME = {victim.said: victim for victim in victims(POLICY)}
BEGINS = {start.said: start for start in STARTS}


def found(account: str, start: str) -> Found:
    return search(POLICY, BY_NAME[account], BEGINS[start])


def test_the_weakest_ways_are_those_that_are_kept() -> None:
    """When they change on purpose: `python -m tests.world.weakest`, and read the difference."""
    before, now = json.loads(KEPT.read_text(encoding="utf-8")), ours()
    assert weaker(before, now) == []
    assert now == before


def test_what_is_new_or_shorter_is_weaker_and_what_nobody_looked_at_is_no_news() -> None:
    victim, start = BY_NAME["phone"], BEGINS["password and phone"]
    before = kept(POLICY, [search(POLICY, victim, start)])
    assert weaker(before, before) == []
    short = kept(SHORT, [search(SHORT, victim, start)])
    assert weaker(short, before) == []
    worse = weaker(before, short)
    assert any(each.startswith("transfers:write of an account with phone, from password and phone") for each in worse)
    assert all("it took" in each or "there was no way" in each for each in worse)
    assert weaker({**before, "ways": []}, before)
    assert weaker({**before, "starts": [], "ways": []}, before) == []
    assert weaker({**before, "scopes": [], "changes": [], "ways": []}, before) == []


@pytest.mark.parametrize("told", [{}, {"ways": 1}, {"ways": [{}]}, {"ways": []}, {"ways": [1]}])
def test_what_is_no_audit_cannot_be_compared(told: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        weaker(told, {"ways": []})


# --- threats 1, 2, 4, 8, 11: what each attacker gets ------------------------------------------------


@pytest.mark.parametrize("start", ["nothing", "password", "mailbox", "phone", "password and mailbox"])
@pytest.mark.parametrize("account", ["phone", "phone, codes", "phone, app", "phone, app, codes", "phone, passkey"])
def test_one_channel_never_opens_anything(account: str, start: str) -> None:
    assert found(account, start).scopes == {}


@pytest.mark.parametrize("account", ["phone, app", "phone, app, codes", "phone, passkey", "phone, app on hold"])
def test_password_and_phone_of_who_has_an_app_change_nothing_and_open_nothing_strong(account: str) -> None:
    got = found(account, "password and phone")
    assert not {"transfers:write", "password:write"} & set(got.scopes)
    assert got.changes == {}


def test_password_and_phone_of_who_has_nothing_else_wait_for_the_hold() -> None:
    got = found("phone", "password and phone")
    assert got.scopes["openid"].words == ("password", "text message")
    assert got.scopes["transfers:write"].waits == HOLD


def test_a_doubted_sim_signs_in_and_changes_nothing() -> None:
    got = found("phone, codes", "password and a phone whose SIM is in doubt")
    assert "openid" in got.scopes
    assert "transfers:write" not in got.scopes
    assert got.changes == {}


def test_a_reset_never_signs_in_and_is_followed_by_the_hold_twice() -> None:
    got = found("phone", "phone and mailbox")
    assert got.scopes["openid"].words[-2:] == ("password", "text message")
    assert got.scopes["transfers:write"].waits == 2 * HOLD


@pytest.mark.parametrize("account", ["phone, app", "phone, passkey", "phone, app on hold"])
def test_a_reset_by_text_is_not_for_who_has_an_app(account: str) -> None:
    got = found(account, "phone and mailbox")
    assert got.scopes == {}
    assert not any("password" in end for end in got.changes)


def test_a_live_cookie_alone_changes_nothing() -> None:
    for account in BY_NAME:
        got = found(account, "live cookie")
        assert got.changes == {}
        assert "transfers:write" not in got.scopes


@pytest.mark.parametrize("start", [start.said for start in STARTS])
def test_a_frozen_account_opens_nothing_strong_without_waiting(start: str) -> None:
    for account in ("phone, codes; frozen", "phone, app; frozen"):
        got = found(account, start)
        assert "transfers:write" not in got.scopes or got.scopes["transfers:write"].waits >= HOLD
        assert not any("adding" in end and path.waits < HOLD for end, path in got.changes.items())


@pytest.mark.parametrize("start", [start.said for start in STARTS if not start.operator])
def test_a_disabled_account_opens_nothing_at_all(start: str) -> None:
    got = found("phone, codes; disabled", start)
    assert got.scopes == {}
    assert not any("freezing" not in end for end in got.changes)


# --- every guard is there for something ------------------------------------------------------------

# Where an app is worth no more than a text message, other rules are reached.
EQUAL = load_policy(OURS.replace('"strong"', '"two_factor"').replace('"phishing_resistant"', '"two_factor"', 1))


def without_one(row: Transition) -> Iterator[tuple[str, Transition]]:
    for place, guard in enumerate(row.guards):
        yield guard.said, replace(row, guards=row.guards[:place] + row.guards[place + 1 :])
    for place, counts in enumerate(row.counts):
        yield counts.said, replace(row, counts=row.counts[:place] + row.counts[place + 1 :])
    for place, way in enumerate(row.ways):
        for said, weak in weaker_ways(way):
            yield f"{way.said}: {said}", replace(row, ways=(*row.ways[:place], weak, *row.ways[place + 1 :]))


def weaker_ways(way: Way) -> Iterator[tuple[str, Way]]:
    for place, condition in enumerate(way.when):
        yield condition.said, replace(way, when=way.when[:place] + way.when[place + 1 :])
    if way.holds:
        yield "its hold", replace(way, holds=0)
    if way.closes:
        yield "what it closes", replace(way, closes=False)


MUTANTS = [
    pytest.param(change, mutant, id=f"{change}-{said}")
    for change, row in TRANSITIONS.items()
    for said, mutant in without_one(row)
]
CASES = [(policy, victim, start) for policy in (POLICY, EQUAL) for victim in victims(policy) for start in STARTS]


def changes(change: Change) -> Iterator[object]:
    for policy, victim, start in CASES:
        yield search(policy, victim, start, only=change).changes


@pytest.fixture(scope="module")
def before() -> dict[Change, list[object]]:
    return {change: list(changes(change)) for change in TRANSITIONS}


@pytest.mark.parametrize(("change", "mutant"), MUTANTS)
def test_without_any_guard_the_audit_says_something_else(
    change: Change, mutant: Transition, before: dict[Change, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transitions, "TRANSITIONS", {**TRANSITIONS, change: mutant})
    assert any(now != was for now, was in zip(changes(change), before[change], strict=True))


def test_the_documentation_shows_the_very_table() -> None:
    shown = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    assert table() in shown, f"docs/security.md should say\n{table()}"


def test_every_change_has_a_row_that_a_flow_executes() -> None:
    assert set(TRANSITIONS) == set(Change)
    flows = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "idp/flows").rglob("*.py"))
    assert [change for change in Change if f"Change.{change.name}" not in flows] == []
