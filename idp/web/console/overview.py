"""The front page of the console: charts drawn here, with the table that each is of."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from idp.audit import Authorized, CodeSent, FactorRefused, FactorVerified
from idp.catalogue import mark
from idp.flows.operate.overview import Day, overview
from idp.spending import Period
from idp.web.console.door import come_in, frame, show
from idp.web.door import idp_of
from idp.web.pages.console import Bar, Chart, Overview

_WIDE, _HIGH = 240, 90
_MOST_COUNTRIES = 12  # so many have room for their letters
_NAMED = timedelta(hours=6)  # between hours that are written below their bars
_BY_HOUR, _BY_COUNTRY = mark("Hour"), mark("Country")
_CHARTS = (
    (Authorized.name, mark("Sign-ins to applications"), mark("Sign-ins to applications, hour by hour.")),
    (FactorRefused.name, mark("Refused answers"), mark("Wrong passwords and codes, hour by hour.")),
    (CodeSent.name, mark("Codes asked for"), mark("Codes that were to be sent, hour by hour.")),
    (FactorVerified.name, mark("Right answers"), mark("Passwords, codes and passkeys that were right, hour by hour.")),
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
    day, money = await overview(idp), idp.spending.money
    spent = [(_PERIODS[period], day.spent[period], money.budgets[period]) for period in Period]
    shown = Overview(
        frame=frame(request, staff),
        charts=[*_hourly(day), *_by_country(day)],
        money=[
            (label, f"{amount:.2f}", f"{budget:.2f} {money.currency}", min(100, int(amount * 100 / (budget or 1))))
            for label, amount, budget in spent
        ],
        waiting=day.waiting,
        oldest=day.oldest,
        paused=[(one.gateway, "" if one.region == "*" else one.region, one.until) for one in day.paused],
    )
    return show(request, staff, shown)


def _hourly(day: Day) -> Sequence[Chart]:
    return [
        chart(
            f"chart-{at}",
            title,
            describes,
            _BY_HOUR,
            [(f"{hour:%H}:00", _of(day, name, hour)) for hour in day.hours],
            named={f"{hour:%H}:00" for hour in day.hours if hour.hour * timedelta(hours=1) % _NAMED == timedelta(0)},
        )
        for at, (name, title, describes) in enumerate(_CHARTS)
    ]


def _of(day: Day, name: str, hour: datetime) -> int:
    return day.happened.get((name, hour), 0)


def _by_country(day: Day) -> Sequence[Chart]:
    sent: Counter[str] = Counter()
    arrived: Counter[str] = Counter()
    for one in day.messages:
        if one.region:
            sent[one.region] += one.sent
            arrived[one.region] += one.delivered
    told = mark("Text messages that left, country by country."), mark("Text messages that arrived, country by country.")
    return [
        chart("chart-sent", mark("Text messages sent"), told[0], _BY_COUNTRY, _first(sent), named=sent),
        chart("chart-arrived", mark("Text messages that arrived"), told[1], _BY_COUNTRY, _first(arrived), named=sent),
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
