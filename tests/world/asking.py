"""A browser that has given its password, seen from the flows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from sqlalchemy import delete, func, select

from idp.flows.idp import Visitor
from idp.flows.signin.authorize import Unstored
from idp.oidc.request import parse
from idp.store.schema.people import authentication_event, challenge, session
from idp.store.schema.protocol import grant, refresh_token
from idp.store.schema.records import message, rate_limit
from tests.world.composed import Statement
from tests.world.provider import PASSWORD, Browser, Provider, parameters

TABLES = {
    table.name: Statement(select(func.count()).select_from(table))
    for table in (authentication_event, grant, message, refresh_token, session)
}
LIVE_REFRESH_TOKENS = Statement(
    select(func.count()).select_from(refresh_token).where(refresh_token.c.used_at.is_(None))
)
ATTEMPTS = Statement(
    select(challenge.c.factor, challenge.c.attempts, challenge.c.consumed_at).order_by(
        challenge.c.created_at, challenge.c.factor, challenge.c.interaction_id
    )
)
_NO_LIMITS = Statement(delete(rate_limit).returning(rate_limit.c.key))


async def count(provider: Provider, table: str) -> int:
    return int((await provider.rows(TABLES[table]))[0][0])


async def attempts(provider: Provider) -> Sequence[tuple[Any, ...]]:
    return await provider.rows(ATTEMPTS)


async def forget_limits(provider: Provider) -> None:
    await provider.rows(_NO_LIMITS)


@dataclass(frozen=True, slots=True)
class Asked:
    """An interaction that asks for the second factor, and the browser it belongs to."""

    browser: Browser
    interaction_id: UUID
    visitor: Visitor


def asked_here(provider: Provider, browser: Browser) -> Unstored:
    """What the sign-in page before this browser asks for, as its form says it again."""
    written, idp = urlsplit(browser.form("/password").action).query, provider.idp
    request = parse(
        parse_qsl(written, keep_blank_values=True),
        client_lookup=idp.registered,
        issuer=idp.issuer,
        known_scopes=idp.policy.for_people(),
        acr_supported=idp.policy.levels.values(),
        keys=idp.keys,
    )
    return Unstored(request, written)


async def ask_second_factor(
    provider: Provider, username: str = "alice", *, address: str = "192.0.2.1", **changes: Any
) -> Asked:
    browser = provider.browser(address=address)
    await browser.get(provider.authorize_url(**changes))
    page = await browser.submit("/password", username=username, password=PASSWORD)
    assert page.status_code == 200, page.text[:2000]
    await browser.ask_for_text()
    return Asked(browser, UUID(str(page.url).rsplit("/", 1)[1]), Visitor(address, browser.token))


async def offline_code(provider: Provider, username: str = "alice") -> str:
    """A code that brings a refresh token: offline access needs consent (OIDC Core 11)."""
    browser = provider.browser()
    await provider.sign_in(browser, username, scope="openid offline_access", prompt="consent")
    return parameters(await browser.submit("/consent", decision="allow"))["code"]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"
