"""Pages as HTML: what is said, what is escaped, what a form carries. No browser."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from jinja2 import UndefinedError

from idp.catalogue import templates_dir, translations
from idp.model import SECOND, SENT, TRAITS, Factor
from idp.web.pages import (
    FORM_POST_SCRIPT_HASH,
    PASSKEY_SCRIPT,
    Alternative,
    AuthenticatorRow,
    FormPost,
    Page,
    Problem,
    content_security_policy,
    render,
)
from idp.web.pages.console import Detail, Edit
from idp.web.pages.parts import SCOPE_SENTENCES
from idp.web.pages.registering import ClientForm
from tests.world.sentences import sentences
from tests.world.specimens import (
    BRAND,
    CODES,
    CONSENT,
    ENROL,
    FORM_POST,
    HOME,
    HOSTILE,
    KEY,
    OUTBOX,
    PAGES,
    SAVE,
    SIGN_IN,
    SMS,
    TOTP,
    TRANSFERS,
)

VOID = {"meta", "link", "input", "img", "br"}
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f]")


class Outline(HTMLParser):
    """What a test asks of a page: elements with their attributes, forms with their fields, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.forms: list[tuple[dict[str, str], list[dict[str, str]]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs), "an attribute stands twice"
        self.elements.append((tag, attributes))
        if tag == "form":
            self.forms.append((attributes, []))
        if tag in {"input", "button"} and "form" in self.open:
            self.forms[-1][1].append(attributes)
        if tag not in VOID and tag not in {"path", "rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and "textarea" not in self.open:  # what is typed there is the sender's own
            self.texts.append(" ".join(data.split()))

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def html(page: Page, **options: object) -> str:
    return render(page, **{"brand": BRAND, "csrf": lambda action: f"token for {action}", **options})  # type: ignore[arg-type]  # options of render by name


def outline(page: Page) -> Outline:
    return Outline(html(page))


def text(page: Page) -> str:
    return " ".join(outline(page).texts)


every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())


def test_every_template_is_a_page_with_a_specimen() -> None:
    written = {path.relative_to(templates_dir()).as_posix() for path in templates_dir().rglob("*.html")}
    parts = {"base.html", "parts.html"} | {
        f"admin/{name}.html" for name in ("client_fields", "fields", "frame", "parts")
    }
    assert {page.template for page in PAGES.values()} == {name for name in written - parts if "factors/" not in name}


def test_every_problem_is_shown_by_a_specimen() -> None:
    shown = {problem for page in PAGES.values() for problem in getattr(page, "problems", ())}
    assert {problem for problem in Problem if problem not in shown} == {
        Problem.NEW_PASSWORD_MISSING,
        Problem.PASSWORD_LONG,
        Problem.PASSWORD_UNREADABLE,
        Problem.PASSWORD_SAME,
    }


@every_page
def test_a_page_has_one_heading_a_title_and_references_that_lead_somewhere(page: Page) -> None:
    seen = outline(page)
    assert len(seen.all("h1")) == 1
    assert seen.all("html") == [{"lang": "en", "dir": "ltr"}]
    assert len(seen.ids) == len(set(seen.ids))
    wanted = [a["href"][1:] for a in seen.all("a") if a["href"].startswith("#")]
    for _, attributes in seen.elements:
        wanted += attributes.get("aria-describedby", "").split() + attributes.get("aria-labelledby", "").split()
        wanted += [attributes[name] for name in ("for", "form") if name in attributes]
    assert set(wanted) <= set(seen.ids)


@every_page
def test_every_form_posts_with_the_token_of_its_own_action(page: Page) -> None:
    for form, inputs in outline(page).forms:
        if form.get("role") == "search":
            assert form["method"] == "get"
            assert [field["name"] for field in inputs if "name" in field] == ["q"]
            continue
        query = page.query if isinstance(page, Detail) else None
        if query and not query.secret and form["action"] == query.action:
            # It changes nothing, and no token stands in an address.
            assert (form["method"], "csrf" in {field.get("name") for field in inputs}) == ("get", False)
            continue
        assert form["method"] == "post"
        tokens = [field["value"] for field in inputs if field.get("name") == "csrf"]
        assert tokens == ([] if isinstance(page, FormPost) else [f"token for {form['action']}"])


@every_page
def test_a_page_stands_under_its_policy(page: Page) -> None:
    seen = outline(page)
    assert not [attributes for _, attributes in seen.elements if "style" in attributes]
    assert not [name for _, attributes in seen.elements for name in attributes if name.startswith("on")]
    assert "data:" not in html(page).replace("-data:", "")
    # One in the page that sends itself; one file where a browser is asked for a passkey; none anywhere else.
    files = [str(one["src"]).partition("?")[0] for one in seen.all("script") if "src" in one]
    assert files == ([f"/static/{PASSKEY_SCRIPT}"] if getattr(page, "options", "") else [])
    assert len(seen.all("script")) - len(files) == isinstance(page, FormPost)
    assert not seen.all("style")


@every_page
def test_an_error_is_said_in_the_title_in_a_summary_and_at_the_field(page: Page) -> None:
    seen, problems = outline(page), getattr(page, "problems", ())
    refused = page.wrong if isinstance(page, Edit | ClientForm) else ()
    unanswered = isinstance(page, Detail) and page.query is not None and page.query.said
    wrong = bool(problems or refused or unanswered)
    assert html(page).count("<title>Error: ") == wrong
    assert [a.get("role") for a in seen.all("div")].count("alert") == wrong
    for field in ({problem.field for problem in problems} | {field for field, _ in refused}) - {"", None}:
        assert f"{field}-error" in seen.ids
        for box in (box for box in seen.all("input") if box.get("id") == field):
            assert box["aria-invalid"] == "true"
            assert f"{field}-error" in box["aria-describedby"].split()


def poisoned(value: object) -> object:
    """The same value with hostile words in every string that a person, a client or an operator's record could fill."""
    if isinstance(value, Factor) or (isinstance(value, str) and type(value) is not str):
        return value
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, tuple):
        return tuple(poisoned(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        named = [field.name for field in fields(value) if field.name not in {"key", "codes", "once"}]  # made by us
        return replace(value, **{name: poisoned(getattr(value, name)) for name in named})
    return value


@every_page
def test_hostile_words_in_any_field_stay_words(page: Page) -> None:
    bad = poisoned(page)
    shown = render(bad, brand=replace(BRAND, name=HOSTILE), csrf=lambda _: HOSTILE)  # type: ignore[arg-type]  # same type as page
    seen = Outline(shown)
    clean = outline(page)
    assert [tag for tag, _ in seen.elements if tag in {"script", "img"}] == [
        tag for tag, _ in clean.elements if tag in {"script", "img"}
    ]
    assert not [name for _, attributes in seen.elements for name in attributes if name.startswith("on")]
    visible = " ".join(seen.texts)
    assert "<script>alert(1)</script>" in visible
    assert "{{ 7*7 }}" in visible
    assert not BIDI.search(visible)


def test_the_password_is_never_given_back() -> None:
    for name in ("sign-in-wrong", "sign-in-wait", "password-wrong"):
        boxes = [box for box in outline(PAGES[name]).all("input") if box["type"] == "password"]
        assert boxes
        assert not [box for box in boxes if "value" in box]
    assert [b["value"] for b in outline(PAGES["sign-in-wrong"]).all("input") if b["name"] == "username"] == ["maria"]


def test_no_such_user_and_wrong_password_have_one_sentence() -> None:
    about_sign_in = {problem.sentence for problem in Problem if "username or" in problem.sentence.lower()}
    assert about_sign_in == {"The username or the password is not right"}


@pytest.mark.parametrize("name", ["sms", "totp-strong", "enrol"])
def test_a_code_has_one_field_that_takes_what_is_pasted(name: str) -> None:
    (box,) = [box for box in outline(PAGES[name]).all("input") if box["name"] == "code"]
    assert (box["type"], box["inputmode"], box["autocomplete"]) == ("text", "numeric", "one-time-code")
    assert not {"maxlength", "pattern", "minlength"} & set(box)


def test_browsers_may_fill_in_names_and_passwords() -> None:
    def hints(page: Page) -> dict[str, str]:
        return {box["name"]: box["autocomplete"] for box in outline(page).all("input") if "autocomplete" in box}

    assert hints(SIGN_IN) == {"username": "username", "password": "current-password"}
    assert hints(PAGES["password"]) == {"username": "username", "password": "new-password", "repeat": "new-password"}


def test_a_page_says_what_is_asked_why_until_when_and_how_many_tries_remain() -> None:
    assert "The code is not right" in text(PAGES["sms-wrong"])
    assert "It works for 50 seconds." in text(PAGES["sms-wrong"])
    assert "You have 1 try left." in text(PAGES["sms-wrong"])
    said = text(SMS)
    assert "signing in to Acme Bank" in said.replace(" .", ".")
    assert "ending 88" in said
    assert "ending ending" not in said
    assert "It works for 5 minutes." in said
    assert "You have 3 tries left." in said
    assert "You can ask for another code in 45 seconds." in said
    assert "Never tell anyone this code." in said
    assert "Acme Bank needs this for: Make transfers" in text(TOTP)


def test_a_dead_code_has_no_field_for_another_try() -> None:
    for name in ("sms-dead", "sms-expired", "sms-none-yet"):
        assert "code" not in [box.get("name") for box in outline(PAGES[name]).all("input")]


def test_a_text_message_is_asked_for_by_post_only_and_only_when_it_is_possible() -> None:
    actions = [form["action"] for form, _ in outline(SMS).forms]
    assert SMS.resend not in actions
    assert SMS.resend not in [link["href"] for link in outline(PAGES["sms-delivered"]).all("a")]
    assert SMS.resend in [form["action"] for form, _ in outline(PAGES["sms-delivered"]).forms]


def test_a_text_message_is_not_offered_where_only_the_app_will_do() -> None:
    ways = (Alternative(Factor.SMS, "/i/1?factor=sms"), Alternative(Factor.RECOVERY, "/i/1?factor=recovery"))
    assert "factor=sms" not in html(replace(TOTP, alternatives=ways))
    assert "factor=recovery" in html(replace(TOTP, alternatives=ways))
    assert "factor=sms" in html(replace(TOTP, strong=False, alternatives=ways))


def test_who_has_lost_the_app_reads_what_works_and_what_does_not() -> None:
    said = text(TOTP)
    assert "You can still sign in with a code by text message." in said
    assert "this works again in 24 hours." in said
    assert "this works again" not in text(replace(TOTP, hold=None))
    assert "still sign in" not in text(replace(TOTP, has_phone=False))


@pytest.mark.parametrize(
    "page", [SIGN_IN, SMS, TOTP, PAGES["recovery"], PAGES["select"]], ids=lambda page: page.template
)
def test_cancel_is_a_form_of_its_own_that_carries_nothing_typed(page: Page) -> None:
    seen = outline(page)
    (button,) = [button for button in seen.all("button") if button.get("name") == "cancel"]
    (form,) = [(form, inputs) for form, inputs in seen.forms if form.get("id") == button["form"]]
    assert form[0]["action"] == "/i/1/cancel"
    assert [box["name"] for box in form[1]] == ["csrf"]


def test_the_first_button_of_a_form_is_the_one_that_enter_presses() -> None:
    assert [
        b["value"] for _, inputs in outline(PAGES["consent"]).forms for b in inputs if b.get("name") == "decision"
    ] == [
        "allow",
        "deny",
    ]


def test_consent_names_the_client_its_host_and_every_scope() -> None:
    said = text(PAGES["consent"])
    for words in ("Acme Bank", "bank.acme.example", "Make transfers", "Apply for a loan in your name", "New"):
        assert words in said
    assert "each time with your authenticator app" in said
    assert "unless you did so in the last 8 hours" in said
    boxes = [box for box in outline(PAGES["consent"]).all("input") if box.get("name") == "scope"]
    assert [(box["value"], "checked" in box) for box in boxes] == [("email", True), ("loans:apply", False)]


def test_a_scope_nobody_described_is_shown_by_its_name() -> None:
    assert "notes:read" not in SCOPE_SENTENCES
    page = replace(PAGES["consent-plain"], scopes=(replace(PAGES["consent-plain"].scopes[0], name="notes:read"),))  # type: ignore[type-var,attr-defined]  # a Consent
    assert "notes:read" in text(page)


def test_the_seed_is_shown_as_a_picture_and_in_groups_of_four() -> None:
    fours = "".join(f"<span>{group}</span>" for group in ("JBSW", "Y3DP", "EHPK", "3PXP"))
    shown = html(ENROL)
    assert fours in shown
    assert "<svg" in shown
    assert shown.count("otpauth:") == 1, "the link that opens the app on this very device"
    assert fours in html(replace(ENROL, key="JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"))
    assert "24 hours" in text(ENROL)


def test_secrets_are_not_in_the_repr_of_a_page() -> None:
    for page in (ENROL, SAVE, FORM_POST, OUTBOX):
        for secret in (KEY, CODES[0], "SplxlOBeZQQYbYS6WxSbIA", "042917"):
            assert secret not in repr(page)


def test_form_post_carries_the_answer_and_nothing_of_ours() -> None:
    seen = outline(FORM_POST)
    ((form, inputs),) = seen.forms
    assert form["action"] == FORM_POST.redirect_uri
    sent = [(box["name"], box["value"]) for box in inputs if box.get("type") == "hidden"]
    assert sent == list(FORM_POST.fields)


def test_the_only_script_is_the_one_whose_hash_is_published() -> None:
    import base64
    import hashlib

    (script,) = re.findall(r"<script>(.*?)</script>", html(FORM_POST), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"sha256-{digest}" == FORM_POST_SCRIPT_HASH
    assert f"script-src '{FORM_POST_SCRIPT_HASH}'" in content_security_policy((), f"'{FORM_POST_SCRIPT_HASH}'")


def test_a_name_on_a_button_keeps_the_space_before_it() -> None:
    # A button is a flex box: text and an element side by side lose the space between them.
    assert "<span>Back to <bdi>Acme Bank</bdi></span>" in html(PAGES["logged-out"])


def test_links_that_are_not_set_are_not_shown() -> None:
    bare = replace(BRAND, help_url=None, privacy_url=None, logo_url=None)
    seen = Outline(html(SIGN_IN, brand=bare))
    assert not seen.all("footer")
    assert not seen.all("img")


def test_a_missing_value_raises_instead_of_leaving_a_gap(tmp_path: Path) -> None:
    (tmp_path / "message.html").write_text("{{ page.nothing_of_the_kind }}")
    with pytest.raises(UndefinedError):
        html(PAGES["message-bare"], overrides=tmp_path)


def test_an_operators_template_replaces_ours_by_name_and_may_extend_our_base(tmp_path: Path) -> None:
    (tmp_path / "message.html").write_text('{% extends "base.html" %}{% block content %}<h1>Hello</h1>{% endblock %}')
    assert "<h1>Hello</h1>" in html(PAGES["message-bare"], overrides=tmp_path)
    assert "<h1>Hello</h1>" not in html(PAGES["message-bare"])
    assert "Sign in" in html(SIGN_IN, overrides=tmp_path)


def test_static_files_change_their_address_with_their_content(tmp_path: Path) -> None:
    def address(shown: str) -> str:
        return next(link["href"] for link in Outline(shown).all("link") if "stile.css" in link["href"])

    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "stile.css").write_text("body{}")
    assert address(html(SIGN_IN)) != address(html(SIGN_IN, overrides=tmp_path))
    assert address(html(SIGN_IN, base="/id")) == "/id" + address(html(SIGN_IN))


# Languages


def _catalogue(directory: Path, locale: str) -> None:
    """A language in which every sentence stands in angle quotes, so that an untranslated one is seen."""
    catalogue = Catalog(locale=locale)
    for message in sentences():
        catalogue.add(message, f"«{message}»" if isinstance(message, str) else tuple(f"«{part}»" for part in message))
    target = directory / "locale" / locale / "LC_MESSAGES" / "stile.mo"
    target.parent.mkdir(parents=True)
    with target.open("wb") as file:
        write_mo(file, catalogue)


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("catalogue")
    _catalogue(directory, "de")
    return directory


def _spoken(value: object) -> Iterator[str]:
    """Every string of a page value that may stand on the page as it is."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _spoken(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _spoken(getattr(value, field.name))


@every_page
def test_every_sentence_goes_through_gettext(page: Page, german: Path) -> None:
    shown = render(page, brand=BRAND, csrf=lambda _: "t", locale="de", overrides=german)
    shown = re.sub(
        r"<(select|script|time|bdi|code|pre|textarea|text)\b.*?</\1>",
        "",
        shown,
        flags=re.DOTALL,
    )
    outside = re.sub(r"<[^>]+>", "", shown.partition("<body")[2].partition(">")[2])
    while "«" in outside and (rest := re.sub(r"«[^«»]*»", "", outside)) != outside:
        outside = rest
    assert [word for word in re.findall(r"\w+", outside) if not word.isdecimal()] == []
    title = re.search("<title>(.*?) \N{EN DASH} Acme ID</title>", shown, re.DOTALL)
    assert title
    if not isinstance(page, Detail) or page.ours:  # of one thing it is its name
        assert re.fullmatch(r"(«Error:» )?«.*»", title[1])


def test_dates_are_written_in_the_persons_language_and_say_their_zone(german: Path) -> None:
    shown = render(HOME, brand=BRAND, csrf=lambda _: "t", locale="de", overrides=german)
    assert "23.11.2026, 12:05 EET" in shown
    assert "vor 5 Minuten" in shown
    assert "23 Nov 2026, 12:05 EET (in 14 hours)" in " ".join(Outline(html(HOME)).texts)


def test_the_language_chooser_offers_every_language_by_its_own_name(german: Path) -> None:
    assert "/language" not in html(SIGN_IN)
    seen = Outline(html(SIGN_IN, here="/i/1", overrides=german, base="/id"))
    form, inputs = seen.forms[-1]
    assert form["action"] == "/id/language"
    assert {box.get("name"): box.get("value") for box in inputs if "name" in box} == {
        "csrf": "token for /id/language",
        "here": "/i/1",
    }
    options = [(option["value"], option["lang"], "selected" in option) for option in seen.all("option")]
    assert options == [(tag, tag, tag == "en") for tag in ("en", "de", "es", "et")]
    assert {"English", "Deutsch", "Español", "Eesti"} <= set(seen.texts)


def test_a_language_that_is_not_shipped_is_english(german: Path) -> None:
    assert render(SIGN_IN, brand=BRAND, csrf=lambda _: "t", locale="../../etc", overrides=german) == html(
        SIGN_IN, csrf=lambda _: "t", overrides=german
    )


def test_a_sentence_missing_in_a_catalogue_is_english(tmp_path: Path) -> None:
    catalogue = Catalog(locale="fr")
    catalogue.add("Cancel", "Annuler")
    target = tmp_path / "locale" / "fr" / "LC_MESSAGES" / "stile.mo"
    target.parent.mkdir(parents=True)
    with target.open("wb") as file:
        write_mo(file, catalogue)
    assert translations("fr", tmp_path).gettext("Sign in") == "Sign in"
    said = Outline(html(SIGN_IN, locale="fr", overrides=tmp_path)).texts
    assert "Annuler" in said
    assert "Sign in" in said


def test_what_is_asked_every_time_is_not_said_to_be_withdrawable() -> None:
    remembered = "You can withdraw this at any time"
    assert remembered in html(CONSENT)
    assert remembered not in html(replace(CONSENT, scopes=(TRANSFERS,)))


@pytest.mark.parametrize("factor", SECOND)
def test_every_second_factor_has_its_words_on_the_pages_that_list_it(factor: Factor) -> None:
    way = Alternative(factor, "/there", hint="a•••@example.com")
    ways = (way, replace(way, send="/send")) if factor in SENT else (way,)
    assert html(replace(SMS, alternatives=ways)).count('action="/send"') == len(ways) - 1
    row = AuthenticatorRow(factor=factor, hint="ending 88", change="/change" if TRAITS[factor].enrolled else None)
    assert html(replace(HOME, authenticators=(row,))).count('href="/change"') == TRAITS[factor].enrolled
