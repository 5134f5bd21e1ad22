"""A page value and a locale make HTML. Templates are compiled once for a language and a brand; no request is read."""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Any

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from idp.catalogue import SOURCE, languages, template_dirs, translations
from idp.formats import day, html_language, lasting, moment, money, number, own_name, relative, wait
from idp.sentences import Moment, Sentence, said_in
from idp.web.pages.brand import Brand, brand_css
from idp.web.pages.compiling import Compiler
from idp.web.pages.headers import FORM_POST_SCRIPT
from idp.web.pages.help import help_of
from idp.web.pages.parts import FIELD_LABELS, SCOPE_SENTENCES, DetailLine, Money, Page, Problem, ScopeLine

_MOST_MARKS = 4  # on one letter: more cover the lines above and below, and no writing needs them
# Controls, line separators and everything that turns the direction of what follows (UAX #9): never shown.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def render(
    page: Page,
    *,
    brand: Brand,
    csrf: Callable[[str], str],
    locale: str = SOURCE,
    overrides: Path | None = None,
    base: str = "",
    here: str | None = None,
) -> str:
    """The page as HTML. Every value of the page is escaped; a missing one raises instead of leaving a gap.

    `csrf` gives the token for a form with that action. `overrides` is the operator's directory (IDP_TEMPLATES), `base`
    the path of the issuer, "" at the root. `here` is the page's own path, needed for the language chooser, which posts
    `language` and `here` to `{base}/language`; it is shown when several languages are shipped. A locale that is not
    shipped is shown in English.
    """
    shipped = languages(overrides)
    environment = _environment(locale if locale in shipped else SOURCE, overrides, brand, base)
    return environment.get_template(page.template).render(
        page=page,
        csrf=csrf,
        here=here if len(shipped) > 1 else None,
        problems=problem_lines(page, locale if locale in shipped else SOURCE, overrides),
    )


def problem_lines(page: Page, locale: str, overrides: Path | None = None) -> tuple[tuple[str | None, str], ...]:
    """The problems of a page as (field, sentence) in the person's language."""
    problems: tuple[Problem, ...] = getattr(page, "problems", ())
    if not problems:
        return ()
    gettext = translations(locale, overrides).gettext
    span: timedelta | None = getattr(page, "wait", None) or getattr(page, "resend_in", None)
    values = {"wait": "" if span is None else wait(span, locale), "least": getattr(page, "least", "")}
    return tuple((problem.field, gettext(problem.sentence) % values) for problem in problems)


