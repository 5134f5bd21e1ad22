"""Where somebody has got who attacks an account: what they hold, what they proved, and what a change brings them.

Everybody who is attacked is told of each change at once and does nothing, which is the worst that can happen.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from idp.assurance import is_both
from idp.model import (
    TRAITS,
    Account,
    AuthenticationEvent,
    Authenticator,
    AuthorizationRequest,
    Change,
    Client,
    Factor,
    Swap,
)
from idp.policy.changes import Ends, May
from idp.policy.facts import Facts
from idp.policy.table import Policy
from idp.policy.victims import BEGIN, OURSELVES, Start, Victim, proved_before

SHORT = timedelta(minutes=1)
"""What happens within it happens at once."""
_TICK = timedelta(milliseconds=1)
_HERE = UUID(int=2)


@dataclass(frozen=True, slots=True)
class World:
    """Where somebody has got: the account as it is now, the proofs of their session, and what they hold."""

    policy: Policy
    start: Start
    now: datetime
    account: Account
    authenticators: tuple[Authenticator, ...]
    events: tuple[AuthenticationEvent, ...]
    password: bool
    mailbox: bool
    theirs: frozenset[UUID]

    def key(self) -> tuple[object, ...]:
        """What the future depends on."""
        told = frozenset(
            (a.factor, a.id in self.theirs, a.created_at >= BEGIN, self._left(a.trusted_at), self._left(a.closed_at))
            for a in self.authenticators
        )
        proved = frozenset((event.factor, event.authenticator_id, event.at > BEGIN) for event in self.events)
        shut = self._left(self.account.strong_from), self._left(self.account.email_trusted_at), self.account.frozen_at
        return told, proved, self.password, self.mailbox, shut

    def _left(self, at: datetime | None) -> int | None:
        """Minutes until then; the past is the past."""
        return None if at is None else max((at - self.now) // SHORT, -1)

    def proofs(self, factor: Factor, client: Client) -> Iterator[AuthenticationEvent]:
        """What they could prove of this kind, a moment from now, and did not yet in this request."""
        here = {each.authenticator_id for each in self.events if each.factor is factor and each.interaction_id == _HERE}
        event = AuthenticationEvent(factor, self.now + _TICK, self.account.id, client.id, _HERE)
        if not TRAITS[factor].enrolled and None in here:
            return
        if factor is Factor.PASSWORD:
            yield from (event,) if self.password else ()
        elif not TRAITS[factor].enrolled:
            yield from (event,) if self.mailbox else ()
        for each in self.authenticators:
            if each.factor is factor and each.id in self.theirs - here and each.closed_at is None:
                swap = None
                if factor is Factor.SMS:
                    swap = Swap.UNKNOWN if self.start.doubted else Swap.NOT_SWAPPED
                yield replace(event, authenticator_id=each.id, swap=swap, verified=factor is Factor.PASSKEY)

    def proved(self, event: AuthenticationEvent) -> "World":
        """Having proved that."""
        return replace(self, now=event.at, events=(*self.events, event))

    def _is_known(self) -> bool:
        return any(event.factor is Factor.PASSWORD or is_both(event) for event in self.events)

    def asked_anew(self) -> "World":
        """Before another request: nothing was proved in it yet."""
        return replace(self, events=tuple(replace(event, interaction_id=None) for event in self.events))

    def facts(self, request: AuthorizationRequest, client: Client) -> Facts:
        """What `decide` looks at."""
        return Facts(
            now=self.now,
            client=replace(client, scopes=frozenset(self.policy.scopes)),
            request=request,
            started_at=self.now,
            interaction_id=_HERE,
            account=self.account if self._is_known() else None,
            events=self.events,
            authenticators=self.authenticators,
            consented_here=frozenset(request.scopes),
            internal=client is OURSELVES,
            numbers_checked=self.start.doubted,
            guards=not self.policy.places.isdisjoint(request.scopes),
        )


def begun(policy: Policy, victim: Victim, start: Start) -> World:
    """Before anything was done."""
    return World(
        policy=policy,
        start=start,
        now=BEGIN,
        account=victim.account,
        authenticators=victim.authenticators,
        events=proved_before(start, victim),
        password=start.password,
        mailbox=start.mailbox,
        theirs=frozenset(each.id for each in victim.authenticators if each.factor in start.factors),
    )


def brings(world: World, change: Change, target: UUID | None) -> bool:
    """Whether they hold more after it, or less is in their way."""
    match change:
        case Change.ADD_APP:
            return not _holds(world, Factor.TOTP, own=True)
        case Change.ADD_PHONE:
            return not _holds(world, Factor.SMS) and not _holds(world, Factor.TOTP)
        case Change.RENEW_CODES:
            return not _holds(world, Factor.RECOVERY)
        case Change.CHANGE_EMAIL:
            return not world.mailbox and not world.password  # it is good for another password
        case Change.REMOVE_APP:
            return target not in world.theirs and not _holds(world, Factor.TOTP)
        case Change.RESET_PASSWORD:
            return not world.password or world.account.frozen_at is not None
        case Change.CHANGE_PASSWORD:
            return not world.password
        case _:
            return False


def after(world: World, change: Change, target: UUID | None, may: May) -> World:
    """What a change that brings something makes of the account, and of what they hold."""
    account = world.account
    if may.closed:
        account = replace(account, strong_from=world.now + may.closed)
    if may.recovers:
        account = replace(account, frozen_at=None)
    world = replace(world, account=account, events=() if may.ends is Ends.EVERYTHING else world.events)
    match change:
        case Change.ADD_APP:
            added = world
            for factor in (Factor.TOTP, Factor.PASSKEY):  # where an app may be added a passkey may
                added = _enrolled(added, factor, may) if factor in world.policy.factors else added
            return added if _has(added, Factor.RECOVERY) else _enrolled(added, Factor.RECOVERY, may)
        case Change.ADD_PHONE:
            return _enrolled(world, Factor.SMS, may)
        case Change.RENEW_CODES:
            return _enrolled(_without(world, Factor.RECOVERY), Factor.RECOVERY, may)
        case Change.CHANGE_EMAIL:
            account = replace(account, email_trusted_at=world.now + may.hold)
            return replace(world, account=account, mailbox=True)  # its link arrives where they read
        case Change.REMOVE_APP:
            return world if target is None else _closed(world, target, may)
        case _:
            return replace(world, password=True)


def _has(world: World, factor: Factor) -> bool:
    return any(each.factor is factor and each.closed_at is None for each in world.authenticators)


def _holds(world: World, factor: Factor, *, own: bool = False) -> bool:
    return any(
        each.factor is factor
        and each.id in world.theirs
        and each.closed_at is None
        and (not own or each.created_at >= BEGIN)
        for each in world.authenticators
    )


def _enrolled(world: World, factor: Factor, may: May) -> World:
    """With one more, of which its owner was told at once: the soonest that it can count."""
    new = Authenticator(
        UUID(int=100 + len(world.authenticators)),
        world.account.id,
        factor,
        factor,
        "",
        created_at=world.now,
        trusted_at=world.now + may.hold,
        confirmed_at=world.now,
        remaining=10 if TRAITS[factor].once else None,
    )
    return replace(world, authenticators=(*world.authenticators, new), theirs=world.theirs | {new.id})


def _closed(world: World, target: UUID, may: May) -> World:
    kept = tuple(
        replace(each, closed_at=world.now, trusted_at=world.now + may.hold) if each.id == target else each
        for each in world.authenticators
    )
    return replace(world, authenticators=kept)


def _without(world: World, factor: Factor) -> World:
    kept = tuple(each for each in world.authenticators if each.factor is not factor)
    return replace(world, authenticators=kept)


def waited(world: World) -> World | None:
    """The next moment at which something of the account counts more; the session has ended by then."""
    moments = [each.trusted_at for each in world.authenticators if each.trusted_at is not None]
    moments += [each.closed_at + world.policy.enrolment.hold for each in world.authenticators if each.closed_at]
    moments += [at for at in (world.account.strong_from, world.account.email_trusted_at) if at is not None]
    later = [at for at in moments if at > world.now]
    if not later:
        return None
    together = max(at for at in later if at < min(later) + SHORT)
    return replace(world, now=together + _TICK, events=())
