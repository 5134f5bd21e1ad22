"""Which languages there are, which one is chosen, and what becomes of a catalogue that is not right."""

from pathlib import Path

import pytest

from idp import catalogue
from idp.catalogue import accepted_languages, choose_language


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
        (path / "stile.mo").write_bytes(b"")
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
