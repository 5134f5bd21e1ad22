"""An operator's look at the policy: its text, and what another text would change. Nothing is stored."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from threading import Event
from typing import TypeVar

from idp.errors import SettingsError
from idp.flows.idp import Idp
from idp.flows.operate.finding import list_clients
from idp.flows.operate.permitting import NotPermitted, permit
from idp.flows.operate.walk import Walk, some_client, somebody, walk
from idp.flows.rules import policy_here, unread
from idp.model import Client, Factor
from idp.policy import Act, Policy, left_out
from idp.policy.plain import differences
from idp.sentences import either, plural, sentence
from idp.settings import Settings
from idp.store import inspection

T = TypeVar("T")
LONGEST = 200_000  # characters of a policy that is tried
MOST_ASKED = 100  # scopes of which is told what they take; the rows tell of all
_PEOPLE = ((Factor.SMS,), (Factor.TOTP,), (Factor.SMS, Factor.TOTP))


@dataclass(frozen=True, slots=True)
class PolicyText:
    """The policy as it is written. `where` is its file, None for the one that comes with Stile.

    `in_use`: this is what this process obeys; a file that was changed since it began is not, nor one with `problems`.
    """

    text: str
    where: str | None
    problems: tuple[str, ...]
    in_use: bool


async def policy_text(idp: Idp) -> PolicyText:
    """The policy's text. Raises `SettingsError` if its file cannot be read any more."""
    permit(idp, Act.SEE_POLICY)
    text = read_text(idp.settings)
    where = None if idp.settings.policy is None else str(idp.settings.policy)
    try:
        return PolicyText(text, where, (), in_use=policy_here(text, idp.settings) == idp.policy)
    except SettingsError as error:
        return PolicyText(text, where, tuple(error.problems), in_use=False)


def read_text(settings: Settings) -> str:
    """What the policy's file says. Raises `SettingsError`."""
    if settings.policy is None:
        return (files("idp") / "policy.toml").read_text(encoding="utf-8")
    try:
        return settings.policy.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unread(error) from None


@dataclass(frozen=True, slots=True)
class TriedPolicy:
    """What a text would change here. `problems`: every mistake in it, and then nothing else is known.

    `rows` are those that say something else: address in the file, before, after. `consequences` are sentences: what
    people would be asked, and what registered clients and people who are in groups would lose.
    """

    problems: tuple[str, ...] = ()
    rows: tuple[tuple[str, str, str], ...] = ()
    consequences: tuple[str, ...] = ()


async def try_policy(idp: Idp, text: str) -> TriedPolicy:
    """Read this text as a policy and compare it with the one in use.

    Who may not look at applications is told nothing of them, and that it is so. Beside the event loop: a text may have
    thousands of rows, and nobody waits for them but who tries another: one at a time, or a program that tries many
    would leave no room for those who sign in. Whoever is cut off ends the work, too; until it has ended, no other
    begins: a text is read in seconds, whatever it says, and nothing stops a thread that reads.
    """
    permit(idp, Act.SEE_POLICY)
    if len(text) > LONGEST:
        return TriedPolicy((sentence("The policy has more than %(longest)s characters.", longest=LONGEST),))
    over = Event()
    work = asyncio.create_task(_alone(idp, text, over))
    work.add_done_callback(_looked_at)
    try:
        return await asyncio.shield(work)
    finally:
        over.set()


def _looked_at(work: "asyncio.Task[TriedPolicy]") -> None:
    """Nobody may be there any more to whom it could be told what went wrong."""
    if not work.cancelled():
        work.exception()


class _CutOffError(Exception):
    """Nobody waits for it any more."""


async def _alone(idp: Idp, text: str, over: Event) -> TriedPolicy:
    async with idp.trying:
        if over.is_set():
            raise _CutOffError
        return await _tried(idp, text, over)


