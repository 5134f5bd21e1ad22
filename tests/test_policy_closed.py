"""A frozen account, and one that was recovered by less than it had: signing in works, nothing strong opens."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from idp.model import Account, AuthenticationEvent, AuthorizationRequest, Factor
from idp.policy import UNMET, Ask, Barrier, Change, Facts, Kind, Proceed, Refuse, decide, default_policy
from tests.world.histories import (
    ANNA,
    APP,
    HERE,
    LATER,
    LONG_AGO,
    NOW,
    PAPER,
    PASSWORD,
    PHONE,
    RECOVERY,
    SMS,
    TOTP,
    ask,
)
from tests.world.histories import PAGES as ACCOUNT_PAGES

SOON = NOW + timedelta(hours=3)
FROZEN = replace(ANNA, frozen_at=NOW - timedelta(days=400))
SHUT = replace(ANNA, strong_from=SOON)
OPENED = replace(ANNA, strong_from=NOW)


def decided(
    account: Account, *scopes: str, events: tuple[AuthenticationEvent, ...], groups: frozenset[str] = frozenset()
) -> object:
    request = AuthorizationRequest("account", "/account", ("openid", *scopes))
    facts = Facts(NOW, replace(ACCOUNT_PAGES, scopes=frozenset(request.scopes)), request, LONG_AGO, HERE)
    facts = replace(facts, account=replace(account, groups=groups), events=events, authenticators=(PHONE, APP, PAPER))
    return decide(replace(facts, internal=True), default_policy())


@pytest.mark.parametrize("account", [FROZEN, SHUT])
def test_signing_in_works_while_it_is_shut(account: Account) -> None:
    found = decided(account, events=(PASSWORD, TOTP))
    assert isinstance(found, Proceed)
    assert found.context.acr == "urn:stile:2fa"
    assert found.context.amr == ("pwd", "mfa")
    assert found.context.strong_at is None


@pytest.mark.parametrize(
    "events", [(), (PASSWORD,), (PASSWORD, SMS), (PASSWORD, TOTP), (PASSWORD, SMS, RECOVERY, TOTP)]
)
@pytest.mark.parametrize(
    ("account", "barrier", "until"),
    [pytest.param(FROZEN, Barrier.FROZEN, None, id="frozen"), pytest.param(SHUT, Barrier.CLOSED, SOON, id="recovered")],
)
def test_nothing_opens_a_strong_scope_while_it_is_shut(
    account: Account, barrier: Barrier, until: datetime | None, events: tuple[AuthenticationEvent, ...]
) -> None:
    found = decided(account, "password:write", events=events)
    if not events:
        assert isinstance(found, Ask)
        assert found.kind is Kind.PASSWORD
        return
    assert isinstance(found, Refuse)
    assert (found.error, found.barrier, found.retry_at) == (UNMET, barrier, until)


@pytest.mark.parametrize("account", [FROZEN, SHUT])
@pytest.mark.parametrize("change", [Change.ADD_APP, Change.RENEW_CODES, Change.REMOVE_APP])
def test_nothing_of_how_one_signs_in_is_changed_while_it_is_shut(account: Account, change: Change) -> None:
    found = ask(PASSWORD, SMS, RECOVERY, TOTP, having=(PHONE, PAPER, APP), change=change, target=APP, account=account)
    assert isinstance(found, Refuse)
    assert (found.error, found.barrier is None) == (UNMET, False)


def test_from_that_moment_on_it_is_as_before_but_not_for_what_was_proved_earlier() -> None:
    assert ask(PASSWORD, SMS, having=(PHONE,), account=OPENED) == LATER
    before = decided(OPENED, "password:write", events=(PASSWORD, TOTP))
    assert isinstance(before, Ask)
    assert before.factors == (Factor.TOTP,)
    assert isinstance(decided(OPENED, "password:write", events=(PASSWORD, replace(TOTP, at=NOW))), Proceed)
