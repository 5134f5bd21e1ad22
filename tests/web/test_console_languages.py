"""What the console says of a change, in the language of who looks; commands and the API go on in English."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import idp
from idp.catalogue import translations
from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import find_user
from idp.flows.operate.leaving import remove_person
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.policies import policy_text, try_policy
from idp.sentences import Sentence, either, listed, minute, plural, read, sentence, written
from idp.spending import Rule, denies
from idp.web.console.words import CHECKED
from idp.web.pages.render import said
from tests.world.console import opened, page_of, signed_in, text_of
from tests.world.provider import Browser, Provider
from tests.world.sentences import in_english

SPOKEN = ["es", "et"]


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, an administrator's."""
    return await signed_in(provider)


async def _send(provider: Provider, browser: Browser, path: str, typed: dict[str, str]) -> str:
    await opened(provider, browser, path)
    fields: dict[str, Any] = {**typed}
    return text_of(await browser.submit(path, **fields))


async def _speak(provider: Provider, language: str) -> None:
    await edit_person(provider.idp, "ada", {"locale": language})


def _said(language: str, text: str) -> str:
    return text_of(str(said(text, translations(language), language)))


@pytest.mark.parametrize("language", SPOKEN)
async def test_what_follows_is_said_in_the_language_of_who_looks(
    provider: Provider, browser: Browser, language: str
) -> None:
    path = await page_of(provider, "bob")
    would = await edit_person(provider.idp, "bob", {"username": "robert", "groups": ["desk"]}, dry_run=True)
    assert len(would.consequences) > 2
    await _speak(provider, language)
    page = await _send(provider, browser, f"{path}/edit", {"username": "robert"})
    assert _said(language, would.consequences[0]) in page
    page = await _send(provider, browser, f"{path}/groups", {"group-desk": "on"})
    for each in would.consequences[1:]:
        assert isinstance(each, Sentence)
        assert _said(language, each) in page
        assert each not in page
    page = text_of(await opened(provider, browser, f"{path}/remove"))
    for each in (await remove_person(provider.idp, "robert", dry_run=True)).consequences:
        assert _said(language, each) in page
        assert each not in page


@pytest.mark.parametrize("language", SPOKEN)
@pytest.mark.parametrize(
    ("change", "typed", "problem"),
    [
        ("edit", {"username": "a b"}, "A username has no spaces and no control characters."),
        ("edit", {"username": "alice"}, "A user named 'alice' exists already."),
        ("edit", {"email": "nowhere"}, "The e-mail address cannot be used: it must look like ada@example.com."),
        ("recover", {"reason": " "}, "The reason has 1 to 200 printable characters."),
    ],
)
async def test_a_refusal_is_said_in_the_language_of_who_typed(
    provider: Provider, browser: Browser, language: str, change: str, typed: dict[str, str], problem: str
) -> None:
    path = f"{await page_of(provider, 'bob')}/{change}"
    assert problem in await _send(provider, browser, path, typed)
    await _speak(provider, language)
    page = await _send(provider, browser, path, typed)
    assert problem not in page
    assert (await find_user(provider.idp, "bob")).account.username == "bob"


async def test_a_command_is_named_at_a_shell_and_by_nobody_else(provider: Provider, browser: Browser) -> None:
    page = await _send(provider, browser, "/admin/people/invite", {"username": "bob"})
    assert "`idp" not in page
    assert "their page gives them a link" in page


async def test_what_follows_for_an_application_is_said_in_every_language(provider: Provider) -> None:
    would = await edit_client(
        provider.idp, "bank", {"name": "Bank of Ada", "groups": [], "rotate_refresh": False}, dry_run=True
    )
    assert would.consequences[-1] == "People see the name 'Bank of Ada'; what they agreed to stays."
    for each in would.consequences:
        assert isinstance(each, Sentence)
        assert len({each, *(_said(language, each) for language in SPOKEN)}) == 3
    with pytest.raises(NotAcceptable) as refused:
        await edit_client(provider.idp, "bank", {"redirect_uris": ("http://evil.example/#x",), "scopes": ("what",)})
    assert len(refused.value.problems) == 2
    for problem in refused.value.problems:
        assert len({_said(language, problem) for language in ("en", *SPOKEN)}) == 3


