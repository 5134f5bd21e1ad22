"""Who attacks whom: the kinds of accounts there are, and what somebody begins with. For `weakest`, which searches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from idp.model import (
    TRAITS,
    Account,
    AuthenticationEvent,
    Authenticator,
    AuthMethod,
    Client,
    Factor,
    Swap,
)
from idp.policy.table import Policy

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
OURSELVES = Client("stile", "The account pages", AuthMethod.NONE, first_party=True)
ANYBODY = Client("client", "An application", AuthMethod.NONE, first_party=True)
_LONG_AGO = BEGIN - timedelta(days=365)
_SOMEBODY = Account(UUID(int=1), "somebody", _LONG_AGO, _LONG_AGO, email="somebody@example.com", email_verified=True)
_IN_USE = timedelta(minutes=30)
_JUST_NOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Victim:
    """One kind of account, in words. Every one has a verified e-mail address: without it there is less to attack."""

    said: str
    account: Account
    authenticators: tuple[Authenticator, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """What somebody begins with, in words: the password, the mailbox, what proves these factors; a live browser.

    `cookie` is how long ago everything was proved in that browser; None where there is none. `doubted`: the operator of
    the number is asked, and cannot say whether the SIM was changed. `link`: what lives is no session, but a page for a
    new password that a link opened. `operator`: one of our own.
    """

    said: str
    password: bool = False
    mailbox: bool = False
    factors: frozenset[Factor] = frozenset()
    cookie: timedelta | None = None
    doubted: bool = False
    link: bool = False
    operator: bool = False


STARTS = (
    Start("nothing"),
    Start("password", password=True),
    Start("mailbox", mailbox=True),
    Start("phone", factors=frozenset({Factor.SMS})),
    Start("password and phone", password=True, factors=frozenset({Factor.SMS})),
    Start("password and a phone whose SIM is in doubt", password=True, factors=frozenset({Factor.SMS}), doubted=True),
    Start("password and mailbox", password=True, mailbox=True),
    Start("phone and mailbox", mailbox=True, factors=frozenset({Factor.SMS})),
    Start("saved codes and mailbox", mailbox=True, factors=frozenset({Factor.RECOVERY})),
    Start("password and saved codes", password=True, factors=frozenset({Factor.RECOVERY})),
    Start("password, phone and saved codes", password=True, factors=frozenset({Factor.SMS, Factor.RECOVERY})),
    Start("password and app", password=True, factors=frozenset({Factor.TOTP})),
    Start("passkey", factors=frozenset({Factor.PASSKEY})),
    Start("passkey and mailbox", mailbox=True, factors=frozenset({Factor.PASSKEY})),
    Start("app and mailbox", mailbox=True, factors=frozenset({Factor.TOTP})),
    Start("a doubted phone and mailbox", mailbox=True, factors=frozenset({Factor.SMS}), doubted=True),
    Start("the command line", operator=True),
    Start("live cookie", cookie=_IN_USE),
    Start("live cookie, a minute after its proofs", cookie=_JUST_NOW),
    Start("live cookie and phone", cookie=_IN_USE, factors=frozenset({Factor.SMS})),
    Start("live cookie, phone and saved codes", cookie=_IN_USE, factors=frozenset({Factor.SMS, Factor.RECOVERY})),
    Start("a page for a new password", cookie=_IN_USE, link=True),
    Start("a page for a new password, a minute after its proofs", cookie=_JUST_NOW, link=True),
)


def _have(number: int, factor: Factor) -> Authenticator:
    made = Authenticator(UUID(int=number), _SOMEBODY.id, factor, factor, "", _LONG_AGO, _LONG_AGO, _LONG_AGO)
    return replace(made, remaining=10) if TRAITS[factor].once else made


def victims(policy: Policy) -> Iterator[Victim]:
    """The kinds of accounts that this policy can have."""
    phone, app, codes = _have(11, Factor.SMS), _have(12, Factor.TOTP), _have(13, Factor.RECOVERY)
    passkey = _have(15, Factor.PASSKEY)
    hold = policy.enrolment.hold
    held = replace(app, id=UUID(int=14), created_at=BEGIN, trusted_at=BEGIN + 3 * hold, confirmed_at=BEGIN)
    gone = replace(app, closed_at=BEGIN, trusted_at=BEGIN + hold)
    closed = replace(_SOMEBODY, strong_from=BEGIN + 3 * hold)
    unsure, late = (replace(_SOMEBODY, email_trusted_at=at) for at in (BEGIN + 4 * hold, _LONG_AGO + 2 * hold))
    kinds = (
        Victim("phone", _SOMEBODY, (phone,)),
        Victim("phone, codes", _SOMEBODY, (phone, codes)),
        Victim("phone, app", _SOMEBODY, (phone, app)),
        Victim("phone, app, codes", _SOMEBODY, (phone, app, codes)),
        Victim("app", _SOMEBODY, (app,)),
        Victim("phone, passkey", _SOMEBODY, (phone, passkey)),
        Victim("passkey, app, codes", _SOMEBODY, (passkey, app, codes)),
        Victim("phone, app on hold", _SOMEBODY, (phone, held)),
        Victim("phone, app, another on hold", _SOMEBODY, (phone, app, held)),
        Victim("phone, codes, app removed lately", _SOMEBODY, (phone, codes, gone)),
        Victim("phone, app, codes on hold", _SOMEBODY, (phone, app, replace(codes, trusted_at=held.trusted_at))),
        Victim("phone removed lately, app", _SOMEBODY, (replace(phone, closed_at=BEGIN), app)),
        Victim("phone removed lately, codes", _SOMEBODY, (replace(phone, closed_at=BEGIN), codes)),
        Victim("phone, codes; frozen", replace(_SOMEBODY, frozen_at=_LONG_AGO + hold), (phone, codes)),
        Victim("phone, app; frozen", replace(_SOMEBODY, frozen_at=_LONG_AGO + hold), (phone, app)),
        Victim("phone, app; recovered lately", closed, (phone, app)),
        Victim("phone; address on hold", unsure, (phone,)),
        Victim("phone, app, codes; address on hold", unsure, (phone, app, codes)),
        Victim("phone, app on hold; address on hold", unsure, (phone, held)),
        Victim("phone; address on hold when frozen", replace(late, frozen_at=_LONG_AGO + hold), (phone,)),
        Victim("phone, codes; disabled", replace(_SOMEBODY, disabled=True), (phone, codes)),
    )
    return (kind for kind in kinds if all(each.factor in policy.factors for each in kind.authenticators))


def proved_before(start: Start, victim: Victim) -> tuple[AuthenticationEvent, ...]:
    """What the owner proved where somebody else sits now: the password, and by what is gone since, else their best."""
    if start.cookie is None:
        return ()
    at, account_id = BEGIN - start.cookie, victim.account.id
    best = max(victim.authenticators, key=lambda each: (each.closed_at is not None, TRAITS[each.factor].strong))
    swap, verified = Swap.NOT_SWAPPED if best.factor is Factor.SMS else None, best.factor is Factor.PASSKEY
    password = AuthenticationEvent(Factor.PASSWORD, at, account_id, OURSELVES.id)
    second = AuthenticationEvent(best.factor, at, account_id, OURSELVES.id, None, best.id, swap, verified)
    return (second,) if start.link else (password, second)
