"""Where the pages of clients live (RFC 6454)."""

from dataclasses import replace

import pytest

from idp.model import Client
from idp.oidc import origins


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://shop.example/cb?x=1", "https://shop.example"),
        ("HTTPS://Shop.Example:443/cb", "https://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("http://localhost:80/cb", "http://localhost"),
        ("http://localhost:443/cb", "http://localhost:443"),
        ("http://[::1]:3000/cb", "http://[::1]:3000"),
        ("http://[::1]", "http://[::1]"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("CAPACITOR://LocalHost", "capacitor://localhost"),
        ("chrome-extension://aaaabbbb", "chrome-extension://aaaabbbb"),
        ("com.example.app:/cb", None),
        ("file:///index.html", None),
        ("data:text/html,x", None),
        ("javascript://x", None),
        ("https://[::1", None),
        ("https://shop.example:99999", None),
        ("null", None),
        ("", None),
    ],
)
def test_an_origin_is_written_as_a_browser_writes_it(uri: str, origin: str | None) -> None:
    assert origins.serialised(uri) == origin


@pytest.mark.parametrize(
    "text",
    [
        *("https://shop.example", "http://localhost", "http://127.0.0.1:8100", "http://[::1]:3000"),
        *("capacitor://localhost", "ionic://localhost", "tauri://localhost", "moz-extension://0-1"),
    ],
)
def test_pages_of_browsers_and_of_mobile_shells_can_be_let_in(text: str) -> None:
    assert origins.problem(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("null", "*", "", "https://", "https://shop.example/", "https://shop.example/cb", "https://*.example"),
        *("https://u:p@shop.example", "https://shop.example?x", "https://shop.example#x", "shop.example", "file://"),
        *("http://shop.example", "javascript://localhost", "data://localhost", "https://shöp.example", " https://a.b"),
        *("https://a.b\n", "https://a.b:99999", "https://[::1", "https://a.b https://c.d", "http://localhost.evil"),
    ],
)
def test_what_no_browser_sends_or_everybody_can_is_no_origin(text: str) -> None:
    assert origins.problem(text) is not None


def test_a_client_lives_where_it_was_registered_or_where_its_redirect_uris_are(bank: Client, app: Client) -> None:
    assert origins.of(bank) == {"https://bank.example"}
    assert origins.of(app) == {"http://127.0.0.1", "http://[::1]"}
    assert origins.of(replace(bank, origins=("capacitor://localhost",))) == {"capacitor://localhost"}
    assert origins.of(replace(bank, redirect_uris=("https://Bank.example:443/cb",))) == {"https://bank.example"}
