"""Every rate limit of the product by name, and the arithmetic behind it. The numbers are in the policy. Pure.

A limit on a subject is one row: `count` (in a row), `last_at`, and `hits`, the single moments a window still needs,
oldest first. A log and not GCRA, because it is exact: never more than N in *any* stretch of that length, and
`Retry-After` is the true moment. It stays short: a full window refuses, so no more hits than the longest window allows.
One row may be charged with two limits of one name, as strangers and known browsers are.

The store keeps the rows and must agree with `charge`, `refund` and `forgive` for every state. A charge trims `hits`.
A refused charge changes nothing, so asking again does not make the wait longer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from idp.crypto import mac

NOTHING = timedelta(0)
FOR_EVER = timedelta(days=36500)
GROUP_BYTES = 16


@dataclass(frozen=True, slots=True)
class Window:
    """At most `count` charges in any stretch of `per`; one made exactly `per` ago no longer counts."""

    count: int
    per: timedelta

    def __post_init__(self) -> None:
        if self.count < 1 or self.per <= NOTHING:
            raise ValueError("a window needs a positive count and length")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double. After charge number `free` in a row comes `base`, after the next twice that, up to `cap`.

    `close_at`: that many in a row are let through, and then none until the row is forgiven. `forget`: a row that has
    been quiet for so long starts again; None means that only forgiving it does.
    """

    free: int
    base: timedelta
    cap: timedelta
    close_at: int | None = None
    forget: timedelta | None = None

    def __post_init__(self) -> None:
        if self.free < 1 or not NOTHING < self.base <= self.cap:
            raise ValueError("waits need a positive number of free charges and 0 < base <= cap")
        if self.close_at is not None and (self.close_at < self.free or self.forget is not None):
            raise ValueError("a limit that closes must not be forgotten, and closes after its waits began")
        if self.forget is not None and self.forget < self.cap:
            raise ValueError("a wait must not be forgotten before it is over")

    def wait(self, count: int) -> timedelta:
        """How long after charge number `count` in a row the next may come."""
        if count < self.free:
            return NOTHING
        # The exponent is bounded: 2 ** 40 exceeds every cap, and a long streak must not overflow a timedelta.
        doublings = count - self.free
        return self.cap if doublings > 40 else min(self.cap, self.base * 2**doublings)


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of the table: what is counted, and how. `name` is part of every subject's digest."""

    name: str
    backoff: Backoff | None = None
    windows: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        if self.backoff is None and not self.windows:
            raise ValueError("a limit without waits and windows limits nothing")

    @property
    def span(self) -> timedelta:
        """How long a hit is needed: the longest window, or nothing."""
        return max((window.per for window in self.windows), default=NOTHING)

    @property
    def keep(self) -> timedelta:
        """How long after its last charge a row still means something; swept afterwards."""
        if self.backoff is None:
            return self.span
        return max(self.span, FOR_EVER if self.backoff.forget is None else self.backoff.forget)


@dataclass(frozen=True, slots=True)
class LimitState:
    """What a row holds. `last_at` moves back for a refund alone, never because the clock does."""

    count: int
    last_at: datetime
    hits: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Charged:
    """The charge was made; go on."""

    state: LimitState


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was charged; after exactly `retry_after` it would be, if nobody else charges meanwhile."""

    retry_after: timedelta


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing was charged, and waiting does not help: the subject has to be forgiven (recovery)."""


def wait(limit: Limit, state: LimitState | None, *, now: datetime) -> timedelta | None:
    """How long until the next charge is possible: nothing, a positive time, or None when closed."""
    if state is None:
        return NOTHING
    ready = now
    if limit.backoff is not None:
        count = _count(limit, state, now)
        if limit.backoff.close_at is not None and count >= limit.backoff.close_at:
            return None
        # Within the free charges nobody waits, not even for a clock that is a little behind another node's.
        if count >= limit.backoff.free:
            ready = max(ready, state.last_at + limit.backoff.wait(count))
    for window in limit.windows:
        if len(state.hits) >= window.count:
            ready = max(ready, state.hits[-window.count] + window.per)
    return ready - now


def charge(limit: Limit, state: LimitState | None, *, now: datetime) -> Charged | Refused | Closed:
    """Charge one, before doing what is limited. When it was refused, it must not be done."""
    left = wait(limit, state, now=now)
    if left is None:
        return Closed()
    if left > NOTHING:
        return Refused(left)
    if state is None:
        return Charged(LimitState(1, now, (now,) if limit.windows else ()))
    at = max(now, state.last_at)
    hits = (*_live(limit, state, at), at) if limit.windows else ()
    return Charged(LimitState(_count(limit, state, now) + 1, at, hits))


def wait_after(limit: Limit, state: LimitState | None, *, now: datetime) -> timedelta:
    """How long the charge after the next one would have to wait, if the next were made now and not given back."""
    match charge(limit, state, now=now):
        case Charged(after):
            left = wait(limit, after, now=now)
            return FOR_EVER if left is None else left
        case Refused(retry_after):
            return retry_after
        case Closed():
            return FOR_EVER


