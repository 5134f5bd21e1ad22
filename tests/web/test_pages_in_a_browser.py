"""Pages as Debian's Chromium shows them: accessible, inside the screen, under their policy, with and without script."""

import os
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl

import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize

from idp.catalogue import templates_dir
from idp.web.pages import FORM_POST_SCRIPT_HASH, PASSKEY_SCRIPT, Brand, FormPost, brand_css, page_headers, render
from tests.world.chromium import AXE, chromium, window
from tests.world.specimens import BRAND, FORM_POST, PAGES

pytestmark = pytest.mark.browser

ColorScheme = Literal["light", "dark"]
Motion = Literal["no-preference", "reduce"]
LOCALES = {"/es": "es", "/et": "et"}
BRANDS = {
    "": BRAND,
    **dict.fromkeys(LOCALES, BRAND),
    "/yellow": replace(BRAND, colour="#ffdd00"),
    "/black": replace(BRAND, colour="#000000"),
}
# Pages that differ in their sentences only are looked at once; form-post has tests of its own.
LOOKS = [
    name
    for name in PAGES
    if not name.startswith(("error-", "message-", "form-post", "new-phone-phone"))
    and name.removeprefix("sms-") not in {"sending", "missing", "shape", "resend-wait", "wait"}
    and name.removeprefix("totp-") not in {"used", "wait", "missing", "account", "several", "eight-unnamed"}
] + ["error-too-many", "error-home", "error-signed-out", "error-finished", "message-bare"]
FEW = ("sms-wrong", "consent", "home", "totp-strong", "enrol", "codes", "password-wrong")


@dataclass
class Site:
    """A loopback server of the specimens. `received` is what /callback was sent; `script`: a script is allowed."""

    port: int = 0
    received: list[list[tuple[str, str]]] = field(default_factory=list)
    script: bool = True
    targets: bool = True

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


def _body(site: Site, path: str) -> tuple[bytes, dict[str, str]]:
    prefix, _, name = path.rpartition("/")
    brand: Brand = BRANDS[prefix.removesuffix("/static")]
    if name == "brand.css":
        return brand_css(brand).encode(), {"Content-Type": "text/css", "Cache-Control": "max-age=600"}
    if prefix.endswith("/static"):
        kind = {"css": "text/css", "js": "text/javascript"}.get(name.rpartition(".")[2], "image/svg+xml")
        return (templates_dir() / "static" / name).read_bytes(), {"Content-Type": kind, "Cache-Control": "max-age=600"}
    page = PAGES[name]
    targets, script = [], None
    if isinstance(page, FormPost):
        page = replace(page, redirect_uri=site.url("/callback", "localhost"))
        targets = [page.redirect_uri] if site.targets else []
        script = f"'{FORM_POST_SCRIPT_HASH}'" if site.script else None
    elif getattr(page, "options", None):
        script = site.url(f"{prefix}/static/{PASSKEY_SCRIPT}")
    locale = LOCALES.get(prefix, "en")
    shown = render(page, brand=brand, csrf=lambda action: f"token for {action}", locale=locale, base=prefix, here=path)
    return shown.encode(), page_headers(targets, script, secure=False)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/favicon.ico":  # asked for by answers that are not our pages
                self.send_response(204)
                self.end_headers()
                return
            body, headers = _body(site, self.path.partition("?")[0])
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            site.received.append(parse_qsl(sent, keep_blank_values=True))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", "8")
            self.end_headers()
            self.wfile.write(b"received")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def _context(
    browser: Browser, *, width: int, scheme: ColorScheme = "light", script: bool = True, motion: Motion = "reduce"
) -> tuple[BrowserContext, Page, list[str]]:
    size: ViewportSize = {"width": width, "height": 720}
    context = await window(
        browser, viewport=size, color_scheme=scheme, java_script_enabled=script, reduced_motion=motion
    )
    if script:
        await context.add_init_script(AXE)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return context, page, complaints


async def _violations(page: Page, *rules: str) -> list[str]:
    found: dict[str, Any] = await page.evaluate(
        "rules => axe.run(document, {resultTypes: ['violations'], ...(rules.length ? {runOnly: rules} : {})})",
        list(rules),
    )
    return [f"{one['id']}: {node['html'][:160]}" for one in found["violations"] for node in one["nodes"]]


MEASURE = """() => {
  const all = (selector, wrong) => [...document.querySelectorAll(selector)].filter(wrong)
    .map(one => one.outerHTML.slice(0, 120));
  return {
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    small: all(
      "button, .button, select, summary, .tick, .ways a, footer a, .rows a, input:not([type=hidden], [type=checkbox])",
      one => one.getBoundingClientRect().height < 44),
  };
}"""


