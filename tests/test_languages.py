"""The languages we ship: nothing missing or broken, no English left, and no sentence that cannot be translated."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from jinja2 import Environment, nodes

from idp.catalogue import languages, mistakes, read, templates_dir, translations, untranslated, values_in
from idp.formats import money
from idp.model import Notice
from idp.sms.notices import Circumstances, Ways, notice_mail, notice_text
from idp.sms.text import ONE_PART, approval_text, code_text, gsm7_septets
from idp.web.pages import Activity, Done, Outcome, Page, Problem, Trouble, render
from idp.web.pages.parts import SCOPE_SENTENCES
from tests.world.cost import in_passwords
from tests.world.sentences import brought_up_to_date, in_english, sentences, shipped
from tests.world.specimens import BRAND, PAGES

OURS = [path.parents[1].name for path in shipped()]
TEMPLATES = sorted(templates_dir().glob("*.html"))
each_language = pytest.mark.parametrize("path", shipped(), ids=OURS)
each_spoken = pytest.mark.parametrize("language", ["en", *OURS])


def _messages(catalogue: Catalog) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Message]]:
    for message in catalogue:
        if message.id:
            said = message.string or ""
            ids = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            yield ids, (said,) if isinstance(said, str) else tuple(said), message


def test_spanish_and_estonian_are_shipped_and_nothing_compiled_is() -> None:
    assert languages() == ("en", "es", "et")
    assert list(templates_dir().rglob("*.mo")) == []


@each_language
def test_a_catalogue_holds_exactly_the_sentences_there_are(path: Path) -> None:
    # `make sentences` writes what is missing here
    assert path.read_text(encoding="utf-8") == brought_up_to_date(path)


@each_language
def test_every_sentence_is_translated_and_none_is_a_guess(path: Path) -> None:
    catalogue = read(path)
    assert [ids[0] for ids, said, _ in _messages(catalogue) if not all(said)] == []
    assert [ids[0] for ids, _, message in _messages(catalogue) if message.fuzzy] == []
    plurals = [len(said) for ids, said, _ in _messages(catalogue) if len(ids) > 1]
    assert set(plurals) == {catalogue.num_plurals}
    assert untranslated(path.parents[1].name, None) == set()
    same = {"Error:", "No"}  # in Spanish too
    assert [ids[0] for ids, said, _ in _messages(catalogue) if set(ids) & set(said) - same] == []


@each_language
def test_a_translation_has_the_values_and_the_markup_of_its_sentence(path: Path) -> None:
    markup = re.compile(r"</?\w+>")
    for ids, said, _ in _messages(read(path)):
        for text in said:
            assert values_in(text) == values_in(ids[-1]), text
            assert sorted(markup.findall(text)) == sorted(markup.findall(ids[-1])), text
            assert text == text.strip(), text
            # A label stays a label, a sentence a sentence.
            assert text[-1] == ids[-1][-1] or {text[-1], ids[-1][-1]}.isdisjoint(".:?"), text
    assert list(mistakes(None)) == []


@each_language
def test_one_thing_has_one_name(path: Path) -> None:
    terms = {
        "es": {
            "authenticator app": "aplicación",
            "recovery code": "recuperación",
            "text message": "texto",
            "password": "contraseña",
            "sensitive action": "sensible",
        },
        "et": {
            "authenticator app": "rakendus",
            "recovery code": "taastekood",
            "text message": "sms",
            "password": "parool",
            "sensitive action": "tundlik",
        },
    }[path.parents[1].name]
    for ids, said, _ in _messages(read(path)):
        for term, word in terms.items():
            if term in ids[0].lower():
                assert word in said[0].lower(), said[0]


def test_spanish_says_usted_and_no_countrys_own_words() -> None:
    [path] = [path for path in shipped() if path.parents[1].name == "es"]
    familiar = re.compile(
        r"\b(tú|tus?|te|ti|contigo|vos|vosotros|puedes|tienes|ingresa|elige|ordenador|celular|móvil)\b"
    )
    assert [text for _, said, _ in _messages(read(path)) for text in said if familiar.search(text.lower())] == []


def test_estonian_says_teie_but_to_a_button() -> None:
    [path] = [path for path in shipped() if path.parents[1].name == "et"]
    familiar = re.compile(r"\b(sina|sa|sinu|su|sind|sul|sulle|sinult|oled|saad|pead)\b")
    assert [text for _, said, _ in _messages(read(path)) for text in said if familiar.search(text.lower())] == []


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _strings(item)


@pytest.mark.parametrize("kind", [Activity, Done, Outcome, Problem, Trouble])
def test_every_sentence_of_our_pages_in_python_is_marked(kind: type[Enum]) -> None:
    fields = {problem.field for problem in Problem}
    told = {text for member in kind for text in _strings(member.value)} - fields
    assert told - set(sentences()) == set()
    assert set(SCOPE_SENTENCES.values()) - set(sentences()) == set()


class _Bare(HTMLParser):
    """Words that a template says itself."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self._judge(data)

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"alt", "title", "placeholder", "label", "aria-label", "aria-description"}:
                self._judge(value or "")

    def _judge(self, text: str) -> None:
        if re.search(r"[^\W\d_]{2}", text):
            self.found.append(" ".join(text.split()))


