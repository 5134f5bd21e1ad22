"""Which languages there are, which one is chosen, and what becomes of a catalogue that is not right."""

from pathlib import Path

import pytest
from babel.messages.mofile import write_mo

from idp import catalogue
from idp.catalogue import accepted_languages, choose_language, languages, mistakes, read, translations, untranslated

HEAD = 'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=(n != 1);\\nContent-Type: text/plain; charset=utf-8\\n"\n\n'


def put(directory: Path, locale: str, text: str, *, head: str = HEAD) -> Path:
    """A catalogue of an operator."""
    path = directory / "locale" / locale / "LC_MESSAGES" / "stile.po"
    path.parent.mkdir(parents=True)
    path.write_text(head + text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("de-CH, de;q=0.9, en;q=0.8, *;q=0.5", ("de-CH", "de", "en")),
        ("en;q=0.1, et", ("et", "en")),
        ("fr;q=0", ()),
        ("", ()),
        ("../../etc, de;q=x, \x00, é", ()),
        ("de" * 5000, ()),
    ],
)
def test_accept_language_is_read_best_first_and_nonsense_left_out(header: str, tags: tuple[str, ...]) -> None:
    assert accepted_languages(header) == tags


def test_the_first_wish_that_is_shipped_is_chosen(tmp_path: Path) -> None:
    for name in ("de", "pt_BR"):
        path = tmp_path / "locale" / name / "LC_MESSAGES"
        path.mkdir(parents=True)
        (path / "stile.po").write_bytes(b"")
    assert choose_language(["fr", "de-CH", "en"], overrides=tmp_path) == "de"
    assert choose_language(["pt-BR"], overrides=tmp_path) == "pt_BR"
    assert choose_language(["pt_br"], overrides=tmp_path) == "pt_BR"
    assert choose_language(["en-GB", "de"], overrides=tmp_path) == "en"
    assert choose_language(["../de", "xx"], overrides=tmp_path) == "en"
    assert choose_language([], overrides=tmp_path) == "en"


def test_an_installed_wheel_uses_the_templates_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_PACKAGE", tmp_path / "idp")
    assert catalogue.templates_dir.__wrapped__() == tmp_path / "templates"
    (tmp_path / "idp" / "_templates").mkdir(parents=True)
    assert catalogue.templates_dir.__wrapped__() == tmp_path / "idp" / "_templates"


def test_an_operators_sentence_stands_before_ours_and_ours_before_english(tmp_path: Path) -> None:
    put(tmp_path, "es", 'msgid "Sign in"\nmsgstr "Entrar"\n')
    said = translations("es", tmp_path).gettext
    assert said("Sign in") == "Entrar"
    assert said("Sign out") == "Cerrar sesión"
    assert said("Never heard of") == "Never heard of"
    assert translations("es").gettext("Sign in") == "Iniciar sesión"


def test_an_operator_may_say_english_in_other_words(tmp_path: Path) -> None:
    put(tmp_path, "en", 'msgid "loans:apply"\nmsgstr "Apply for a loan"\n')
    assert translations("en", tmp_path).gettext("loans:apply") == "Apply for a loan"
    assert translations("en", tmp_path).gettext("Sign in") == "Sign in"
    assert languages(tmp_path) == ("en", "es", "et")


def test_a_compiled_catalogue_does_as_well_and_its_source_is_read_first(tmp_path: Path) -> None:
    source = put(tmp_path, "fi", 'msgid "Sign in"\nmsgstr "Kirjaudu"\n')
    with source.with_suffix(".mo").open("wb") as file:
        write_mo(file, read(source))
    source.write_text(HEAD + 'msgid "Sign in"\nmsgstr "Sisään"\n')
    assert languages(tmp_path) == ("en", "es", "et", "fi")
    assert translations("fi", tmp_path).gettext("Sign in") == "Sisään"
    source.unlink()
    translations.cache_clear()
    assert translations("fi", tmp_path).gettext("Sign in") == "Kirjaudu"


def test_plural_forms_are_the_languages_own(tmp_path: Path) -> None:
    polish = HEAD.replace("nplurals=2; plural=(n != 1)", "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 ? 1 : 2)")
    put(
        tmp_path,
        "pl",
        'msgid "%(num)s left"\nmsgid_plural "%(num)s left"\n'
        'msgstr[0] "jeden"\nmsgstr[1] "%(num)s kody"\nmsgstr[2] "%(num)s kodów"\n',
        head=polish,
    )
    said = translations("pl", tmp_path).ngettext
    assert [said("%(num)s left", "%(num)s left", n) for n in (1, 3, 5)] == ["jeden", "%(num)s kody", "%(num)s kodów"]
    assert list(mistakes(tmp_path)) == []


@pytest.mark.parametrize(
    "text",
    [
        'msgid "It works for %(span)s."\nmsgstr "Sirve %(tiempo)s."\n',
        'msgid "It works for %(span)s."\nmsgstr "Sirve al 100 %."\n',
        'msgid "It works for %(span)s."\nmsgstr "Sirve %s."\n',
        'msgid "%(num)s left"\nmsgid_plural "%(num)s left"\nmsgstr[0] "uno"\nmsgstr[1] "%(otro)s"\n',
    ],
)
def test_a_value_that_a_sentence_has_not_costs_the_translation_and_never_the_page(tmp_path: Path, text: str) -> None:
    path = put(tmp_path, "fi", text)
    said = translations("fi", tmp_path)
    assert said.gettext("It works for %(span)s.") == "It works for %(span)s."
    assert said.ngettext("%(num)s left", "%(num)s left", 2) == "%(num)s left"
    [mistake] = mistakes(tmp_path)
    assert str(path) in mistake


@pytest.mark.parametrize("text", ["no catalogue at all", "msgid \\", ""])
def test_a_file_that_cannot_be_read_is_named_and_its_language_says_english(tmp_path: Path, text: str) -> None:
    path = put(tmp_path, "fi", text, head="")
    assert translations("fi", tmp_path).gettext("Sign in") == "Sign in"
    assert [str(path) in mistake for mistake in mistakes(tmp_path)] == ([True] if text else [])


def test_what_a_language_lacks_is_known(tmp_path: Path) -> None:
    put(tmp_path, "fi", 'msgid "Sign in"\nmsgstr "Kirjaudu"\n\n#, fuzzy\nmsgid "Sign out"\nmsgstr "Ulos"\n')
    lacking = untranslated("fi", tmp_path)
    assert "Sign out" in lacking
    assert "Sign in" not in lacking
    assert len(lacking) > 250
    assert untranslated("en", tmp_path) == untranslated("es", tmp_path) == set()