def _calls(path: Path, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def _words(node: ast.AST) -> list[str]:
    """What is written into the sources in English."""
    texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return [text for text in texts if re.search(r"[a-z]{2}", text)]


def test_what_a_checkup_looks_at_has_a_name_in_every_language() -> None:
    # mypy refuses a finding that is no sentence, and a sentence without translation is red in tests/test_languages.py.
    flows = [*Path(idp.__path__[0], "flows").rglob("*.py"), Path(idp.__path__[0], "cli", "checkup.py")]
    named = {text for path in flows for call in _calls(path, "Finding") for text in _words(call.args[0])}
    assert {*named, "database", "issuer"} == CHECKED.keys(), "the last two are also what is given up"


@pytest.mark.parametrize("room", ["flows", "policy"])
def test_nothing_that_is_written_in_english_is_passed_as_somebody_elses_words(room: str) -> None:
    found = [
        (path.name, call.lineno, words)
        for path in Path(idp.__path__[0], room).rglob("*.py")
        for call in _calls(path, "as_it_is")
        if (words := _words(call))
    ]
    assert found == []


def test_a_mistake_of_a_policy_is_a_sentence() -> None:
    # What is given to `wrong` and `located` has to be one, says mypy; this is of what is written down directly.
    inside = Path(idp.__path__[0])
    found = [
        (path.name, node.lineno)
        for path in (*(inside / "policy").glob("*.py"), inside / "flows/rules.py", inside / "flows/operate/policies.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("SettingsError", "problems.append"))
        for each in ast.walk(node)
        if isinstance(each, ast.JoinedStr) and any(" " in text for text in _words(each))
    ]
    assert found == []


_WRONG = """
levels = 3
[scopes]
"a b" = { level = "what", ttl = "1000d" }
[groups]
office = { level = "two_factor", role = "boss" }
[sessions]
idle = "1s"
life = "999d"
[limits]
sms_pace = { base = "25m" }
[challenge]
attempts = 4
[notices]
texts = "all"
[sites]
"A" = { fresh = "always" }
[details]
pay = { level = "strong", under = [3], fields = { a = { kind = "x", most = "y" } } }
[what]
"""


@pytest.mark.parametrize("language", SPOKEN)
@pytest.mark.parametrize(
    "text",
    [_WRONG, "not = toml = at all", "a" + ".a" * 400, 'interaction = { ttl = "2h" }'],
    ids=["all", "toml", "dots", "span"],
)
async def test_what_a_text_of_a_policy_would_do_is_said_in_every_language(
    provider: Provider, browser: Browser, language: str, text: str
) -> None:
    tried = await try_policy(provider.idp, text)
    assert tried.problems
    await _speak(provider, language)
    await opened(provider, browser, "/admin/policy/try")
    page = (await browser.submit("/admin/policy/try", text=text)).text
    assert in_english(page.replace("policy/try", ""), language) == set()
    for problem in tried.problems:
        assert _said(language, problem) in text_of(page)
        assert problem not in text_of(page)


async def test_a_span_that_another_text_changes_is_said_in_the_language_of_who_looks(
    provider: Provider, browser: Browser
) -> None:
    await _speak(provider, "et")
    text = (await policy_text(provider.idp)).text.replace('= "60m"', '= "90m"', 1)
    page = await _send(provider, browser, "/admin/policy/try", {"text": text})
    assert ": 1 tund → 90 minutit" in page


@pytest.mark.parametrize("language", SPOKEN)
async def test_what_the_rules_of_spending_say_has_no_english_left(
    provider: Provider, browser: Browser, language: str
) -> None:
    await _speak(provider, language)
    page = (await browser.get("/admin/messages/spending")).text
    assert in_english(page, language) == set()
    for rule in Rule:
        assert _said(language, denies(provider.idp.spending, rule)) in text_of(page)
    for phone in ("+37256789012", "+12025550123", "+999"):
        await opened(provider, browser, "/admin/messages/number")
        page = (await browser.submit("/admin/messages/number", phone=phone)).text
        assert in_english(page, language) == set()


@pytest.mark.parametrize("language", SPOKEN)
async def test_a_checkup_has_no_english_left(provider: Provider, browser: Browser, language: str) -> None:
    await _speak(provider, language)
    for path in ("/admin", "/admin/doctor"):
        assert in_english((await browser.get(path)).text, language) == set()


def test_a_sentence_is_its_english_and_survives_an_address() -> None:
    all_of_them = (
        sentence("They may use %(client)s.", client="<b>%(x)s 100 %"),
        sentence("The phone number cannot be used: %(why)s.", why=listed([sentence("it repeats itself"), "x", "y"])),
        sentence("%(who)s is here", who=either(["a", "b", "c"])),
        plural("They are signed out of %(num)s browser.", "They are signed out of %(num)s browsers.", 1),
        plural("They are signed out of %(num)s browser.", "They are signed out of %(num)s browsers.", 5),
        sentence("It was last used %(when)s.", when=minute(datetime(2026, 1, 15, 12, 4, 30, tzinfo=UTC))),
        "as it is, 100 %",
    )
    assert [str(each) for each in all_of_them] == [
        "They may use <b>%(x)s 100 %.",
        "The phone number cannot be used: it repeats itself, x, y.",
        "a or b or c is here",
        "They are signed out of 1 browser.",
        "They are signed out of 5 browsers.",
        "It was last used 2026-01-15 12:04 UTC.",
        "as it is, 100 %",
    ]
    for each in all_of_them:
        again = read(json.loads(json.dumps(written(each))))
        assert again == each
        assert isinstance(again, str)
        assert _said("es", again) == _said("es", each)
    assert "&lt;b&gt;" in said(all_of_them[0], translations("et"), "et")
    assert "5 navegadores" in _said("es", all_of_them[4])
    assert "15 ene 2026, 12:04 UTC" in _said("es", all_of_them[5])


async def test_without_a_language_of_theirs_it_is_english(provider: Provider, browser: Browser) -> None:
    page = await _send(provider, browser, f"{await page_of(provider, 'bob')}/edit", {"username": "robert"})
    assert "They sign in as robert from now on" in page
