"""The front page of the console: charts drawn here, with the table that each is of."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from idp.audit import Authorized, CodeSent, FactorRefused, FactorVerified
from idp.catalogue import mark
from idp.flows.operate.checkup import checkup
from idp.flows.operate.overview import Day, overview
from idp.flows.people.console import CHECKUP_PATH, PEOPLE_PATH
from idp.model import Factor
from idp.spending import Period
from idp.web.console.checkup import checks
from idp.web.console.door import come_in, frame, show
from idp.web.door import idp_of
from idp.web.pages.console import Bar, Chart, Overview
from idp.web.rooms import url

_WIDE, _HIGH = 240, 90
_MOST_COUNTRIES = 12  # so many have room for their letters
_NAMED = 6  # hours between those that are written below their bars
_BY_HOUR, _BY_COUNTRY = mark("Hour"), mark("Country")
_TEXTED = frozenset({Factor.SMS.value, Factor.EMAIL.value})
_CHARTS = (
    (Authorized.name, None, mark("Sign-ins to applications"), mark("Sign-ins to applications, hour by hour.")),
    (FactorRefused.name, None, mark("Refused answers"), mark("Wrong passwords and codes, hour by hour.")),
    (CodeSent.name, None, mark("Codes asked for"), mark("Codes that were to be sent, hour by hour.")),
    (
        FactorVerified.name,
        _TEXTED,
        mark("Codes that were right"),
        mark("Codes of text messages and mails that were right, hour by hour."),
    ),
)
_PERIODS = {
    Period.HOUR: mark("Spent this hour"),
    Period.DAY: mark("Spent today"),
    Period.MONTH: mark("Spent this month"),
}


async def front(request: Request) -> Response:
    """GET /admin."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    day, found, money = await overview(idp), await checkup(idp), idp.spending.money
    spent = [(_PERIODS[period], day.spent[period], money.budgets[period]) for period in Period]
    shown = Overview(
        frame=frame(request, staff),
        hours=_hourly(day),
        countries=_by_country(day),
        money=[
            (label, f"{amount:.2f}", f"{budget:.2f} {money.currency}", min(100, int(amount * 100 / (budget or 1))))
            for label, amount, budget in spent
        ],
        waiting=day.waiting,
        oldest=day.oldest,
        checkup=url(request, CHECKUP_PATH),
        looked=found.at is not None,
        troubles=checks(found.troubles),
        recoveries=[
            (url(request, f"{PEOPLE_PATH}/{which}"), name, by, until) for which, name, by, until in day.recoveries
        ],
        paused=[(one.gateway, "" if one.region == "*" else one.region, one.until) for one in day.paused],
    )
    return show(request, staff, shown)


def _hourly(day: Day) -> Sequence[Chart]:
    found = []
    for at, (name, factors, title, describes) in enumerate(_CHARTS):
        counts: Counter[datetime] = Counter()
        for one in day.happened:
            if one.name == name and (factors is None or one.factor in factors):
                counts[one.hour] += one.count
        bars = [(f"{hour:%H}:00", counts[hour]) for hour in day.hours]
        named = {label for label, _ in bars if int(label[:2]) % _NAMED == 0}
        found.append(chart(f"chart-{at}", title, describes, _BY_HOUR, bars, named=named))
    return found


def _by_country(day: Day) -> Sequence[Chart]:
    sent: Counter[str] = Counter()
    arrived: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for one in day.messages:
        if one.region:
            sent[one.region] += one.sent
            arrived[one.region] += one.delivered
    for each in day.happened:
        if each.region:
            right[each.region] += each.count
    told = (
        ("sent", sent, mark("Text messages sent"), mark("Text messages that left, country by country.")),
        (
            "arrived",
            arrived,
            mark("Text messages that arrived"),
            mark("Text messages that arrived, country by country."),
        ),
        (
            "right",
            right,
            mark("Text messages whose code was right"),
            mark("Codes that were right, country by country."),
        ),
    )
    return [
        chart(f"chart-{name}", title, describes, _BY_COUNTRY, _first(counts), named=counts)
        for name, counts, title, describes in told
    ]


def _first(counts: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_MOST_COUNTRIES]


def chart(
    id_: str, title: str, describes: str, column: str, counts: Sequence[tuple[str, int]], *, named: Collection[str]
) -> Chart:
    """Counts as bars in a box of 240 by 100; the highest one fills it. Below those that are `named` stands which."""
    most = max((count for _, count in counts), default=0)
    step = _WIDE / max(_MOST_COUNTRIES, len(counts))
    bars = [
        Bar(label, count, round(_HIGH * count / (most or 1), 1), round(at * step + step / 10, 1), label in named)
        for at, (label, count) in enumerate(counts)
    ]
    total = sum(count for _, count in counts)
    return Chart(id_, title, describes, column, bars, round(step * 0.8, 1), most, total)
