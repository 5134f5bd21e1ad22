"""The operator's colour stays readable whatever it is; headers say what a browser may do."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.catalogue import templates_dir
from idp.web.pages import (
    FORM_POST_SCRIPT_HASH,
    SECURITY_HEADERS,
    Brand,
    brand_css,
    content_security_policy,
    page_headers,
)
from idp.web.pages.brand import DARK_CARD, DARK_SURFACE, LIGHT_CARD, LIGHT_SURFACE, contrast, rgb

colours = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")


def scheme(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", css))


@given(colours)
def test_any_brand_colour_is_readable_in_light_and_dark(colour: str) -> None:
    css = brand_css(Brand(name="Acme", colour=colour))
    light, dark = (scheme(part) for part in css.split("@media"))
    for tokens, surfaces in ((light, (LIGHT_SURFACE, LIGHT_CARD)), (dark, (DARK_SURFACE, DARK_CARD))):
        for surface in surfaces:
            assert contrast(rgb(tokens["link"]), rgb(surface)) >= 4.5
        assert contrast(rgb(tokens["button"]), rgb(surfaces[1])) >= 3
        assert contrast(rgb(tokens["on-button"]), rgb(tokens["button"])) >= 4.5
        assert contrast(rgb(tokens["on-button"]), rgb(tokens["button-hover"])) >= 4.5


def test_a_readable_colour_is_kept_as_it_is() -> None:
    assert scheme(brand_css(Brand(name="Acme", colour="#1D4ED8")).split("@media")[0])["button"] == "#1d4ed8"


def test_contrast_is_wcags() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast(rgb("#767676"), rgb("#ffffff")) == pytest.approx(4.54, abs=0.01)


def test_the_surfaces_are_those_of_the_style_sheet() -> None:
    css = (templates_dir() / "static" / "stile.css").read_text()
    pages, cards = re.findall(r"--page: (#[0-9a-f]{6})", css), re.findall(r"--card: (#[0-9a-f]{6})", css)
    assert pages[:2] == [LIGHT_SURFACE, DARK_SURFACE]
    assert cards[:2] == [LIGHT_CARD, DARK_CARD]


@pytest.mark.parametrize(
    "colour", ["red", "#fff", "#12345g", "#1d4ed8;}body{display:none", "#1d4ed8\n", "", "#1d4ed\N{FULLWIDTH DIGIT ONE}"]
)
def test_a_colour_that_is_not_six_hex_digits_is_refused(colour: str) -> None:
    with pytest.raises(ValueError, match="#rrggbb"):
        Brand(name="Acme", colour=colour)


def test_a_brand_needs_a_name() -> None:
    with pytest.raises(ValueError, match="name"):
        Brand(name="  ")


# Headers


def directives(policy: str) -> dict[str, str]:
    return dict(item.partition(" ")[::2] for item in policy.split("; "))


def test_a_page_may_load_nothing_but_our_styles_and_pictures() -> None:
    assert directives(content_security_policy()) == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "object-src": "'none'",
    }


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://bank.example/cb?x=1#y", "https:"),
        ("HTTPS://BANK.example:8443/cb", "https:"),
        ("http://127.0.0.1:51004/cb", "http:"),
        ("http://[::1]:51004/cb", "http:"),
        ("com.example.app:/cb", "com.example.app:"),
        ("https://a.example; script-src *", "https:"),
        ("https://a.example'/cb", "https:"),
    ],
)
def test_forms_may_lead_wherever_the_client_leads_by_the_scheme_it_registered(uri: str, source: str) -> None:
    assert directives(content_security_policy([uri, uri])) == {
        **directives(content_security_policy()),
        "form-action": f"'self' {source}",
    }


@pytest.mark.parametrize(
    "uri",
    [
        "x; script-src *:/cb",
        "x':/cb",
        "*:/cb",
        "x y:/cb",
        "'none':",
        "https",
        "/cb",
        ":",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "",
    ],
)
def test_a_redirect_cannot_write_into_the_policy(uri: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        content_security_policy([uri])


def test_a_script_is_allowed_by_its_hash_only() -> None:
    policy = content_security_policy((), f"'{FORM_POST_SCRIPT_HASH}'")
    assert directives(policy)["script-src"] == f"'{FORM_POST_SCRIPT_HASH}'"
    assert "unsafe" not in policy


def test_pages_are_not_stored_and_hsts_is_for_https_only() -> None:
    headers = page_headers(["https://bank.example/cb"])
    assert headers["Cache-Control"] == "no-store"
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert "form-action 'self' https:;" in headers["Content-Security-Policy"]
    assert set(SECURITY_HEADERS) < set(headers)
    assert "Strict-Transport-Security" not in page_headers(secure=False)
    assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
