"""What `idp doctor` says, asked by whoever looks at the running provider. It looks, and changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from idp.errors import IdpError
from idp.flows.checks.findings import FAIL, WARN, Finding, Seen
from idp.flows.checks.stored import stored
from idp.flows.checks.whole import at_hand, outside
from idp.flows.idp import Idp
from idp.flows.operate.permitting import permit
from idp.policy import Act
from idp.sentences import as_it_is, sentence

FRESH = timedelta(minutes=1)  # so long one look does for everybody
AGAIN = timedelta(seconds=10)  # the same of others, whom somebody wants to ask again
KNOWN = timedelta(minutes=10)  # how long their answers are told
PATIENCE = timedelta(seconds=2.5)  # of who waits for a look to end
LONGEST = timedelta(seconds=20)  # of a look
PHONES = 500


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found, and when; nothing so far without `at`. `whole`: others were asked, too. `looking`: it goes on."""

    at: datetime | None
    findings: tuple[Finding, ...]
    whole: bool
    looking: bool

    @property
    def troubles(self) -> tuple[Finding, ...]:
        """What somebody should do something about, the worst first."""
        return tuple(one for state in (FAIL, WARN) for one in self.findings if one.state == state)


async def checkup(idp: Idp, *, ask: bool = False) -> Checkup:
    """What this process finds, or found a moment ago: of any number who want to know at once, one looks.

    Answers within `PATIENCE`, with what is known by then; a look that takes longer goes on behind it, for `LONGEST` at
    most. It costs about fifteen statements once in `FRESH`. With `ask` others are asked, too.
    """
    permit(idp, Act.SEE_POLICY)
    near, far, now = idp.at_hand, idp.outside, idp.clock.now()
    _begin(idp, near, _at_hand, older=FRESH)
    if ask:
        _begin(idp, far, _outside, older=AGAIN)
    at_work = [seen.look for seen in (near, far) if seen.look is not None and not seen.look.done()]
    if at_work:
        await asyncio.wait(at_work, timeout=PATIENCE.total_seconds())
    known = far.at is not None and now - far.at < KNOWN
    return Checkup(
        at=near.at,
        findings=(*near.findings, *(far.findings if known else ())),
        whole=known,
        looking=any(not look.done() for look in at_work),
    )


def _begin(idp: Idp, seen: Seen, look: Callable[[Idp], Awaitable[Sequence[Finding]]], *, older: timedelta) -> None:
    """Look, unless somebody does, or did so lately."""

    async def looking() -> None:
        seen.findings = tuple(await look(idp))
        seen.at = idp.clock.now()

    at_work = seen.look is not None and not seen.look.done()
    if not at_work and (seen.at is None or idp.clock.now() - seen.at >= older):
        seen.look = asyncio.create_task(looking())


async def _at_hand(idp: Idp) -> Sequence[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(LONGEST.total_seconds()):
            found += await at_hand(idp.settings)
            async for finding in stored(idp.settings, idp.db, secrets=lambda: idp.secrets, phones=PHONES):
                found.append(finding)
    except IdpError as error:
        found.append(Finding("database", FAIL, as_it_is(str(error))))
    except TimeoutError:
        found.append(_given_up("database"))
    return found


async def _outside(idp: Idp) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(LONGEST.total_seconds()):
            return await outside(idp.settings)
    except TimeoutError:
        return [_given_up("issuer")]


def _given_up(what: str) -> Finding:
    found = sentence("looking was given up after %(seconds)s s", seconds=round(LONGEST.total_seconds()))
    return Finding(what, WARN, found, sentence("ask again, or run `idp doctor` on the machine"))