def refund(limit: Limit, state: LimitState, *, now: datetime, since: datetime, places: int = 1) -> LimitState:
    """Give charges back that were made at `since` or later and turned out harmless, as a code that was then verified.

    The oldest of those go, whoever made them: those that stay are then never older than the ones that should, so a
    refund can delay others but never lets more through. Nor does it leave a wait behind: the charge was let through, so
    the one before it had waited long enough by then.
    """
    live = _live(limit, state, now)
    before = tuple(hit for hit in live if hit < since)
    count, last_at = max(0, state.count - places), state.last_at
    if limit.backoff is not None and not limit.windows and last_at == since:
        last_at -= limit.backoff.wait(count)
    return LimitState(count, last_at, before + live[len(before) + places :])


def forgive(state: LimitState) -> LimitState:
    """End the row's streak, its waits and its closing, after a success of that very kind. Windows keep their hits."""
    return LimitState(0, state.last_at, state.hits)


def _count(limit: Limit, state: LimitState, now: datetime) -> int:
    forget = None if limit.backoff is None else limit.backoff.forget
    return 0 if forget is not None and now >= state.last_at + forget else state.count


def _live(limit: Limit, state: LimitState, now: datetime) -> tuple[datetime, ...]:
    return tuple(hit for hit in state.hits if hit > now - limit.span)


@dataclass(frozen=True, slots=True)
class Sending:
    """What is charged for a code that is sent to one phone or mailbox, in this order. Subject: where it goes.

    `pace`: for each known device, and for all others; forgiven when a code was verified: whoever holds the phone is not
    pestered. `places`: a verified code gives them back. `strangers`: what of these a browser gets that this person
    never signed in from, or whoever learnt the password could use up those of its owner. `day`: the end.
    """

    pace: Limit
    places: Limit
    strangers: Limit
    day: Limit


@dataclass(frozen=True, slots=True)
class Limits:
    """The table: what is counted, of whom. The numbers are rows of the policy (`[limits]`).

    `sms`, `email`: codes sent. `sms_address`: the address a code is asked for from, to a phone or to a mailbox; a code
    that was then verified is refunded; trusted networks and known devices are exempt.

    `code_failures`: wrong codes of an account and factor. Charged before comparing, forgiven by a success of that
    factor and by nothing else.

    Passwords are charged before verifying, under the name as typed, existing or not. A browser that the person signed
    in from before pays the first of these, any other browser all the rest; a success is forgiven or given back.
    `password_device`: the name and the known device. Only waits: nobody else can make it wait.
    `password_stranger`: the name and the address, also of a trusted network. A stranger makes those wait who share his
    address, and takes a fifth of the day at most.
    `password_day`: the name, for all unknown browsers.
    `password_address`: the address; not for trusted networks. A success is refunded, never forgiven: else an attacker's
    own account would wipe the slate between guesses at others.

    `client_failures`: the registered client that is claimed (one for all that are invented) and the address. Charged
    for a wrong secret or assertion, after judging it: 256 random bits are not guessed, so this only slows down noise.
    What is right always passes, or a stranger behind the same address could lock the client out.

    `enrolments`: the account. Phones and apps begun, so that one hostile person cannot have us write to many numbers.
    `code_notices`: the account. That somebody who gave the right password typed wrong codes is told now and then:
    whoever learnt a password must not be able to have its owner written to at will.
    `browser_notices`: the account. Who signs in from a fresh browser each time is told of some of them only.

    `stored_requests`: the address. What is stored of requests that have no address of their own, before anybody has
    signed in: nobody fills the tables. Not for trusted networks.

    `reset_person`: the name or address as typed, existing or not. Links for a forgotten password. `reset_address`: the
    visitor's address, whatever is typed; not for trusted networks. `register_mailbox`, `register_address`: the same of
    links for a new account.

    `api_calls`: the client and the person who call the API. Counted by each process for itself, without the database:
    a program that loops is to leave room for those who sign in, no more.
    """

    sms: Sending
    email: Sending
    sms_address: Limit
    code_failures: Limit
    password_device: Limit
    password_stranger: Limit
    password_day: Limit
    password_address: Limit
    client_failures: Limit
    enrolments: Limit
    code_notices: Limit
    browser_notices: Limit
    stored_requests: Limit
    reset_person: Limit
    reset_address: Limit
    register_mailbox: Limit
    register_address: Limit
    api_calls: Limit


def is_of_address(limit: Limit) -> bool:
    """Whether this counts the codes asked for from one address (`Limits.sms_address`)."""
    return limit.name == "sms_address"


def subject(limit: Limit, *parts: str | bytes | UUID) -> bytes:
    """The key of a row. A number, address or name goes in as `KeyChain.index`: plain, a dump could be searched."""
    return mac(b"", limit.name.encode(), *map(_part, parts))


def subject_in(limit: Limit, group: str | bytes | UUID, *parts: str | bytes | UUID) -> bytes:
    """The key of a row among others that begin alike, so that an operator finds all of a group: see `group_of`."""
    return group_of(limit, group) + subject(limit, group, *parts)[:GROUP_BYTES]


def group_of(limit: Limit, group: str | bytes | UUID) -> bytes:
    """What the keys of all rows of `subject_in` with this group begin with."""
    return subject(limit, group)[:GROUP_BYTES]


def _part(part: str | bytes | UUID) -> bytes:
    if isinstance(part, UUID):
        return part.bytes
    # A lone surrogate in a typed name must not become a 500.
    return part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
