"""The operator's name and colour, and colours derived from it that stay readable in light and dark. Pure."""

import re
from dataclasses import dataclass
from functools import cache

Rgb = tuple[int, int, int]

WHITE: Rgb = (255, 255, 255)
BLACK: Rgb = (0, 0, 0)
# The darkest and the lightest surface that brand colours stand on: --page and --card of stile.css.
LIGHT_SURFACE = "#f4f5f8"
LIGHT_CARD = "#ffffff"
DARK_SURFACE = "#0d1117"
DARK_CARD = "#181c24"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """Who the pages speak for. `colour` is #rrggbb; links that are None are not shown. ValueError for anything else."""

    name: str
    colour: str = "#1d4ed8"
    logo_url: str | None = None
    help_url: str | None = None
    privacy_url: str | None = None

    def __post_init__(self) -> None:
        rgb(self.colour)
        if not self.name.strip():
            raise ValueError("a brand needs a name")


def rgb(colour: str) -> Rgb:
    """The three channels of #rrggbb. ValueError for any other writing: the text ends up in a style sheet."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ValueError("a colour is written #rrggbb, as in #1d4ed8")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mixed(colour: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _until(colour: Rgb, other: Rgb, *, against: str, ratio: float) -> Rgb:
    """The colour, moved towards black or white no further than needed to stand out from a surface."""
    return next(
        mixed
        for share in range(101)
        if contrast(mixed := _mixed(colour, other, share / 100), rgb(against)) >= ratio or share == 100
    )


def _css(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _scheme(link: Rgb, button: Rgb) -> str:
    # Of black and white one always reaches 4.58 on any colour, so the text on a button is readable whatever the brand.
    text = max(WHITE, BLACK, key=lambda ink: contrast(ink, button))
    hover = _mixed(button, BLACK if text == WHITE else WHITE, 0.16)
    return f"--link:{_css(link)};--button:{_css(button)};--button-hover:{_css(hover)};--on-button:{_css(text)}"


@cache
def brand_css(brand: Brand) -> str:
    """The style sheet for /static/brand.css. Links reach 4.5:1 (7:1 in the dark), buttons 3:1 with text at 4.5:1."""
    colour = rgb(brand.colour)
    light = _scheme(
        _until(colour, BLACK, against=LIGHT_SURFACE, ratio=4.5),
        _until(colour, BLACK, against=LIGHT_CARD, ratio=3),
    )
    pale = _until(colour, WHITE, against=DARK_CARD, ratio=7)
    dark = _scheme(pale, pale)
    return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
