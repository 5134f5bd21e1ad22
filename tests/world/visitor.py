"""A browser that visits the demonstration without JavaScript, and looks hard at every page it is shown."""

import os
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Response, Route, expect

from tests.world.chromium import AXE, goes_by, window
from tests.world.demonstration import Demo, Person

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# Chromium reports every answer of 400 and above as an error of the page; pages that say no are meant to be such.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
VIOLATIONS = """async rules =>
  (await axe.run(document, {resultTypes: ["violations"], ...(rules ? {runOnly: rules} : {})})).violations
  .flatMap(one => one.nodes.map(node => one.id + ": " + node.html.slice(0, 160)))"""


@dataclass(slots=True)
class Inspector:
    """Looks at each kind of page once: accessible at two widths, light and dark, and nothing sticks out at 320 pixels.

    Pages are looked at with a script (axe), so a second browser shows the same bytes at the same address.
    With STILE_SCREENSHOTS naming a directory, each page is also kept as four pictures.
    """

    page: Page
    seen: set[str] = field(default_factory=set)
    found: dict[str, list[str]] = field(default_factory=dict)

    async def look(self, shown: Page) -> None:
        """Look at what this page shows now."""
        kind = re.sub(r"[\d ]+", "", await shown.title() + await shown.locator("main").inner_text())
        if kind in self.seen:
            return
        self.seen.add(kind)
        html = await shown.content()

        async def again(route: Route) -> None:
            # Or the form of form_post would send itself. What is evaluated here is not held to this.
            policy = {"content-security-policy": "script-src 'none'"}
            await route.fulfill(body=html, content_type="text/html; charset=utf-8", headers=policy)

        await self.page.route(shown.url, again)
        await self.page.goto(shown.url)
        await self.page.unroute(shown.url)
        await self._judge(f"{await shown.title()} ({urlsplit(shown.url).path})")

    async def _judge(self, name: str) -> None:
        page, wrong = self.page, []
        pictures = os.environ.get("STILE_SCREENSHOTS")
        await page.evaluate(AXE)
        for width in (1280, 360):
            await page.set_viewport_size({"width": width, "height": 800})
            for scheme in SCHEMES:
                await page.emulate_media(color_scheme=scheme)
                # The dark has other colours, not other elements.
                rules = None if scheme == "light" else ["color-contrast"]
                wrong += [f"{width} {scheme}: {one}" for one in await page.evaluate(VIOLATIONS, rules)]
                if pictures:
                    file = re.sub(r"\W+", "-", f"{len(self.seen):02}-{await page.title()}")
                    await page.screenshot(path=f"{pictures}/{file}-{width}-{scheme}.png", full_page=True)
        await page.set_viewport_size({"width": 320, "height": 800})
        if await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append("320: scrolls sideways")
        if wrong:
            self.found[name] = wrong


@dataclass(slots=True)
class Visitor:
    """One browser profile of one person."""

    demo: Demo
    context: BrowserContext
    page: Page
    inspector: Inspector
    complaints: list[str] = field(default_factory=list)

    @classmethod
    async def arrive(cls, browser: Browser, demo: Demo, inspector: Inspector, *, script: bool = False) -> "Visitor":
        """A fresh profile with one tab."""
        context = await window(browser, java_script_enabled=script, viewport={"width": 1280, "height": 800})
        visitor = cls(demo, context, await context.new_page(), inspector)
        context.on("console", lambda message: visitor._heard(message))  # noqa: PLW0108 - playwright marks methods
        context.on("weberror", lambda error: visitor.complaints.append(str(error.error)))
        return visitor

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not REFUSED.match(message.text):
            self.complaints.append(message.text)

    async def leave(self) -> None:
        """Close the browser. Nothing it showed was wrong."""
        await self.context.close()
        found = self.inspector.found.copy()
        self.inspector.found.clear()
        assert (self.complaints, found) == ([], {})

    async def tab(self) -> "Visitor":
        """Another tab of the same profile."""
        return Visitor(self.demo, self.context, await self.context.new_page(), self.inspector, self.complaints)

    @property
    def heading(self) -> Locator:
        """The first heading."""
        return self.page.locator("h1")

    async def sees(self, *texts: str) -> None:
        """The page says this; and it is a good page."""
        for text in texts:
            await expect(self.page.locator("body")).to_contain_text(text)
        await self.inspector.look(self.page)

    async def opens(self, url: str) -> Response:
        """Go to an address."""
        answer = await self.page.goto(url)
        assert answer is not None
        return answer

    async def follows(self, name: str) -> None:
        """Press a link."""
        await goes_by(self.page.get_by_role("link", name=name, exact=True).first)

    async def presses(self, name: str) -> None:
        """Press a button."""
        await goes_by(self.page.get_by_role("button", name=name, exact=True))

    async def types(self, label: str, text: str) -> None:
        """Fill in a field."""
        await self.page.get_by_label(label, exact=True).fill(text)

    async def gives_password(self, person: Person, password: str | None = None) -> None:
        """The first step of signing in."""
        await self.types("Username", person.username)
        await self.types("Password", password or person.password)
        await self.presses("Continue")

    async def asks_for_text(self, *, ways: tuple[str, ...] = ("Get a code by text message", "Send a code")) -> None:
        """Press what brings a text message, where none left by itself: beside the app, or on the message's own page."""
        for name in ways:
            if await self.page.get_by_role("button", name=name, exact=True).count():
                await self.presses(name)
                return

    async def gives_text_code(self, person: Person) -> None:
        """The second step, by the newest text message."""
        await self.asks_for_text()
        await self.types("Security code", await self.demo.new_code(person))
        await self.presses("Continue")

    async def gives_app_code(self, person: Person, *, press: str = "Continue") -> None:
        """The second step, by the authenticator app, whichever way comes first."""
        if await self.page.get_by_role("link", name="Use your authenticator app", exact=True).count():
            await self.follows("Use your authenticator app")
            await self.sees("Confirm with your authenticator app")
        await self.types("Code from your authenticator app", person.app_code())
        await self.presses(press)

    async def signs_in(self, person: Person) -> None:
        """Sign in to the bank, by text message."""
        await self.opens(f"{self.demo.bank}/login")
        await self.gives_password(person)
        await self.gives_text_code(person)
        await expect(self.page.get_by_text("How you signed in")).to_be_visible()

    async def prepares_transfer(self, payee: str, amount: str) -> None:
        """Fill in the bank's form, which leads to where it is approved."""
        await self.opens(f"{self.demo.bank}/transfers/new")
        await self.types("Who gets the money?", payee)
        await self.types("Amount in euros", amount)
        await self.presses("Continue")

    async def balance(self) -> str:
        """What the bank says there is."""
        await self.opens(self.demo.bank)
        return await self.page.locator(".balance .money").inner_text()
