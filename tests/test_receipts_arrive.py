"""From a code that somebody asks for to what the page says of it: real workers, and a provider that calls them back."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from idp.crypto import KeyChain
from idp.store.schema.records import message_attempt
from idp.testing.provider import Pace, fake_provider
from tests.world.composed import Statement
from tests.world.databases import empty
from tests.world.ports import free_port
from tests.world.provider import ISSUER
from tests.world.sending import asks_for_a_code, page_of
from tests.world.served import Served, keys_text, people, served
from tests.world.waiting import comes

pytestmark = pytest.mark.xdist_group("processes")

# What becomes of a message is in the last digits of its number.
PEOPLE = {
    "anna": ("+37256780001", "delivered", "has received a 6-digit code"),
    "undelivered": ("+37256781941", "undelivered", "has not reached your phone"),
    "silent": ("+37256782943", None, "We sent a 6-digit code"),
    "twice": ("+37256783944", "delivered", "has received a 6-digit code"),
    "early": ("+37256784945", "delivered", "has received a 6-digit code"),
    "forged": ("+37256785947", None, "We sent a 6-digit code"),
}
# Of calls that were answered: by then a receipt is on its way.
TOLD = Statement(
    select(message_attempt.c.delivery)
    .where(message_attempt.c.finished_at.is_not(None))
    .order_by(message_attempt.c.started_at)
)

PACE = Pace(receipt=timedelta(milliseconds=50))


async def told(workers: Served, tries: int) -> list[str | None]:
    """What is known of every try, once there are so many."""

    async def so() -> bool:
        return len(await workers.rows(TOLD)) == tries

    await comes(so)
    return [row[0] for row in await workers.rows(TOLD)]


@pytest.mark.parametrize("gateway", ["smspm", "twilio", "vonage", "webhook"])
async def test_what_a_provider_reports_is_what_the_page_says(
    gateway: str, database_url: str, key_chain: KeyChain, tmp_path: Path
) -> None:
    port = free_port()
    await empty(database_url)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    environ |= {"IDP_ISSUER": ISSUER, "IDP_METRICS": "off", "IDP_LOG_LEVEL": "error", "IDP_SMS_COUNTRIES": "EE"}
    environ |= {"IDP_DATABASE_URL": database_url, "IDP_SECRET_KEYS": keys_text(key_chain)}
    environ |= {"IDP_RECEIPT_URL": f"http://127.0.0.1:{port}", "IDP_TRUSTED_NETWORKS": "127.0.0.0/8"}
    async with fake_provider(pace=PACE) as provider, people(database_url, key_chain, tmp_path) as made:
        environ |= provider.settings(gateway)
        async with served(made, environ, tmp_path, port=port) as workers:
            browsers = {}
            for number, (username, (phone, _, _)) in enumerate(PEOPLE.items(), 1):
                await workers.add_person(username, number=phone)
                browsers[username] = await asks_for_a_code(workers, username)
                await told(workers, number)
            await provider.settled()
            said = await told(workers, len(PEOPLE))
            assert dict(zip(PEOPLE, said, strict=True)) == {name: status for name, (_, status, _) in PEOPLE.items()}
            for username, (_, _, sentence) in PEOPLE.items():
                assert sentence in await page_of(browsers[username]), username
            answered = dict(zip(PEOPLE, (taken.receipts for taken in provider.inbox), strict=True))
            assert [len(each) for each in answered.values()] == [1, 1, 0, 2, 1, 1]
            # who forges is not told so
            assert {status for each in answered.values() for status in each} == {204}
