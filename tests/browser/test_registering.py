"""An administrator connects an application in Debian's Chromium, with fingers that press twice, Back and reload."""

import re

import httpx
import pytest
from playwright.async_api import FilePayload, expect

from tests.world.demonstration import Demo, Person
from tests.world.pictures import REAL
from tests.world.visitor import Visitor
from tests.world.waiting import NEVER

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def _administrator(demo: Demo) -> Person:
    page = httpx.get(demo.start, timeout=NEVER).raise_for_status().text
    part = page.partition("Ada Aava")[2]
    secret = re.search(r"class=\"secret\">([A-Z2-7]+)<", part)
    assert secret is not None
    return Person("ada", "granite-orchard-signal", "", secret[1])


async def _presses_twice(visitor: Visitor, name: str) -> None:
    """The second press may break off the way of the first: what is seen afterwards says when the page is there."""
    box = await visitor.page.get_by_role("button", name=name, exact=True).bounding_box()
    assert box is not None
    await visitor.page.mouse.dblclick(box["x"] + 5, box["y"] + 5)


async def test_an_application_is_registered_edited_and_removed_by_impatient_fingers(
    visitor: Visitor, demo: Demo
) -> None:
    page, ada = visitor.page, _administrator(demo)
    await visitor.opens(f"{demo.provider}/admin/applications/-new")
    await visitor.gives_password(ada)
    await visitor.gives_app_code(ada)
    await visitor.sees("Register an application", "It runs on a server, where it keeps a secret.")
    await visitor.follows("A web application")
    await visitor.sees("Redirect URIs")
    await visitor.presses("Register")
    await visitor.sees("There is a problem", "The name of a client has 1 to 80 printable characters.")
    await visitor.follows("The name of a client has 1 to 80 printable characters.")
    await expect(page.locator("#name")).to_be_focused()
    await page.keyboard.type("Corner Shop")
    await page.locator("#redirect_uris").fill("https://shop.example/callback")
    await page.locator("#client_id").fill("corner-shop")
    await page.get_by_role("button", name="Register", exact=True).scroll_into_view_if_needed()
    await _presses_twice(visitor, "Register")
    await visitor.sees("The application is registered.", "Copy this now", "/.well-known/openid-configuration")
    secret = await page.locator("p.secret").inner_text()
    await page.reload()
    await expect(page.locator("h1")).to_have_text("Corner Shop")

    await visitor.follows("Edit")
    await visitor.sees("What it may ask for, and who may use it")
    await page.locator("#redirect_uris").fill("https://shop.example/callback\nhttps://shop.example/second")
    await page.locator("#first_party").check()
    await visitor.presses("Save")
    await visitor.sees("Look before you save", "People are not asked for consent any more.")
    await page.reload()
    await visitor.sees("Look before you save")
    await visitor.presses("Change something")
    await expect(page.locator("#first_party")).to_be_checked()
    await page.locator("#name").fill("Corner Shop Ltd")
    await visitor.presses("Save")
    await visitor.sees("Corner Shop Ltd")
    await _presses_twice(visitor, "Save")
    await visitor.sees("What you changed is saved.", "https://shop.example/second")
    await page.go_back()
    await page.reload()
    await expect(page.locator("h1")).to_have_text("Corner Shop Ltd")
    await visitor.sees("What you changed is saved.")
    await expect(page.locator("body")).not_to_contain_text(secret)

    await visitor.follows("Logo")
    await visitor.presses("Show this logo")
    await visitor.sees("There is a problem", "Choose a picture first.")
    for kind, content in REAL.items():
        files = FilePayload(name=f"shop.{kind}", mimeType="application/octet-stream", buffer=content)
        await page.get_by_label("Picture").set_input_files(files)
        await _presses_twice(visitor, "Show this logo")
        await visitor.sees("The logo is shown where people sign in to it.")
        await page.reload()
        await expect(page.locator("img.logo")).to_have_js_property("naturalWidth", 24)
        await visitor.follows("Logo")
    await visitor.follows("Back")

    await visitor.follows("New secret")
    await _presses_twice(visitor, "Make a new secret")
    await visitor.sees("The new secret is made.", "The old secret works until", "Copy this now")
    await expect(page.locator("p.secret")).not_to_contain_text(secret)
    await page.go_back()
    await visitor.sees("which works until", "Nobody has used it since the present one was made.")
    await visitor.follows("Back")
    await visitor.follows("End the old secret")
    await _presses_twice(visitor, "End the old secret")
    await visitor.sees("The old secret works no more.")

    await visitor.follows("Remove")
    await visitor.sees("Whatever names corner-shop is refused")
    await _presses_twice(visitor, "Remove for ever")
    await visitor.sees("Applications", "Register an application")
    await expect(page.locator("main")).not_to_contain_text("Corner Shop")
