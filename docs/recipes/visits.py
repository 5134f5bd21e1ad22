"""People before the pages of an application and of the provider. What they do there is in `walks`."""

import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import httpx
import pyotp
from playwright.sync_api import BrowserContext, Page, expect

from tests.world.applications import PASSWORD, command

PATIENCE = 30_000  # milliseconds, as playwright counts
expect.set_options(timeout=PATIENCE)


@dataclass(slots=True)
class Someone:
    """Somebody with a phone, and perhaps with an authenticator app."""

    name: str
    phone: str
    secret: str = ""
    step: int = 0

    def app_code(self) -> str:
        """One that was not used yet: waits for the app to show the next."""
        app = pyotp.TOTP(self.secret)
        while (step := app.timecode(datetime.now(UTC))) <= self.step:
            time.sleep(0.5)
        self.step = step
        return app.generate_otp(step)


@dataclass(slots=True)
class Recipe:
    """One application of one page, which runs, and a browser before it."""

    name: str
    issuer: str
    home: Path
    url: str
    secret: str
    folder: Path
    context: BrowserContext
    page: Page
    ada: Someone
    bob: Someone
    lines: list[str] = field(default_factory=list)

    def saw(self, line: str) -> None:
        print(f"{self.name}: {line}", flush=True)
        self.lines.append(line)

    def asks(self, line: str) -> str:
        """What a command says, in the application's folder."""
        return subprocess.run(["sh", "-euc", line], cwd=self.folder, capture_output=True, text=True, check=True).stdout

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def goes(self, url: httpx.URL) -> None:
        self.page.goto(str(url))

    def shows(self, *texts: str) -> None:
        """The page holds all of this, in time."""
        for text in texts:
            expect(self.page.locator("body")).to_contain_text(text)

    def logged(self, text: str) -> None:
        """The application has said so in its log."""
        if text not in self.log():
            raise SystemExit(f"{self.name} did not log {text!r}")

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def signs_in(self, who: Someone, *, by_text: bool = False) -> None:
        """From the provider's first page to the application's."""
        self.page.get_by_label("Username", exact=True).fill(who.name)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Continue", exact=True).click()
        if by_text:
            self.gives_text_code(who)
        else:
            self.gives_app_code(who)

    def gives_app_code(self, who: Someone) -> None:
        code = self.page.get_by_label("Code from your authenticator app", exact=True)
        expect(code).to_be_visible()
        code.fill(who.app_code())
        self.page.get_by_role("button", name=re.compile("^(Continue|Approve .*)$")).click()

    def gives_text_code(self, who: Someone) -> None:
        ask = self.page.get_by_role("button", name="Get a code by text message", exact=True)
        code = self.page.get_by_label("Security code")
        expect(ask.or_(code).first).to_be_visible()
        if ask.count():
            ask.click()
        code.fill(self.texted(who))
        self.page.get_by_role("button", name="Continue", exact=True).click()

    def texted(self, who: Someone) -> str:
        """The code in the newest message to this phone, in the inbox of IDP_DEV."""
        for _ in range(200):
            page = httpx.get(f"{self.issuer}/dev/outbox", timeout=30).text.replace("<bdi>", "").replace("</bdi>", "")
            rows = re.findall(r"<strong>(\+[^<]+)</strong>.*?<p class=\"text\">(\d{6})\b", page, re.DOTALL)
            if found := [code for to, code in rows if to[-3:] == who.phone[-3:]]:
                return str(found[0])
            time.sleep(0.1)
        raise SystemExit(f"no text message came for {who.name}")

    def forgets(self, cookie: str) -> None:
        """The application forgets this browser, and the provider does not."""
        self.context.clear_cookies(name=re.compile(cookie))

    def at_once(self, path: str, many: int) -> list[int]:
        """The statuses of so many requests of this browser at the same moment."""
        cookies = "; ".join(f"{one['name']}={one['value']}" for one in self.context.cookies(self.url))
        start = Barrier(many)

        def ask(_: int) -> int:
            start.wait()
            return httpx.get(self.url + path, headers={"Cookie": cookies}, timeout=30).status_code

        with ThreadPoolExecutor(many) as pool:
            return list(pool.map(ask, range(many)))

    def answer(self, path: str) -> httpx.URL:
        """Where the provider sends somebody who is signed in, and whom the application at this path asks about."""
        url = self.url + path
        for _ in range(9):
            before = httpx.URL(url)
            url = self.context.request.get(url, max_redirects=0).headers["location"]
            url = str(before.join(url))
            if url.startswith(self.url) and "code=" in url:
                return httpx.URL(url)
        raise SystemExit(f"no answer came for {path}")

    def idp(self, *words: str) -> None:
        """An operator's command."""
        command(self.home, *words)
