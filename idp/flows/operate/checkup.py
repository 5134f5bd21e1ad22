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

FRESH = timedelta(minutes=1)  # so long one answer does for everybody
AGAIN = timedelta(seconds=10)  # the same for what others have to be asked for
PATIENCE = timedelta(seconds=5)  # for what is at hand
LONGEST = timedelta(seconds=20)  # for what others answer
PHONES = 500


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found, and when. `whole`: others were asked, too."""

    at: datetime
    findings: tuple[Finding, ...]
    whole: bool

    @property
    def troubles(self) -> tuple[Finding, ...]:
        """What somebody should do something about, the worst first."""
        return tuple(one for state in (FAIL, WARN) for one in self.findings if one.state == state)


async def checkup(idp: Idp, *, whole: bool = False) -> Checkup:
    """What this process finds, or found a moment ago: of any number who ask at once, one looks.

    What is at hand takes `PATIENCE` at most, and about fifteen statements once in `FRESH`. `whole` asks others, too,
    for `LONGEST` at most.
    """
    permit(idp, Act.SEE_POLICY)
    near = await _seen(idp, idp.at_hand, FRESH, _at_hand)
    far = await _seen(idp, idp.outside, AGAIN, _outside) if whole else ()
    return Checkup(idp.at_hand.at or idp.clock.now(), (*near, *far), whole)


async def _seen(
    idp: Idp, seen: Seen, fresh: timedelta, look: Callable[[Idp], Awaitable[Sequence[Finding]]]
) -> Sequence[Finding]:
    async with seen.lock:
        now = idp.clock.now()
        if seen.at is None or now - seen.at >= fresh:
            seen.findings, seen.at = tuple(await look(idp)), now
        return seen.findings


async def _at_hand(idp: Idp) -> Sequence[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            found += await at_hand(idp.settings)
            async for finding in stored(idp.settings, idp.db, secrets=lambda: idp.secrets, phones=PHONES):
                found.append(finding)
    except IdpError as error:
        found.append(Finding("database", FAIL, str(error)))
    except TimeoutError:
        found.append(_given_up("database", PATIENCE))
    return found


async def _outside(idp: Idp) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(LONGEST.total_seconds()):
            return await outside(idp.settings)
    except TimeoutError:
        return [_given_up("issuer", LONGEST)]


def _given_up(what: str, span: timedelta) -> Finding:
    found = f"looking was given up after {span.total_seconds():.0f} s"
    return Finding(what, WARN, found, "ask again, or run `idp doctor` on the machine")