def _bare(source: str) -> list[str]:
    """Words of a template outside gettext: in its text, in attributes that are read out, and as bare strings."""
    # The name of a class, and attributes that a macro writes into somebody's element.
    source = re.sub(r"\{% block layout %\}\w+\{% endblock %\}", "", source)
    environment = Environment(extensions=["jinja2.ext.i18n"])  # noqa: S701 - nothing is rendered
    html = "".join(
        {"data": value, "variable_begin": "\N{MIDDLE DOT}"}.get(kind, "") for _, kind, value in environment.lex(source)
    )
    found = _Bare(re.sub(r'(?<=\s)aria-(describedby|invalid)="[^"]*"', "", html)).found
    for output in environment.parse(source).find_all(nodes.Output):
        for node in output.nodes:
            found += [text for text in _constants(node) if re.search(r"[^\W\d_]{2}", text)]
    return found


def _constants(node: nodes.Expr) -> Iterator[str]:
    match node:
        case nodes.Const(value=str() as text):
            yield text
        case nodes.CondExpr(expr1=one, expr2=other):
            yield from _constants(one)
            if other is not None:
                yield from _constants(other)
        case nodes.Concat(nodes=parts):
            for part in parts:
                yield from _constants(part)


@pytest.mark.parametrize("path", TEMPLATES, ids=[path.stem for path in TEMPLATES])
def test_a_template_says_nothing_that_cannot_be_translated(path: Path) -> None:
    assert _bare(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<p>Sign in</p>", ["Sign in"]),
        ('<p>{{ _("Sign in") }} now</p>', ["\N{MIDDLE DOT} now"]),
        ('<img alt="Our logo" src="{{ x }}">', ["Our logo"]),
        ('<nav aria-label="Pages"><a href="/x" class="a b">{{ _("x") }}</a></nav>', ["Pages"]),
        ('{{ "Yes" if x else "No" }}', ["Yes", "No"]),
        ('<p>{{ _("a") ~ " and " ~ b }}</p>', [" and "]),
        (
            '{% block layout %}wide{% endblock %}{% if x %}Perhaps{% endif %}<p class="{{ x }}">{# no #}</p>',
            ["Perhaps"],
        ),
        ('{{ field("id", _("Label"), type="password") }} \N{EN DASH} <b>1</b>', []),
    ],
)
def test_bare_words_are_found_wherever_they_stand(source: str, words: list[str]) -> None:
    assert _bare(source) == words


@pytest.mark.parametrize("language", OURS)
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_no_page_has_english_left(page: Page, language: str) -> None:
    shown = render(page, brand=BRAND, csrf=lambda _: "t", locale=language, here="/i/1")
    assert in_english(shown, language) == set()


def test_english_that_is_left_would_be_seen() -> None:
    english = render(PAGES["sms-wrong"], brand=BRAND, csrf=lambda _: "t", locale="en")
    found = in_english(english.replace('lang="en"', 'lang="es"', 1), "es")
    assert {
        "Check your phone",
        "There is a problem",
        "Continue",
        "The code is not right",
        "Error: Check your phone",
    } & found
    assert "Acme ID" not in found


# Messages

HOST = "login.acme.example"
LONGEST_BRAND = "Caja Andina de Ahorros"  # 22, as long as a brand may be
BRANDS = ["Acme", LONGEST_BRAND]


def _speak(language: str) -> Any:
    return translations(language).gettext


