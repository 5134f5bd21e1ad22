"""The last day in figures by the API, as the console's overview draws them."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from idp.flows.operate.overview import Hourly, OfCountry, overview
from idp.policy import Act
from idp.spending import Period
from idp.store.delivery.looking import Paused
from idp.web.api.endpoints import Asked, Done, Endpoint


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent of one budget."""

    spent: Decimal
    budget: Decimal


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that have not left; the oldest of them `since` then."""

    waiting: int
    since: datetime | None


class RecoveryWaiting(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asked to recover an account, and another operator has to confirm it until then."""

    account_id: UUID
    username: str
    by: str
    until: datetime


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The last 24 hours of UTC with the one that goes on, and how it stands now. `money` is by hour, day and month."""

    hours: list[Hourly]
    countries: list[OfCountry]
    money: dict[str, Budget]
    currency: str
    queue: Queue
    paused: list[Paused]
    recoveries: list[RecoveryWaiting]


async def _overview(asked: Asked) -> Done:
    day, money = await overview(asked.idp), asked.idp.spending.money
    body = Overview(
        hours=list(day.by_hour()),
        countries=list(day.by_country()),
        money={each.value: Budget(spent=day.spent[each], budget=Decimal(money.budgets[each])) for each in Period},
        currency=money.currency,
        queue=Queue(waiting=day.waiting, since=day.oldest),
        paused=list(day.paused),
        recoveries=[
            RecoveryWaiting(account_id=which, username=name, by=by, until=until)
            for which, name, by, until in day.recoveries
        ],
    )
    return Done(body)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/overview",
        "show_overview",
        Act.SEE_SENDING,
        _overview,
        "The last day in figures",
        "Sign-ins, refusals and codes by the hour, text messages by country, money against budget, the queue."
        " It needs stile:people:read and stile:audit:read, too.",
        answers=Overview,
    ),
)
