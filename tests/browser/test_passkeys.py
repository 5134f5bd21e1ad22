"""Passkeys in Debian's Chromium, with its own virtual authenticator, and without scripts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, expect

from tests.world.demonstration import Demo, Person
from tests.world.visitor import Inspector, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


class Authenticator:
    """The virtual authenticator of one tab (WebDriver, WebAuthn 11)."""

    def __init__(self, cdp: CDPSession, id_: str) -> None:
        self.cdp, self.id = cdp, id_

    @classmethod
    async def plugged_in(cls, visitor: Visitor, **options: Any) -> "Authenticator":
        cdp = await visitor.context.new_cdp_session(visitor.page)
        await cdp.send("WebAuthn.enable")
        given = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            **options,
        }
        made = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": given})
        return cls(cdp, made["authenticatorId"])

    async def does(self, command: str, **values: Any) -> dict[str, Any]:
        found: dict[str, Any] = await self.cdp.send(f"WebAuthn.{command}", {"authenticatorId": self.id, **values})
        return found

    async def keys(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.does("getCredentials"))["credentials"]
        return found

    async def counts_again_from(self, count: int) -> None:
        """As a copy of it would: every passkey tells this count next."""
        for key in await self.keys():
            await self.does("removeCredential", credentialId=key["credentialId"])
            await self.does("addCredential", credential=key | {"signCount": count})


@pytest.fixture
async def scripted(browser: Browser, demo: Demo, inspector: Inspector) -> AsyncIterator[Visitor]:
    visitor = await Visitor.arrive(browser, demo, inspector, script=True)
    yield visitor
    await visitor.leave()


async def comes_in(visitor: Visitor, demo: Demo, person: Person) -> None:
    """Somebody on their account page, by text message."""
    await visitor.opens(f"{demo.provider}/account")
    await visitor.gives_password(person)
    await visitor.gives_text_code(person)
    await expect(visitor.heading).to_have_text("Your account")


async def sets_up(visitor: Visitor, name: str) -> None:
    await visitor.follows("Add a passkey")
    await visitor.sees("Set up a passkey")
    await visitor.page.get_by_label("Name for this passkey").fill(name)
    await visitor.presses("Create the passkey")


async def signs_out(visitor: Visitor, demo: Demo) -> None:
    await visitor.opens(f"{demo.provider}/account")
    await visitor.presses("Sign out")


async def test_a_passkey_is_set_up_signs_in_by_itself_and_confirms_a_transfer(scripted: Visitor, demo: Demo) -> None:
    laptop = await Authenticator.plugged_in(scripted)
    await scripted.opens(f"{demo.provider}/account")
    await scripted.gives_password(demo.alice)
    await scripted.gives_app_code(demo.alice)
    await sets_up(scripted, "My laptop")
    await scripted.sees("Save your recovery codes")
    await scripted.opens(f"{demo.provider}/account")
    await scripted.sees("My laptop", "On one device only.", "Opens sensitive actions")
    assert [key["isResidentCredential"] for key in await laptop.keys()] == [True]
    # The browser knows that there is one, and says so in our words.
    await scripted.opens(f"{demo.provider}/account/passkeys/new")
    await scripted.page.get_by_role("button", name="Create the passkey").click()
    await expect(scripted.page.get_by_role("alert")).to_contain_text("on this device already")
    await signs_out(scripted, demo)
    # Offered beside the username, and answered by itself.
    await scripted.opens(f"{demo.bank}/login")
    await expect(scripted.page.get_by_text("How you signed in")).to_be_visible()
    await expect(scripted.page.locator("body")).to_contain_text("swk, user, mfa")
    before = await scripted.balance()
    await scripted.prepares_transfer("Jana Nováková", "25")
    await scripted.sees("Approve EUR 25.00 to Jana Nováková?", "Your browser will ask for your fingerprint")
    await scripted.page.locator("#passkey").click()
    await scripted.page.wait_for_url(f"{demo.bank}/**")
    assert await scripted.balance() != before


async def test_one_that_is_not_discoverable_is_a_second_step_alone(scripted: Visitor, demo: Demo) -> None:
    carol = await demo.add("carol", "+37256789051")
    key = await Authenticator.plugged_in(scripted, transport="usb", hasResidentKey=False)
    await comes_in(scripted, demo, carol)
    await sets_up(scripted, "Security key")
    assert [each["isResidentCredential"] for each in await key.keys()] == [False]
    await signs_out(scripted, demo)
    await scripted.opens(f"{demo.bank}/login")
    await scripted.page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(scripted.page.get_by_role("alert")).to_contain_text("No passkey was used")
    await scripted.sees("No passkey was used")
    await scripted.gives_password(carol)
    await scripted.sees("Confirm with your passkey")
    await scripted.page.locator("#passkey").click()
    await expect(scripted.page.get_by_text("How you signed in")).to_be_visible()


async def test_a_person_whom_it_does_not_know_is_told_and_uses_another_way(scripted: Visitor, demo: Demo) -> None:
    dora = await demo.add("dora", "+37256789052")
    phone = await Authenticator.plugged_in(scripted)
    await comes_in(scripted, demo, dora)
    await sets_up(scripted, "Phone")
    await signs_out(scripted, demo)
    await phone.does("setUserVerified", isUserVerified=False)
    await scripted.opens(f"{demo.bank}/login")
    await scripted.gives_password(dora)
    await scripted.page.locator("#passkey").click()
    await expect(scripted.page.get_by_role("alert")).to_contain_text("You can try again")
    await scripted.gives_text_code(dora)
    await expect(scripted.page.get_by_text("How you signed in")).to_be_visible()


async def test_a_copy_is_refused_and_both_tabs_go_on(scripted: Visitor, demo: Demo) -> None:
    emil = await demo.add("emil", "+37256789053")
    phone = await Authenticator.plugged_in(scripted)
    await comes_in(scripted, demo, emil)
    await sets_up(scripted, "Phone")
    await signs_out(scripted, demo)
    await phone.does("setAutomaticPresenceSimulation", enabled=False)
    await scripted.opens(f"{demo.bank}/login")
    await scripted.gives_password(emil)
    await expect(scripted.heading).to_have_text("Confirm with your passkey")
    await phone.counts_again_from(0)
    await phone.does("setAutomaticPresenceSimulation", enabled=True)
    await scripted.page.locator("#passkey").click()
    await expect(scripted.page.locator("body")).to_contain_text("may have been copied")
    await scripted.sees("may have been copied")
    await phone.counts_again_from(7)
    await scripted.page.locator("#passkey").click()
    await expect(scripted.page.get_by_text("How you signed in")).to_be_visible()


async def test_without_scripts_the_pages_go_on_and_say_so(visitor: Visitor, scripted: Visitor, demo: Demo) -> None:
    fred = await demo.add("fred", "+37256789054")
    await Authenticator.plugged_in(scripted)
    await comes_in(scripted, demo, fred)
    await sets_up(scripted, "Phone")
    await visitor.opens(f"{demo.bank}/login")
    assert "Passkeys need scripts" in await visitor.page.locator("main").inner_text()
    await visitor.sees()
    await visitor.gives_password(fred)
    assert "Passkeys need scripts" in await visitor.page.locator("main").inner_text()
    await visitor.sees()
    await visitor.presses("Use your passkey")
    await visitor.sees("Your browser sent no passkey")
    await visitor.gives_text_code(fred)
    await expect(visitor.page.get_by_text("How you signed in")).to_be_visible()
