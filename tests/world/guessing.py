"""Somebody tries passwords."""

import time

import httpx

from idp import limits
from idp.store import rate_limits
from tests.world.provider import Provider
from tests.world.stage import own_token


async def guess(
    provider: Provider, username: str, password: str = "a wrong password", *, address: str
) -> tuple[httpx.Response, float]:
    """Type this on a page of its own: the answer, and how many seconds of the processor it took this process."""
    browser = provider.browser(address=address)
    await browser.get(provider.authorize_url())
    action = browser.form("/password").action
    form = {**own_token(provider, browser, action), "username": username, "password": password}
    provider.count()
    started = time.process_time()
    answer = await browser.http.post(action, data=form)
    return answer, time.process_time() - started


async def use_up_the_day(provider: Provider, username: str) -> None:
    """As if many strangers had guessed at this name, from an address of its own each."""
    name = provider.idp.secrets.index(username, purpose="username")
    charges = [(provider.idp.limits.password_day, limits.subject(provider.idp.limits.password_day, name))]
    while await rate_limits.spend(provider.idp.db, charges, now=provider.clock.now()) is None:
        pass
