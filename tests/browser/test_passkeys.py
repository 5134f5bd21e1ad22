"""Passkeys in Debian's Chromium, with its own virtual authenticator, and without scripts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, expect

from tests.world.demonstration import Demo
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


async def comes_in(visitor: Visitor, demo: Demo) -> None:
    """Alice at the page of a new passkey, confirmed by her app."""
    await visitor.opens(f"{demo.provider}/account")
    await visitor.gives_password(demo.alice)
    await visitor.gives_app_code(demo.alice)
    await visitor.sees("Your security")


async def sets_up(visitor: Visitor, name: str) -> None:
    await visitor.follows("Add a passkey")
    await visitor.sees("Set up a passkey")
    await visitor.types("Name for this passkey (optional)", name)
    await visitor.presses("Create the passkey")


async def signs_out(visitor: Visitor, demo: Demo) -> None:
    await visitor.opens(f"{demo.provider}/account")
    await visitor.presses("Sign out")


async def test_a_passkey_is_set_up_signs_in_and_confirms_a_transfer(scripted: Visitor, demo: Demo) -> None:
    phone = await Authenticator.plugged_in(scripted)
    await comes_in(scripted, demo)
    await sets_up(scripted, "My laptop")
    await scripted.sees("Your passkey is set up.", "“My laptop”", "On one device only.")
    assert [key["isResidentCredential"] for key in await phone.keys()] == [True]
    await signs_out(scripted, demo)

    # Offered beside the username, and answered by itself.
    await scripted.opens(f"{demo.bank}/login")
    await expect(scripted.page.get_by_text("How you signed in")).to_be_visible()
    await scripted.sees("swk, user, mfa", "phr")
    await scripted.prepares_transfer("Eve", "12.00")
