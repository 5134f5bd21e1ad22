"""What a person does in each application, and what is seen. How it comes to run is in `run`."""

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

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
        said = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        if text not in said:
            raise SystemExit(f"{self.name} did not log {text!r}:\n{said}")

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

    def answer(self, path: str) -> httpx.URL:
        """Where the provider sends somebody who is signed in, and whom the application at this path asks about."""
        url = self.url + path
        for _ in range(9):
            url = self.context.request.get(url, max_redirects=0).headers["location"]
            if url.startswith("/"):
                url = self.url + url
            if url.startswith(self.url) and "code=" in url:
                return httpx.URL(url)
        raise SystemExit(f"no answer came for {path}")

    def idp(self, *words: str) -> None:
        """An operator's command."""
        command(self.home, *words)


def openid_client(at: Recipe) -> None:
    at.saw(
        "with "
        + ", ".join([*re.findall(r"[\w-]+@\S+", at.asks("npm ls --depth=0")), "Node " + at.asks("node -v").strip()])
    )
    at.open("/")
    at.signs_in(at.ada, by_text=True)
    at.shows("Signed in", "urn:stile:2fa")
    at.saw("signed in with a text message: acr urn:stile:2fa")
    at.open("/payroll")
    at.gives_app_code(at.ada)
    at.shows("Payroll", "urn:stile:2fa-strong")
    at.saw("acr_values with max_age=300 asked for the app: acr urn:stile:2fa-strong")
    at.open("/transfer")
    at.gives_app_code(at.ada)
    at.shows("Transferred", "urn:stile:2fa-strong")
    at.saw("scope transfers:write asked for the app again")
    at.open("/refresh")
    at.shows("Refreshed", "openid profile offline_access")
    at.open("/refresh")
    at.shows("Refreshed")
    at.saw("refreshed twice: each answer brings the next refresh token, and transfers:write is in none")
    at.forgets("connect.sid")
    at.goes(at.answer("/").copy_merge_params({"iss": "https://other.example.com"}))
    at.shows("Not done")
    at.logged('unexpected "iss"')
    at.saw("an answer with another `iss`: refused by the library")
    at.idp("client", "set", "shop", "--alg", "ES256")
    at.idp("keys", "rotate", "--now")
    at.open("/")
    at.shows("Signed in")
    at.saw("ID tokens in ES256 and of a rotated key, without a restart: accepted")
    at.open("/sign-out")
    at.shows("Signed out")
    at.open("/")
    expect(at.page.get_by_label("Username", exact=True)).to_be_visible()
    at.saw("signed out here and at the provider, and nobody was asked: the ID token was the hint")
    at.signs_in(at.bob, by_text=True)
    at.shows("Signed in")
    at.open("/payroll")
    at.shows("Not done", "not proved")
    at.saw("acr_values for somebody without an app: a token with acr urn:stile:2fa, which the application must refuse")


RECIPES: dict[str, Callable[[Recipe], None]] = {
    "openid-client": openid_client,
}
