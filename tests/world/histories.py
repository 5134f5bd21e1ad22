"""What somebody has proved and has, and requests, for the tests of the policy."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from idp.model import (
    Account,
    AuthenticationEvent,
    Authenticator,
    AuthMethod,
    AuthorizationRequest,
    Client,
    Factor,
)
from idp.policy import (
    TRANSITIONS,
    Change,
    Facts,
    May,
    NeedsProof,
    Policy,
    Refuse,
    Vouched,
    default_policy,
    permission,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


HOLD = timedelta(hours=24)


NOTHING = timedelta(0)


LONG_AGO = NOW - timedelta(days=90)


ANNA = Account(UUID(int=1), "anna", LONG_AGO, LONG_AGO)


PAGES = Client("account", "Account", AuthMethod.NONE)


HERE = uuid4()


# What a person does on the account pages, with nobody to vouch for them.
BY_ONESELF = [change for change, row in TRANSITIONS.items() if row.counts and not row.recovers]


def enrolled(factor: Factor, **changes: Any) -> Authenticator:
    made = Authenticator(uuid4(), ANNA.id, factor, factor, "", LONG_AGO, LONG_AGO, confirmed_at=LONG_AGO)
    return replace(made, **changes)


PHONE, APP, PAPER = enrolled(Factor.SMS), enrolled(Factor.TOTP), enrolled(Factor.RECOVERY, remaining=5)


HELD = enrolled(Factor.TOTP, trusted_at=NOW + timedelta(hours=3))


AT_ONCE, LATER = May(NOTHING), May(HOLD)


def proved(factor: Factor, seconds_ago: float = 60, by: Authenticator | None = None, **changes: Any) -> Any:
    device = by or {Factor.SMS: PHONE, Factor.TOTP: APP, Factor.RECOVERY: PAPER}.get(factor)
    at = NOW - timedelta(seconds=seconds_ago)
    event = AuthenticationEvent(factor, at, ANNA.id, "account", HERE, device.id if device else None)
    return replace(event, **changes)


PASSWORD, SMS, RECOVERY, TOTP = (
    proved(Factor.PASSWORD, 90),
    proved(Factor.SMS),
    proved(Factor.RECOVERY),
    proved(Factor.TOTP),
)


def ask(
    *events: AuthenticationEvent,
    having: tuple[Authenticator, ...],
    change: Change = Change.ADD_APP,
    target: Authenticator | None = None,
    policy: Policy | None = None,
    **changes: Any,
) -> May | NeedsProof | Refuse:
    request = AuthorizationRequest("account", "https://idp.example/account", ())
    facts = Facts(NOW, PAGES, request, LONG_AGO, HERE, ANNA, events, having, internal=True)
    vouched = changes.pop("vouched", Vouched.NOBODY)
    return permission(
        replace(facts, **changes),
        policy or default_policy(),
        change=change,
        target=target.id if target else None,
        vouched=vouched,
    )
