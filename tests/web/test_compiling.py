"""What is put into a template when it is compiled changes no page: it comes out as jinja2 alone would have it."""

from collections.abc import Callable
from typing import Any

import pytest
from jinja2 import DictLoader, Environment, StrictUndefined, UndefinedError
from markupsafe import Markup

from idp.web.pages import Brand, Page, render
from idp.web.pages.compiling import Compiler
from idp.web.pages.render import _environment
from tests.world.specimens import PAGES

PARTS = """
{% macro token(action) %}<i>{{ csrf(action) if csrf is defined else action }}</i>{% endmacro %}
{% macro errors(problems, id) %}
{% for field, text in problems if field == id %}{% if loop.first %}!{% endif %}{{ text }}{% endfor %}
{% endmacro %}
{% macro field(id, label, problems, hint="", wide=false) %}
{% set wrong = problems|selectattr(0, "equalto", id)|list|length > 0 %}
<p id="{{ id }}"{% if wide %} class="wide"{% elif wrong %} class="wrong"{% else %} class="plain"{% endif %}>{{ label }}
{% if hint %}{{ hint }}{% endif %}{{ errors(problems, id) }}{{ token(id) }}</p>
{% endmacro %}
{% macro twice(text, id) %}{{ field(id, text, [], hint=field(id, text, [])) }}{% endmacro %}
{% macro around(id) %}[{{ caller() }}{{ id }}]{% endmacro %}
"""
FIELD = '{% from "parts" import field %}'
TEMPLATES = {
    "calls": FIELD + '{{ field("a", page.label, page.problems) }}{{ field("b", "<b>", page.problems, wide=true) }}',
    "calls in an expression": FIELD + '{{ field("a", page.label, [])|upper }}',
    "calls where it sets": FIELD + '{% set x %}{{ field("b", "c", []) }}{% endset %}{{ x }}',
    "calls a part that calls others in an expression": '{% from "parts" import twice %}{{ twice(page.label, "z") }}',
    "calls with names of its own": FIELD
    + '{% set label = "mine" %}{{ field(label, page.label, page.problems) }}{{ label }}',
    "has a macro of the same name": FIELD
    + '{% macro token(x) %}own{% endmacro %}{{ field("a", "b", []) }}{{ token(1) }}',
    "has another name for a part": '{% from "parts" import field as f %}{{ f("a", "b", page.problems) }}',
    "calls with a block": '{% from "parts" import around %}{% call around("x") %}inside{% endcall %}',
    "calls with too little": FIELD + '{{ field("a", "b") }}',
    "says": '{{ _("Hello") }} {{ _("Hello %(name)s!", name=page.label) }} {{ _("%(a)s%% of %(b)s", a=1, b=none) }}',
    "says what is not given": '{{ _("Hello %(name)s!", nome=page.label) }}',
    "asks for the brand": '{{ brand.name }}{% if brand.url %}<a href="{{ brand.url }}">'
    "{% elif page.label %}no{% endif %}{{ version(brand) }}",
    "has another brand": '{% set brand = page %}{{ brand.label }}{% for lang in ["x"] %}{{ lang }}{% endfor %}',
    "lists": "{% for value, own in choices %}{{ value }}{% if value == lang %}*{% endif %}{{ own }},{% endfor %}",
    "counts what it lists": "{% for value, own in choices %}{{ loop.index }}{{ own }}{% else %}none{% endfor %}",
    "extends": '{% extends "says" %}',
}


class Person:
    label = Markup("<u>you</u>") + "<script>"
    problems = (("a", "wrong <i>"), ("a", "very"), ("b", "also"))


class Firm:
    name = "Tom & Jerry"
    url = None


def environment(kind: type[Environment]) -> Environment:
    def said(sentence: str, **values: object) -> Markup:
        return Markup(sentence.replace("Hello", "<em>Tere</em>")) % values  # noqa: S704 - ours

    made = kind(loader=DictLoader(TEMPLATES | {"parts": PARTS}), autoescape=True, undefined=StrictUndefined)
    known = {"brand": Firm(), "lang": "et", "choices": [("en", "English"), ("et", "<Eesti>")]}
    said_by: dict[str, Callable[..., Any]] = {"_": said, "version": lambda brand: brand.name.upper()}
    if isinstance(made, Compiler):
        made.known, made.said, made.words = known, said_by, lambda sentence: sentence.replace("Hello", "<em>Tere</em>")
    made.globals.update(known, **said_by)
    return made


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_means_what_it_says(name: str) -> None:
    def shown(kind: type[Environment]) -> Any:
        try:
            return environment(kind).get_template(name).render(page=Person())
        except (TypeError, KeyError, UndefinedError) as error:
            return type(error)

    assert shown(Compiler) == shown(Environment)


def test_every_page_is_what_its_template_says(monkeypatch: pytest.MonkeyPatch) -> None:
    brand = Brand(name="Tom & Jerry", help_url="https://help.example/?a=1&b=2", privacy_url="https://privacy.example")

    def shown(page: Page) -> str:
        return render(page, brand=brand, csrf=lambda a: f"<{a}>", locale="et", base="/auth", here="/i/1")

    compiled = {name: shown(page) for name, page in PAGES.items()}
    monkeypatch.setitem(_environment.__wrapped__.__globals__, "Compiler", Environment)
    _environment.cache_clear()
    try:
        assert {name: shown(page) for name, page in PAGES.items()} == compiled
    finally:
        _environment.cache_clear()
