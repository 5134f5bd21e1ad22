"""A person's own phones and profile on the account page, in Debian's Chromium."""

import pytest
from playwright.async_api import expect

from tests.world.chromium import goes_by
from tests.world.demonstration import Demo, Person
from tests.world.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SECOND = "+37256789199"


async def in_room(visitor: Visitor, demo: Demo, person: Person) -> None:
    await visitor.opens(f"{demo.provider}/account")
    await visitor.gives_password(person)
    await visitor.gives_text_code(person)
    await visitor.sees("Ways to sign in", "About you")


async def test_a_second_phone_is_added_named_put_first_and_removed(visitor: Visitor, demo: Demo) -> None:
    bob, phone = demo.bob, Person("bob", "", SECOND)
    await in_room(visitor, demo, bob)
    await visitor.follows("Add a phone")
    await visitor.sees("Add a phone", "every channel we have")
    await visitor.types("Mobile number", "5123")
    await visitor.presses("Send a code")
    await visitor.sees("There is a problem", "with + and the country code")
    await expect(visitor.page.get_by_label("Mobile number")).to_have_value("5123")
    await visitor.types("Mobile number", SECOND)
    await visitor.page.keyboard.press("Enter")
    await visitor.sees("Check your phone", "the number ending")
    code = await demo.new_code(phone)
    await visitor.types("Security code", f"{(int(code) + 1) % 1_000_000:06}")
    await visitor.types("Name for this phone (optional)", "Work phone")
    await visitor.page.keyboard.press("Enter")
    await visitor.sees("There is a problem", "The code is not right", "You have 2 tries left")
    await expect(visitor.page.get_by_label("Name for this phone (optional)")).to_have_value("Work phone")
    await visitor.types("Security code", code)
    await visitor.presses("Add the phone")
    await visitor.sees("The phone was added", "Work phone")
    await goes_by(visitor.page.get_by_role("link", name="Work phone"))
    await visitor.sees("Codes by text message go to another phone of yours first")
    await visitor.presses("Put this phone first")
    await visitor.sees("go to this phone first from now on")
    await goes_by(visitor.page.get_by_role("link", name="Work phone"))
    await visitor.presses("Remove the phone")
    await visitor.sees("The phone was removed")
    await visitor.page.go_back()
    await visitor.page.reload()
    await expect(visitor.page.locator("body")).not_to_contain_text("Remove the phone")


async def test_what_people_say_of_themselves_is_kept_and_times_are_theirs(visitor: Visitor, demo: Demo) -> None:
    await in_room(visitor, demo, demo.bob)
    await goes_by(visitor.page.get_by_role("link", name="your name, language and time zone"))
    await visitor.sees("About you", "Time zone")
    await visitor.types("Website (optional)", "not an address")
    await visitor.page.get_by_label("Time zone").select_option("Asia/Tokyo")
    await visitor.presses("Save")
    await visitor.sees("There is a problem", "begins with https://")
    await expect(visitor.page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
    await visitor.types("Website (optional)", "https://bob.example.com")
    await visitor.presses("Save")
    await visitor.sees("was saved", "JST")