@cache
def _environment(locale: str, overrides: Path | None, brand: Brand, base: str) -> Environment:
    environment = Compiler(
        loader=FileSystemLoader(template_dirs(overrides)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    catalogue = translations(locale, overrides)
    # newstyle: the sentence is the translator's markup, the values put into it are escaped.
    i18n: Any = environment
    i18n.install_gettext_translations(catalogue, newstyle=True)
    language, direction = html_language(locale)
    environment.known = {
        "lang": language,
        "direction": direction,
        "choices": [(name, own_name(name)) for name in languages(overrides)],
        "locale": locale,
        "brand": brand,
        "base": base,
    }
    environment.said = {
        "_": _sentences(catalogue),
        "asset": lambda name: _asset(name, overrides),
        "brand_version": _brand_version,
    }
    environment.words = catalogue.gettext
    environment.globals.update(
        environment.known,
        **environment.said,
        qr_svg=qr_svg,
        help_of=help_of,
        form_post_script=Markup(FORM_POST_SCRIPT),  # noqa: S704 - a constant
    )
    environment.filters.update(
        name=name_markup,
        plain=plain,
        wait=lambda span: wait(span, locale),
        lasting=lambda span: lasting(span, locale),
        moment=lambda at, zone=None: moment(at, locale, zone),
        relative=lambda at, now: relative(at, now=now, locale=locale),
        scope=lambda line: scope_sentence(line, catalogue.gettext),
        grouped=grouped,
        ending=ending,
        told=lambda line: told(line, locale),
        label=lambda line: plain(catalogue.gettext(line.label or FIELD_LABELS.get(line.name, line.name))),
        said=lambda text: said(text, catalogue, locale),
        titled=lambda title: plain(catalogue.gettext(title)) if title else "",
    )
    return environment


def _sentences(catalogue: NullTranslations) -> Callable[..., Markup]:
    """`_` of the templates: what the extension's own does in HTML, in a quarter of the time (it is most of a page)."""

    @cache
    def translated(sentence: str) -> Markup:
        return Markup(catalogue.gettext(sentence))  # noqa: S704 - the translator's markup, from our own catalogues

    def gettext(sentence: str, **values: object) -> Markup:
        return translated(sentence) % values

    return gettext


def plain(text: str) -> str:
    """Somebody's words without characters that are not seen but change how the rest is shown."""
    return _UNSEEN.sub("", text)


def name_markup(text: str) -> Markup:
    """Somebody's words as HTML, isolated from the direction of the text around them."""
    return Markup(f"<bdi>{escape(_level(plain(text)))}</bdi>")  # noqa: S704 - escaped right here


def _level(text: str) -> str:
    """The same without marks that are heaped upon a letter."""
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def scope_sentence(line: ScopeLine, gettext: Callable[[str], str]) -> str:
    """What a scope allows, as a person reads it. A catalogue may hold an operator's scope by its name."""
    return plain(gettext(line.title or SCOPE_SENTENCES.get(line.name, line.name)))


def said(text: str, catalogue: NullTranslations, locale: str) -> Markup:
    """A sentence to operators in this language; what is no `Sentence` is one of our marked ones, or said as it is."""
    if not isinstance(text, Sentence):
        return escape(plain(catalogue.gettext(text) if text else ""))
    values = {name: _put_in(value, catalogue, locale) for name, value in text.values.items()}
    return escape(said_in(catalogue, text)) % values


def _put_in(value: str | int, catalogue: NullTranslations, locale: str) -> Markup | int:
    if isinstance(value, Sentence):
        return said(value, catalogue, locale)
    if isinstance(value, Moment):
        return escape(moment(value.at, locale))
    return value if isinstance(value, int) else name_markup(value)


def told(line: DetailLine, locale: str) -> str:
    """The value of a field as the language writes it."""
    match line.value:
        case Money(amount, currency):
            return money(amount, currency, locale)
        case date():
            return day(line.value, locale)
        case int():
            return number(line.value, locale)
        case str():
            return grouped(line.value) if line.grouped else line.value


def ending(hint: str) -> str:
    """The digits of an authenticator's hint ("ending 88"): what is around them is said in the person's language."""
    return plain(hint.rpartition(" ")[2])


def grouped(key: str) -> str:
    """A key in groups of four, to be read and typed, however it was grouped before."""
    key = "".join(key.split())
    return " ".join(key[at : at + 4] for at in range(0, len(key), 4))


def qr_svg(uri: str) -> Markup:
    """A QR code as inline SVG, black on white in every colour scheme; needs no style and no data: URI."""
    code = segno.make(uri, error="m", micro=False)
    svg = code.svg_inline(svgclass=None, lineclass=None, border=4, omitsize=True, dark="#000", light="#fff")
    return Markup(svg)  # noqa: S704 - shapes only


@cache
def _asset(name: str, overrides: Path | None) -> str:
    """The path of a static file with a fingerprint, so that it can be cached for ever."""
    for directory in template_dirs(overrides):
        path = directory / "static" / name
        if path.is_file():
            return f"/static/{name}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    raise FileNotFoundError(f"no static file {name}")


@cache
def _brand_version(brand: Brand) -> str:
    return hashlib.sha256(brand_css(brand).encode()).hexdigest()[:12]