@each_spoken
@pytest.mark.parametrize("brand", BRANDS)
def test_a_code_is_said_whole_in_one_part_in_every_language(language: str, brand: str) -> None:
    text = code_text(
        code="482913",
        brand=brand,
        host=HOST,
        ttl=timedelta(minutes=5),
        translate=_speak(language),
        locale=language,
    )
    septets = gsm7_septets(text)
    assert septets is not None
    assert septets <= ONE_PART
    assert text.startswith("482913 ")
    assert text.endswith(f"\n\n@{HOST} #482913")
    assert brand in text
    assert {"en": "5 minutes", "es": "5 minutos", "et": "5 minutit"}[language] in text
    assert {"en": "Never share it", "es": "No lo comparta", "et": "Ärge jagage seda"}[language] in text


@each_spoken
@pytest.mark.parametrize("brand", BRANDS)
def test_an_approval_is_said_whole_in_one_part_in_every_language(language: str, brand: str) -> None:
    amount = money(Decimal("9999999.99"), "EUR", language)
    text = approval_text(
        code="482913",
        amount=amount,
        payee="María Fernández Núñez y Cía",
        brand=brand,
        host=HOST,
        translate=_speak(language),
    )
    septets = gsm7_septets(text)
    assert septets is not None
    assert septets <= ONE_PART
    doubt = {"en": "Not you?", "es": "¿No es usted?", "et": "See pole teie?"}[language]
    for told in (amount, "Maria Fernandez Nuñez", brand, doubt):
        assert told in text


@each_spoken
@pytest.mark.parametrize(("notice", "brand"), list(product(Notice, BRANDS)))
def test_a_notice_is_said_whole_in_one_part_in_every_language(language: str, notice: Notice, brand: str) -> None:
    place = f"{HOST}/account"
    text = notice_text(notice, brand=brand, place=place, device="Firefox, Windows", translate=_speak(language))
    septets = gsm7_septets(text)
    assert septets is not None
    assert septets <= ONE_PART
    assert brand in text
    assert place in text
    assert {"en": "Not you?", "es": "¿No fue usted?", "et": "See polnud teie?"}[language] in text


def test_the_quotes_of_a_payees_language_become_plain_ones() -> None:
    payees = ["O\u00dc \u201eTamm\u201c", "\u201aTamm\u2018", "\u00abTamm\u00bb"]
    told = {"code": "482913", "amount": "EUR 1.00", "brand": "Acme", "host": HOST, "translate": _speak("et")}
    texts = [approval_text(payee=payee, **told) for payee in payees]
    assert [text.partition("saajale ")[2].partition(" (")[0] for text in texts] == ['OÜ "Tamm"', "'Tamm'", '"Tamm"']


def test_a_notice_by_mail_keeps_its_accents() -> None:
    text = notice_mail(
        Notice.TOTP_ADDED,
        brand="Acme",
        circumstances=Circumstances(datetime(2026, 1, 15, 12, tzinfo=UTC), "America/Lima", "Chrome, Linux"),
        ways=Ways(f"https://{HOST}/account"),
        translate=_speak("es"),
        locale="es",
    )
    happened, when, *_ = text.split("\n\n")
    assert happened == "Hay una nueva aplicación de autenticación en su cuenta Acme."
    assert when == "Cuándo: 15 ene 2026, 07:00 UTC-05\nNavegador: Chrome, Linux"


@pytest.mark.parametrize("language", OURS)
def test_every_text_falls_back_in_its_own_language_where_there_is_no_room(language: str) -> None:
    told = {"brand": "Acme", "host": "a" * 90 + ".example", "translate": _speak(language)}
    text = code_text(code="482913", ttl=timedelta(minutes=5), locale=language, **told)
    said = {
        "es": ("482913 es su codigo de Acme. No lo comparta.", "482913 autoriza EUR 1.00 a Ana."),
        "et": ("482913 on teie kood (Acme). Ärge jagage seda.", "482913 kinnitab makse EUR 1.00 saajale Ana."),
    }[language]
    assert text.startswith(f"{said[0]}\n\n@")
    text = approval_text(code="482913", amount="EUR 1.00", payee="Ana", **told)
    assert text.startswith(f"{said[1]}\n\n@")


# Cost


def test_the_first_sentence_in_a_language_costs_little_and_the_next_nothing() -> None:
    def first() -> None:
        translations.cache_clear()
        translations("es")

    assert in_passwords(first) < 2
    assert translations("es") is translations("es")
