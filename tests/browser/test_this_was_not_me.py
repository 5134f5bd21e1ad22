"""The link in a mail, in Debian's Chromium without JavaScript and by keyboard: read, pressed, and come back to."""

import asyncio
import re
import sys
from collections.abc import Iterator
from html import unescape
from subprocess import PIPE

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.world.demonstration import Demo, environment, running
from tests.world.visitor import Inspector, Visitor
from tests.world.waiting import NEVER, comes

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    # Nothing is connected to: the demonstration takes its own mail, and shows it in its inbox.
    mail = {"IDP_SMTP_URL": "smtps://mail.example.com", "IDP_SMTP_FROM": "Acme <no-reply@login.example.com>"}
    with running(tmp_path_factory.mktemp("demo") / "data", **mail) as demo:
        yield demo


async def mailed(demo: Demo, happened: str) -> str:
    """The newest mail of the inbox that begins so, once it is there."""

    async def found() -> list[str]:
        async with httpx.AsyncClient(timeout=NEVER) as http:
            page = (await http.get(demo.inbox)).raise_for_status().text
        texts = re.findall(r'@example\.com.*?<p class="text">(.*?)</p>', page, re.DOTALL)
        plain = [unescape(text.replace("<bdi>", "").replace("</bdi>", "")) for text in texts]
        return [text for text in plain if text.startswith(happened)]

    async def came() -> bool:
        return bool(await found())

    await comes(came)
    return (await found())[0]


async def test_who_was_not_it_freezes_the_account_and_is_told_what_to_do(
    browser: Browser, demo: Demo, inspector: Inspector
) -> None:
    command = [sys.executable, "-m", "idp", "user", "email", "alice", "alice@example.com", "--verified"]
    process = await asyncio.create_subprocess_exec(*command, env=environment(demo.data_dir), stdout=PIPE, stderr=PIPE)
    assert await process.wait() == 0
    first, second, reader = [await Visitor.arrive(browser, demo, inspector) for _ in range(3)]
    await first.signs_in(demo.alice)
    await second.signs_in(demo.alice)
    mail = await mailed(demo, "A new browser signed in")
    link = re.search(r"^http://\S+/link/freeze/\S+$", mail, re.MULTILINE)
    assert link is not None, mail
    await reader.opens(link[0])
    await reader.sees(
        "Was this not you?", "A new browser signed in to your", "Chrome, Linux", "Nothing has been changed"
    )
    await first.opens(f"{demo.provider}/account")
    await expect(first.heading).to_have_text("Your account")
    # By keyboard: the first thing that takes the focus is the button.
    await reader.page.keyboard.press("Tab")
    await expect(reader.page.locator("button.danger")).to_be_focused()
    async with reader.page.expect_navigation():
        await reader.page.keyboard.press("Enter")
    await reader.sees("Your account is frozen", "What to do now", "Choose a new password")
    await reader.page.reload()
    await expect(reader.heading).to_have_text("Your account is frozen")
    await reader.page.go_back()
    await reader.opens(link[0])
    await expect(reader.heading).to_have_text("Your account is frozen")
    for visitor in (first, second):
        await visitor.opens(f"{demo.provider}/account")
        await expect(visitor.heading).to_have_text("Sign in")
    assert "/link/" not in await mailed(demo, "Your Acme ID account was frozen and signed out everywhere.")
    await reader.follows("Choose a new password")
    await expect(reader.heading).to_have_text("Forgot your password?")
    for visitor in (first, second, reader):
        await visitor.leave()
