"""The front page of the console: charts drawn here, with the table that each is of."""

from collections.abc import Callable, Collection, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.flows.operate.checkup import checkup
from idp.flows.operate.overview import Day, Hourly, OfCountry, overview
from idp.flows.people.console import CHECKUP_PATH, PEOPLE_PATH
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
_CHARTS: Sequence[tuple[Callable[[Hourly], int], str, str]] = (
    (
        lambda one: one.sign_ins,
        mark("Sign-ins to applications"),
        mark("Sign-ins to applications, hour by hour."),
    ),
    (lambda one: one.refused, mark("Refused answers"), mark("Wrong passwords and codes, hour by hour.")),
    (lambda one: one.codes_sent, mark("Codes asked for"), mark("Codes that were to be sent, hour by hour.")),
    (
        lambda one: one.codes_right,
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
    for at, (count, title, describes) in enumerate(_CHARTS):
        bars = [(f"{one.hour:%H}:00", count(one)) for one in day.by_hour()]
        named = {label for label, _ in bars if int(label[:2]) % _NAMED == 0}
        found.append(chart(f"chart-{at}", title, describes, _BY_HOUR, bars, named=named))
    return found


def _by_country(day: Day) -> Sequence[Chart]:
    told: Sequence[tuple[str, Callable[[OfCountry], int], str, str]] = (
        (
            "sent",
            lambda one: one.sent,
            mark("Text messages sent"),
            mark("Text messages that left, country by country."),
        ),
        (
            "arrived",
            lambda one: one.arrived,
            mark("Text messages that arrived"),
            mark("Text messages that arrived, country by country."),
        ),
        (
            "right",
            lambda one: one.right,
            mark("Text messages whose code was right"),
            mark("Codes that were right, country by country."),
        ),
    )
    found = []
    for name, count, title, describes in told:
        counts = {one.region: count(one) for one in day.by_country() if count(one)}
        found.append(chart(f"chart-{name}", title, describes, _BY_COUNTRY, _first(counts), named=counts))
    return found


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
