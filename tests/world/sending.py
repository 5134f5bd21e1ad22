"""What the tests of sending share: somebody asks for a code, some gateways, and what the tables say afterwards."""

import re
from typing import Any

from sqlalchemy import ARRAY, BigInteger, LargeBinary, bindparam, func, literal_column, select

from idp.flows.delivery import deliver
from idp.flows.delivery.deliver import Delivered
from idp.model.regions import ByRegion
from idp.sms import Gateway, Outcome, Reason, Sent
from idp.store.delivery import suppressions
from idp.store.schema.records import message, message_attempt, suppressed_number
from idp.testing import FakeGateway
from tests.world.composed import Statement
from tests.world.provider import PASSWORD, Browser, Provider

# The clock stands still while the next gateway is tried: then the transaction tells which try was first.
IN_TURN = (message_attempt.c.started_at, literal_column("message_attempt.xmin::text::bigint", BigInteger))
ATTEMPTS = Statement(
    select(message_attempt.c.gateway, message_attempt.c.outcome, message_attempt.c.region).order_by(*IN_TURN)
)
WHY = Statement(
    select(suppressed_number.c.reason).where(
        suppressed_number.c.hash == func.any(bindparam("hashes", type_=ARRAY(LargeBinary)))
    )
)
# of the same moment, as the clock of the tests makes many: codes first
STATES = Statement(select(message.c.state).order_by(message.c.created_at, message.c.kind != "code"))


async def asks_for_a_code(provider: Provider, username: str = "alice") -> Browser:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    page = await browser.submit("/password", username=username, password=PASSWORD)
    assert page.status_code == 200
    await browser.ask_for_text()
    return browser


def use(provider: Provider, *gateways: Gateway, **by_region: tuple[str, ...]) -> tuple[Gateway, ...]:
    """As if these were the operator's gateways, in this order."""
    order = ByRegion(tuple(each.name for each in gateways), tuple(by_region.items()))
    provider.idp.settings = provider.idp.settings.model_copy(update={"sms_gateways": order})
    provider.app.state.gateways = gateways
    return gateways


async def deliver_all(provider: Provider, *gateways: Gateway) -> list[Delivered]:
    """Until nothing is due."""
    done = []
    while (one := await deliver.deliver_one(provider.idp, gateways)) is not None:
        done.append(one)
    return done


async def attempts(provider: Provider) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await provider.rows(ATTEMPTS)]


async def states(provider: Provider) -> list[str]:
    return [row[0] for row in await provider.rows(STATES)]


async def page_of(browser: Browser) -> str:
    """What the waiting page says now, in words."""
    assert browser.page is not None
    page = await browser.get(str(browser.page.url))
    assert page.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text.partition("<main")[2]))


async def why_suppressed(provider: Provider, number: str) -> str | None:
    """Why nothing may be sent to this number; None when it may."""
    hashes = provider.idp.secrets.indexes(number, purpose=suppressions.PURPOSE)
    row = await provider.idp.db.one(WHY, hashes=hashes)
    return None if row is None else str(row[0])


DOWN = Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)


def broken(name: str = "first", *, times: int = 99) -> FakeGateway:
    return FakeGateway(name=name, answers=[DOWN] * times)