@pytest.mark.parametrize("prefix", ["", *LOCALES], ids=["en", *LOCALES.values()])
async def test_every_page_is_accessible_in_light_and_dark_and_fits_a_narrow_screen(
    browser: Browser, site: Site, prefix: str
) -> None:
    pictures = os.environ.get("STILE_SCREENSHOTS")
    context, page, complaints = await _context(browser, width=360)
    found: dict[str, object] = {}
    seen: set[str] = set()
    for name in LOOKS:
        first = (template := PAGES[name].template) not in seen
        seen.add(template)
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size({"width": 360, "height": 720})
        await page.goto(site.url(f"{prefix}/{name}"))
        await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        if pictures:
            await page.screenshot(path=f"{pictures}/{LOCALES.get(prefix, 'en')}-{name}.png", full_page=True)
        # Another language has other words, not other elements; the dark other colours.
        violations = await _violations(page) if first or not prefix else []
        if first and not prefix:
            await page.emulate_media(color_scheme="dark")
            violations += await _violations(page, "color-contrast")
        await page.set_viewport_size({"width": 320, "height": 720})
        measured = await page.evaluate(MEASURE)
        if violations or measured != {"wide": 0, "small": []}:
            found[name] = violations, measured
    await context.close()
    assert found == {}
    assert complaints == []


@pytest.mark.parametrize("brand", ["", "/yellow", "/black"], ids=["blue", "yellow", "black"])
async def test_a_desktop_is_accessible_in_every_brand(browser: Browser, site: Site, brand: str) -> None:
    context, page, complaints = await _context(browser, width=1280, scheme="dark")
    found: dict[str, list[str]] = {}
    for name in FEW[:3] if brand else FEW:
        await page.emulate_media(color_scheme="dark")
        await page.goto(site.url(f"{brand}/{name}"))
        violations = await _violations(page, *(["color-contrast"] if brand else []))
        await page.emulate_media(color_scheme="light")
        if violations := violations + await _violations(page, "color-contrast"):
            found[name] = violations
    await context.close()
    assert found == {}
    assert complaints == []


async def test_the_focus_is_seen_on_everything_the_tab_key_reaches(browser: Browser, site: Site) -> None:
    context, page, _ = await _context(browser, width=360)
    await page.goto(site.url("/sms-delivered"))
    reached = set()
    for _ in range(9):
        await page.keyboard.press("Tab")
        tag, width = await page.evaluate(
            "[document.activeElement.tagName, parseFloat(getComputedStyle(document.activeElement).outlineWidth)]"
        )
        if tag != "BODY":
            assert width >= 3, tag
            reached.add(tag)
    await context.close()
    assert reached >= {"BUTTON", "SUMMARY", "A"}


async def test_the_summary_of_an_error_leads_to_the_field(browser: Browser, site: Site) -> None:
    context, page, _ = await _context(browser, width=360)
    await page.goto(site.url("/sms-wrong"))
    await page.click(".problem a")
    await page.keyboard.type("042917")
    assert await page.input_value("#code") == "042917"
    await context.close()


async def test_cancel_answers_without_what_was_typed(browser: Browser, site: Site) -> None:
    site.received.clear()
    context, page, _ = await _context(browser, width=360, script=False)
    await page.goto(site.url("/sign-in"))
    await page.fill("#password", "correct horse")
    await page.click("button[name=cancel]")
    await page.wait_for_url("**/i/1/cancel")
    await page.goto(site.url("/sign-in"))
    await page.fill("#password", "correct horse")
    await page.press("#password", "Enter")
    await page.wait_for_url("**/i/1/password")
    await context.close()
    assert site.received == [
        [("cancel", "1"), ("csrf", "token for /i/1/cancel")],
        [("csrf", "token for /i/1/password"), ("username", ""), ("password", "correct horse")],
    ]


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
async def test_form_post_reaches_the_client(browser: Browser, site: Site, *, script: bool) -> None:
    site.received.clear()
    context, page, complaints = await _context(browser, width=360, script=script)
    await page.goto(site.url("/form-post"), wait_until="commit")
    if not script:
        await page.click("main button")
    await page.wait_for_url("**/callback")
    await context.close()
    assert site.received == [list(FORM_POST.fields)]
    assert complaints == []


async def test_a_form_goes_nowhere_but_where_the_policy_says(browser: Browser, site: Site) -> None:
    site.received.clear()
    site.targets, site.script = False, False
    context, page, complaints = await _context(browser, width=360)
    await page.goto(site.url("/form-post"))
    violations = await _violations(page)
    async with page.expect_console_message(lambda message: "form-action" in message.text):
        await page.click("main button", no_wait_after=True)
    await context.close()
    site.targets, site.script = True, True
    assert site.received == []
    assert "inline script" in complaints[0]
    assert violations == []


async def test_recovery_codes_print_without_buttons(browser: Browser, site: Site) -> None:
    context, page, _ = await _context(browser, width=700, scheme="dark")
    await page.goto(site.url("/codes"))
    await page.emulate_media(media="print")
    assert await page.is_visible("text=07KQM-2X0PD-8FW0J")
    assert not await page.is_visible("main button")
    colours = await page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    await context.close()
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


@pytest.mark.parametrize(("motion", "durations"), [("reduce", {"0s"}), ("no-preference", {"0s", "0.12s, 0.12s"})])
async def test_motion_is_for_those_who_want_it(
    browser: Browser, site: Site, motion: Motion, durations: set[str]
) -> None:
    context, page, _ = await _context(browser, width=360, motion=motion)
    await page.goto(site.url("/sign-in"))
    found = await page.evaluate(
        "[...document.querySelectorAll('*')].map(one => getComputedStyle(one).transitionDuration)"
    )
    await context.close()
    assert set(found) == durations
