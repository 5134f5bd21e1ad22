"""The weakest way in: which proofs and waits open each scope and permit each change, whatever somebody begins with.

A search over the very table that the flows execute (`transitions`) and the very `decide`: nothing is decided here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TypeVar
from uuid import UUID

from idp.model import SECOND, AuthenticationEvent, AuthorizationRequest, Change, Client, Factor
from idp.policy import transitions
from idp.policy.attacker import SHORT, World, after, begun, brings, waited
from idp.policy.changes import AT_ONCE, May, NeedsProof, Vouched
from idp.policy.checks import decide
from idp.policy.facts import Ask, Kind, Proceed, Refuse
from idp.policy.table import OURS, Policy, in_units
from idp.policy.victims import ANYBODY, BEGIN, OURSELVES, STARTS, Start, Victim, victims

_ACCOUNT = "/account"
_MOST = 3  # holds that somebody sits out
Goal = TypeVar("Goal")
_SAID = {
    Factor.PASSWORD: "password",
    Factor.SMS: "text message",
    Factor.EMAIL: "code by e-mail",
    Factor.TOTP: "app",
    Factor.RECOVERY: "saved code",
    Factor.PASSKEY: "passkey",
}


@dataclass(frozen=True, slots=True, order=True)
class Path:
    """One way, weakest first when sorted: how long it waits, in how many steps, and these in words."""

    waits: timedelta
    steps: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.words) or "nothing more"

    def then(self, *words: str, waits: timedelta = AT_ONCE) -> "Path":
        """This one, and more."""
        return Path(self.waits + waits, self.steps + len(words), (*self.words, *words))


@dataclass(frozen=True, slots=True)
class Found:
    """The weakest way to each scope and each change, for one kind of account and one start; absent: there is none."""

    victim: Victim
    start: Start
    scopes: Mapping[str, Path]
    changes: Mapping[str, Path]


def audit(policy: Policy) -> list[Found]:
    """For every kind of account and every start, in their order."""
    return [search(policy, victim, start) for victim in victims(policy) for start in STARTS]


def search(policy: Policy, victim: Victim, start: Start, *, only: Change | None = None) -> Found:
    """The weakest ways there are for one of them; of `only` one change those that begin with it."""
    scopes: dict[str, Path] = {}
    changes: dict[str, Path] = {}
    soonest: dict[Change, timedelta] = {}
    order = count()
    todo: list[tuple[Path, int, World]] = [(Path(AT_ONCE, 0, ()), next(order), begun(policy, victim, start))]
    seen: set[tuple[object, ...]] = set()
    while todo:
        path, _, world = heappop(todo)
        if world.key() in seen:
            continue
        seen.add(world.key())
        for names in () if only else alike(policy):
            if not _beaten(scopes.get(names[0]), path):
                for way, _ in _granted(world, names[0], path):
                    for name in names:
                        _keep(scopes, name, way)
        for change in (only,) if only else Change:
            for target in _targets(world, change):
                useful = brings(world, change, target)
                if not useful and change in soonest and soonest[change] < path.waits:
                    continue
                for way, at, may in _permitted(world, change, target, path):
                    row = transitions.TRANSITIONS[change]
                    terms, price = _terms(way, may)
                    _keep(changes, f"{row.said}, {terms}", price)
                    soonest.setdefault(change, path.waits)
                    if useful:
                        heappush(todo, (way.then(row.said), next(order), after(at, change, target, may)))
        later = None if only else waited(world)
        if later is not None and path.waits + (later.now - world.now) <= _MOST * policy.enrolment.hold:
            span = SHORT * round((later.now - world.now) / SHORT)
            heappush(
                todo, (path.then(f"wait {in_units(span)} (told on every channel)", waits=span), next(order), later)
            )
    return Found(victim, start, scopes, changes)


def alike(policy: Policy) -> list[Sequence[str]]:
    """The scopes that anybody grants to applications, and the rows of sites, those together that take the same.

    Those of our own API are for who has a role, and take what another scope of their level takes.
    """
    found: dict[object, list[str]] = {}
    for name, rule in policy.scopes.items():
        if rule.people and (not rule.internal or name in policy.places) and not name.startswith(OURS):
            found.setdefault((rule.level, rule.fresh), []).append(name)
    return list(found.values())


def _beaten(best: Path | None, path: Path) -> bool:
    """Whether no way that begins like this can be weaker."""
    return best is not None and (best.waits, best.steps) <= (path.waits, path.steps)


def _keep(best: dict[Goal, Path], goal: Goal, way: Path) -> None:
    if goal not in best or way < best[goal]:
        best[goal] = way


def _terms(way: Path, may: May) -> tuple[str, Path]:
    """On what terms, and the way with what they cost: a longer hold is a stronger way."""
    if may.closed:
        return "closed after it", way.then(f"everything sensitive closed for {in_units(may.closed)}", waits=may.closed)
    if may.hold:
        return "on hold", way.then(f"on hold for {in_units(may.hold)}", waits=may.hold)
    return "at once", way


def _said(world: World, event: AuthenticationEvent) -> str:
    """In words; what they enrolled themselves is their own."""
    made = next((each for each in world.authenticators if each.id == event.authenticator_id), None)
    own = "own " if made is not None and made.created_at >= BEGIN and made.id in world.theirs else ""
    return own + _SAID.get(event.factor, event.factor.value)


def _granted(world: World, scope: str, path: Path) -> Iterator[tuple[Path, World]]:
    """The ways to answer every question of a request for this scope with what they hold."""
    request = AuthorizationRequest(ANYBODY.id, _ACCOUNT, ("openid", scope))
    yield from _answered(world.asked_anew(), request, path, ANYBODY)


def _answered(world: World, request: AuthorizationRequest, path: Path, client: Client) -> Iterator[tuple[Path, World]]:
    match decide(world.facts(request, client), world.policy):
        case Proceed(scopes=scopes):
            # A policy may have no row for what our own pages ask for.
            if client is OURSELVES or set(request.scopes) <= set(scopes):
                yield path, world
        case Ask(kind=Kind.PASSWORD | Kind.SECOND_FACTOR as kind, factors=factors):
            # A passkey that made sure who holds it stands for the password too.
            for factor in (*factors, Factor.PASSKEY) if kind is Kind.PASSWORD else factors:
                for event in world.proofs(factor, client):
                    yield from _answered(world.proved(event), request, path.then(_said(world, event)), client)
        case _:
            return


def _targets(world: World, change: Change) -> list[UUID | None]:
    factor = {Change.REMOVE_APP: Factor.TOTP, Change.REPLACE_PHONE: Factor.SMS, Change.REMOVE_PHONE: Factor.SMS}
    if change not in factor:
        return [None]
    return [each.id for each in world.authenticators if each.factor is factor[change] and each.closed_at is None]


def _permitted(world: World, change: Change, target: UUID | None, path: Path) -> Iterator[tuple[Path, World, May]]:
    """By our own pages; and for what a link does, by one, with nothing proved but what it asks for."""
    row = transitions.TRANSITIONS[change]
    if not row.recovers and row.counts:
        scopes = ("openid",) if change is Change.CHANGE_PASSWORD else ("openid", row.scope)
        request = AuthorizationRequest(OURSELVES.id, _ACCOUNT, scopes, change=change, target=target)
        for way, at in _answered(world.asked_anew(), request, path, OURSELVES):
            may = _ask(at, change, target, Vouched.NOBODY)
            if isinstance(may, May):
                yield way, at, may
                yield from _better(at, change, target, way, may)
        return
    yield from _shown(world.asked_anew(), change, target, path, Vouched.NOBODY)
    if world.start.operator:
        yield from _shown(world.asked_anew(), change, target, path, Vouched.OPERATOR)
    if world.start.link:
        yield from _shown(world.asked_anew(), change, target, path, Vouched.MAILBOX)
    if world.mailbox and world.account.mailbox is not None:
        mailed = path.then("link by e-mail")
        yield from _shown(replace(world, events=()), change, target, mailed, Vouched.MAILBOX)


def _better(
    world: World, change: Change, target: UUID | None, path: Path, may: May
) -> Iterator[tuple[Path, World, May]]:
    """On better terms, by one proof more than is asked for."""
    for factor in SECOND if may.hold or may.closed else ():
        for event in world.proofs(factor, OURSELVES):
            again = _ask(world.proved(event), change, target, Vouched.NOBODY)
            if isinstance(again, May) and (again.hold, again.closed) < (may.hold, may.closed):
                yield path.then(_said(world, event)), world.proved(event), again


def _ask(world: World, change: Change, target: UUID | None, vouched: Vouched) -> May | NeedsProof | Refuse:
    facts = replace(world.facts(AuthorizationRequest(OURSELVES.id, _ACCOUNT, ()), OURSELVES), account=world.account)
    return transitions.permission(facts, world.policy, change=change, target=target, vouched=vouched)


def _shown(
    world: World, change: Change, target: UUID | None, path: Path, vouched: Vouched
) -> Iterator[tuple[Path, World, May]]:
    match _ask(world, change, target, vouched):
        case May() as may:
            yield path, world, may
        case NeedsProof(factors):
            for factor in factors:
                for event in world.proofs(factor, OURSELVES):
                    way = path.then(_said(world, event))
                    yield from _shown(world.proved(event), change, target, way, vouched)
