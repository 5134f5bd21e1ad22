"""The console of administrators, as tests come in and fill in its forms."""

import html

import httpx

from idp.flows.operate.finding import find_user
from tests.world.api import add_operator, with_roles
from tests.world.provider import PASSWORD, Browser, Provider


async def signed_in(
    provider: Provider, role: str = "admins", username: str = "ada", path: str = "/admin/people"
) -> Browser:
    """Somebody new in the group of this role, on this page of the console."""
    with_roles(provider)
    await add_operator(provider, username, role)
    browser = provider.browser()
    await browser.get(path)
    await browser.submit("/password", username=username, password=PASSWORD)
    await browser.submit("/totp", code=provider.totp(username))
    return browser


async def opened(provider: Provider, browser: Browser, path: str, username: str = "ada") -> httpx.Response:
    """The page at this path, with a new proof where it asks for one."""
    page = await browser.get(path)
    if "/i/" in page.url.path:
        page = await browser.submit("/totp", code=provider.totp(username))
    return page


async def page_of(provider: Provider, username: str) -> str:
    """Where somebody's page is."""
    return f"/admin/people/{(await find_user(provider.idp, username)).account.id}"


def text_of(page: httpx.Response | str) -> str:
    """What stands on a page, without what isolates names."""
    told = page if isinstance(page, str) else page.text
    return html.unescape(told.replace("<bdi>", "").replace("</bdi>", ""))