async def _tried(idp: Idp, text: str, over: Event) -> TriedPolicy:
    try:
        policy = await asyncio.to_thread(policy_here, text, idp.settings)
    except SettingsError as error:
        return TriedPolicy(tuple(error.problems))
    if over.is_set():
        raise _CutOffError
    registered: Sequence[Client] = ()
    untold: Sequence[str] = ()
    try:
        registered = await list_clients(idp)
    except NotPermitted as error:
        untold = (sentence("What applications would lose is not told."), *error.problems)
    groups = await inspection.groups(idp.db)
    found = await asyncio.to_thread(_compared, idp.policy, policy, registered, groups, idp.clock.now(), over)
    return replace(found, consequences=(*found.consequences, *untold))


def _compared(
    before: Policy, after: Policy, registered: Sequence[Client], groups: Sequence[str], now: datetime, over: Event
) -> TriedPolicy:
    said = (
        *_asked(before, after, over, now=now),
        *_of_clients(before, after, registered, over),
        *_of_groups(before, after, groups),
    )
    return TriedPolicy(rows=tuple(differences(before, after)), consequences=said)


def _until(over: Event, things: Iterable[T]) -> Iterator[T]:
    """Each of them, as long as somebody waits."""
    for each in things:
        if over.is_set():
            raise _CutOffError
        yield each


def _asked(before: Policy, after: Policy, over: Event, *, now: datetime) -> Iterator[str]:
    """What each scope takes of somebody who signs in anew, where that is not what it took."""
    others = [
        scope
        for scope in sorted(before.for_people() | after.for_people())
        if before.scope_rule(scope) != after.scope_rule(scope) or before.factors != after.factors
    ]
    for scope in _until(over, others[:MOST_ASKED]):
        for factors in _PEOPLE:
            old, new = (_takes(policy, scope, factors, now=now) for policy in (before, after))
            if old != new:
                yield sentence(
                    "%(scope)s, for somebody with %(factors)s: %(before)s -> %(after)s.",
                    scope=scope,
                    factors=_named(factors),
                    before=old or sentence("never"),
                    after=new or sentence("never"),
                )
    if len(others) > MOST_ASKED:
        yield plural(
            "What %(num)s more scopes take is not worked out here: see their rows.",
            "What %(num)s more scopes take is not worked out here: see their rows.",
            len(others) - MOST_ASKED,
        )


def _named(factors: Sequence[Factor]) -> str:
    phone, app = Factor.SMS in factors, Factor.TOTP in factors
    if phone and app:
        return sentence("a phone and an app")
    return sentence("a phone") if phone else sentence("an app")


def _takes(policy: Policy, scope: str, factors: Sequence[Factor], *, now: datetime) -> str | None:
    rule = policy.scope_rule(scope)
    if rule is None or rule.internal or not rule.people:
        return None
    account, authenticators = somebody(now)
    theirs = [one for one in authenticators if one.factor in factors]
    client = some_client(policy, scopes=[scope])
    walked: Walk = walk(policy, account=account, authenticators=theirs, client=client, scopes=[scope], now=now)
    if walked.proceed is None or scope not in walked.proceed.scopes:
        return None
    return ", then ".join(step.answered for step in walked.steps)


def _of_clients(before: Policy, after: Policy, registered: Sequence[Client], over: Event) -> Iterator[str]:
    for client in _until(over, registered):
        had, has = (
            client.scopes - left_out(policy, client, client.scopes).keys() | client.scopes & policy.for_machines()
            for policy in (before, after)
        )
        if gone := " ".join(sorted(had - has)):
            yield sentence("%(client)s gets no %(scopes)s any more.", client=client.name, scopes=gone)
        if more := " ".join(sorted(has - had)):
            yield sentence("%(client)s may get %(scopes)s.", client=client.name, scopes=more)
        if lost := sorted(each for each in client.groups if each in before.groups and each not in after.groups):
            yield sentence(
                "%(client)s is for %(groups)s, without a row of its own any more.",
                client=client.name,
                groups=either(lost),
            )


def _of_groups(before: Policy, after: Policy, groups: Sequence[str]) -> Iterator[str]:
    for group in groups:
        if group in before.groups and group not in after.groups:
            yield sentence("There are people in %(group)s, and it says nothing of them any more.", group=group)
