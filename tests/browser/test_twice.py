"""Buttons pressed twice, answers that never arrive, Back and reload, in Debian's Chromium."""

import re

import httpx
import pytest
from playwright.async_api import Request, Route, expect

from tests.world.demonstration import Demo
from tests.world.visitor import Visitor
from tests.world.waiting import NEVER

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


async def loses_the_next_answer(visitor: Visitor, ending: str) -> list[int]:
    """The server does its work, and the browser never hears of it; the next time all is well."""
    statuses: list[int] = []

    async def once(route: Route, request: Request) -> None:
        if request.method != "POST" or statuses:
            await route.continue_()
            return
        headers = {name: value for name, value in (await request.all_headers()).items() if not name.startswith(":")}
        async with httpx.AsyncClient(timeout=NEVER) as http:
            answer = await http.post(request.url, content=request.post_data_buffer or b"", headers=headers)
        statuses.append(answer.status_code)
        await route.abort("aborted")

    await visitor.context.route(re.compile(rf"{ending}(\?|$)"), once)
    return statuses


async def presses_until_it_works(visitor: Visitor, name: str, statuses: list[int]) -> None:
    """Press, see nothing happen, press again."""
    button = visitor.page.get_by_role("button", name=name, exact=True)
    async with visitor.page.expect_event("requestfailed"):
        await button.click(no_wait_after=True)
    assert statuses == [303]
    await visitor.presses(name)


async def test_a_password_and_a_code_whose_answers_were_lost_are_sent_again(visitor: Visitor, demo: Demo) -> None:
    bob = demo.bob
    lost = await loses_the_next_answer(visitor, "/password")
    await visitor.opens(f"{demo.bank}/login")
    await visitor.types("Username", bob.username)
    await visitor.types("Password", bob.password)
    await presses_until_it_works(visitor, "Continue", lost)
    await visitor.sees("Check your phone")
    lost = await loses_the_next_answer(visitor, "/sms")
    await visitor.types("Security code", await demo.new_code(bob))
    await presses_until_it_works(visitor, "Continue", lost)
    await visitor.sees("How you signed in", "pwd, sms, mfa")
    visitor.complaints.clear()  # what Chromium says of the answers that were lost


@pytest.mark.parametrize("pause", [60, 120, 250])
async def test_two_clicks_are_as_good_as_one(visitor: Visitor, demo: Demo, pause: int) -> None:
    await visitor.opens(f"{demo.bank}/login")
    await visitor.types("Username", demo.alice.username)
    await visitor.types("Password", demo.alice.password)
    box = await visitor.page.get_by_role("button", name="Continue", exact=True).bounding_box()
    assert box is not None
    for _ in range(2):
        await visitor.page.mouse.click(box["x"] + 5, box["y"] + 5)
        await visitor.page.wait_for_timeout(pause)
    # The second click met the same page or the next one: either way it is here that the person goes on.
    await expect(visitor.page.locator("main")).to_contain_text("This is the second step of signing in")


async def test_back_and_reload_after_a_wrong_form_ask_for_nothing(visitor: Visitor, demo: Demo) -> None:
    posts: list[str] = []
    visitor.page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    await visitor.opens(f"{demo.bank}/login")
    await visitor.gives_password(demo.bob, "wrong")
    await visitor.sees("The username or the password is not right")
    assert len(posts) == 1
    await visitor.page.reload()
    await visitor.sees("The username or the password is not right")
    await visitor.page.go_back()
    await expect(visitor.heading).to_have_text("Sign in")
    await visitor.page.go_forward()
    await visitor.sees("The username or the password is not right")
    assert len(posts) == 1
