"""The last 24 hours at one look: what was counted, what waits, what it cost. Nothing is changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from idp.audit import Authorized, CodeSent, FactorRefused, FactorVerified
from idp.flows.idp import Idp
from idp.flows.operate.permitting import permit
from idp.flows.operate.spending import LOOK_BACK
from idp.model import Factor
from idp.policy import Act
from idp.spending import Period
from idp.store import summaries
from idp.store.delivery import denials, looking, messages
from idp.store.delivery.looking import Hour, Paused
from idp.store.people import links
from idp.store.summaries import Count

COUNTED = (Authorized.name, FactorRefused.name, CodeSent.name, FactorVerified.name)
_TEXTED = frozenset({Factor.SMS.value, Factor.EMAIL.value})


@dataclass(frozen=True, slots=True)
class Hourly:
    """One hour: sign-ins to applications; wrong passwords and codes; codes that were texted or mailed, and right."""

    hour: datetime
    sign_ins: int
    refused: int
    codes_sent: int
    codes_right: int


@dataclass(frozen=True, slots=True)
class OfCountry:
    """Text messages to the numbers of one country: how many left, arrived, and brought back a code that was right."""

    region: str
    sent: int
    arrived: int
    right: int


@dataclass(frozen=True, slots=True)
class Day:
    """What happened by the hour, as `hours` say, oldest first; messages by hour and country; the queue and the money.

    `recoveries` wait for a second operator: of whom, who asked, until when.

    `happened` counts each of `COUNTED` by hour, factor and country.
    """

    hours: Sequence[datetime]
    happened: Sequence[Count]
    messages: Sequence[Hour]
    paused: Sequence[Paused]
    waiting: int
    oldest: datetime | None
    spent: Mapping[Period, Decimal]
    recoveries: Sequence[tuple[UUID, str, str, datetime]] = ()

    def by_hour(self) -> Sequence[Hourly]:
        """Every hour of the day, oldest first, also one in which nothing happened."""
        counts: Counter[tuple[str, datetime]] = Counter()
        for one in self.happened:
            if one.name != FactorVerified.name or one.factor in _TEXTED:
                counts[one.name, one.hour] += one.count
        return [Hourly(hour, *(counts[name, hour] for name in COUNTED)) for hour in self.hours]

    def by_country(self) -> Sequence[OfCountry]:
        """Every country that a text message was for, by its letters."""
        sent: Counter[str] = Counter()
        arrived: Counter[str] = Counter()
        right: Counter[str] = Counter()
        for hour in self.messages:
            sent[hour.region] += hour.sent
            arrived[hour.region] += hour.delivered
        for one in self.happened:
            right[one.region] += one.count
        regions = sorted(filter(None, sent.keys() | right.keys()))
        return [OfCountry(each, sent[each], arrived[each], right[each]) for each in regions]


async def overview(idp: Idp) -> Day:
    """All of it in five statements; where recoveries need a second operator, in six."""
    permit(idp, Act.SEE_PEOPLE)
    permit(idp, Act.SEE_AUDIT)
    permit(idp, Act.SEE_SENDING)
    now = idp.clock.now()
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - timedelta(hours=ago) for ago in range(23, -1, -1)]
    waiting, oldest = await messages.backlog(idp.db, now=now)
    return Day(
        hours=hours,
        happened=await summaries.hours(idp.db, COUNTED, since=hours[0]),
        messages=await looking.hours(idp.db, since=max(hours[0], now - LOOK_BACK)),
        paused=await looking.paused(idp.db),
        waiting=waiting,
        oldest=oldest,
        spent=await denials.spent(idp.db, now=now),
        recoveries=await links.for_operators(idp.db, now=now) if idp.policy.recovery.second_operator else (),
    )
