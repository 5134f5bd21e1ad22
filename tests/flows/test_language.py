"""Which language people are spoken to in, on pages and in messages, over HTTP and into the gateway."""

import re
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from idp.crypto import KeyChain
from idp.flows import language as spoken
from idp.flows.idp import Visitor
from idp.flows.operate.people import freeze_user
from idp.model import Notice
from idp.sms.notices import notice_text
from idp.sms.text import gsm7_septets
from tests.world.account_pages import come_in, enrol, forged, prove_app
from tests.world.databases import empty
from tests.world.faces import face
from tests.world.provider import BANK_URI, PASSWORD, Browser, Provider, parameters
from tests.world.running import running, settings_for
from tests.world.sentences import in_english

SPANISH = {"accept-language": "es-MX,es;q=0.9,en;q=0.5"}
CARMEN_PHONE = "+37256789047"


def language(page: httpx.Response) -> str:
    found = re.search(r'<html lang="([^"]+)" dir="ltr">', page.text)
    assert found, page.text[:300]
    return found[1]


def in_spanish(page: httpx.Response) -> None:
    """The page is in Spanish, all of it."""
    assert language(page) == "es"
    assert in_english(page.text, "es") == set()


@pytest.fixture
async def carmen(provider: Provider) -> str:
    """Somebody who wants Spanish, whatever her browser says."""
    await provider.add_person("carmen", number=CARMEN_PHONE, app=True, codes=True, locale="es-CO", name="Carmen Ruiz")
    return "carmen"


def default_policy_text() -> str:
    return (files("idp") / "policy.toml").read_text(encoding="utf-8")


async def choose(provider: Provider, browser: Browser, chosen: str) -> None:
    page = browser.page
    assert page is not None
    answer = await browser.submit("/language", language=chosen)
    assert answer.status_code == 200
    assert answer.url.path == page.url.path


@pytest.mark.parametrize(
    ("ui_locales", "accepted", "shown"),
    [
        (None, "en", "en"),
        (None, "es", "es"),
        (None, "es-419", "es"),
        (None, "fr, es;q=0.5, en;q=0.1", "es"),
        (None, "fr", "en"),
        (None, "", "en"),
        ("es", "en", "es"),
        ("es-AR", "en", "es"),
        ("en es", "es", "en"),
        ("fr es en", "en", "es"),
        ("fr de", "es", "es"),
        ("et", "es", "et"),
        ("ru et-EE", "en", "et"),
        (None, "et-EE, et;q=0.9, en;q=0.5", "et"),
        ("xx ../../es", "en", "en"),
    ],
)
async def test_the_client_is_heard_before_the_browser(
    provider: Provider, ui_locales: str | None, accepted: str, shown: str
) -> None:
    browser = provider.browser(headers={"accept-language": accepted})
    page = await browser.get(provider.authorize_url(ui_locales=ui_locales))
    assert language(page) == shown


async def test_a_whole_sign_in_and_step_up_in_the_language_the_client_asked_for(provider: Provider) -> None:
    browser = provider.browser(headers={"accept-language": "en"})
    in_spanish(await browser.get(provider.authorize_url(ui_locales="es", scope="openid transfers:write")))
    page = await browser.submit("/password", username="alice", password="wrong")
    in_spanish(page)
    assert "El nombre de usuario o la contraseña no son correctos" in page.text
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    in_spanish(page)
    assert "Confirme con su aplicación de autenticación" in page.text
    page = await browser.submit("/totp", code="12")
    in_spanish(page)
    assert "Hacer transferencias" in page.text
    assert parameters(await browser.submit("/totp", code=provider.totp()))["code"]


async def test_a_text_message_speaks_the_language_of_the_page_that_asked(provider: Provider) -> None:
    browser = provider.browser(headers={"accept-language": "en"})
    await browser.get(provider.authorize_url(ui_locales="es"))
    page = await browser.submit("/password", username="bob", password=PASSWORD)
    in_spanish(page)
    [code] = await provider.deliver()
    [message] = provider.gateway.sent
    assert message.text == (
        f"{code} es su codigo de Acme ID. Vence en 5 minutos. No lo comparta; nunca se lo pediremos."
        f"\n\n@localhost #{code}"
    )
    assert message.locale == "es"
    assert (gsm7_septets(message.text) or 999) <= 160
    for wrong in ("000000", "000001", "000002"):
        page = await browser.submit("/sms", code=wrong)
        in_spanish(page)
    assert "No quedan intentos para este código" in page.text
    provider.clock.move(timedelta(minutes=2))
    in_spanish(await browser.get(str(page.url)))
    in_spanish(await browser.submit("/sms/send"))
    await provider.deliver()
    # The codes, and word to the owner of a right password with wrong codes
    assert [message.locale for message in provider.gateway.sent] == ["es", "es", "es"]


async def test_who_is_known_is_spoken_to_in_their_own_language(provider: Provider, carmen: str) -> None:
    browser = provider.browser(headers={"accept-language": "en"})
    assert language(await browser.get(provider.authorize_url())) == "en"
    page = await browser.submit("/password", username=carmen, password=PASSWORD)
    in_spanish(page)
    code = await provider.texted(browser)
    assert "es su codigo de" in provider.gateway.sent[-1].text
    assert parameters(await browser.submit("/sms", code=code))["code"]


async def test_the_client_is_heard_before_the_person_on_pages_and_the_person_in_messages(
    provider: Provider, carmen: str
) -> None:
    browser = provider.browser()
    assert language(await browser.get(provider.authorize_url(ui_locales="en"))) == "en"
    assert language(await browser.submit("/password", username=carmen, password=PASSWORD)) == "en"
    await provider.texted(browser)
    assert provider.gateway.sent[-1].locale == "es"


async def test_no_name_changes_the_language_before_its_password_was_right(provider: Provider, carmen: str) -> None:
    faces = []
    for username in (carmen, "bob", "nobody-of-that-name"):
        browser = provider.browser(headers={"accept-language": "en"})
        await browser.get(provider.authorize_url(login_hint=username))
        page = await browser.submit("/password", username=username, password="wrong")
        assert language(page) == "en"
        faces.append(face(page.text, username))
    assert len(set(faces)) == 1


async def test_what_was_chosen_on_a_page_wins_in_that_browser(provider: Provider, carmen: str) -> None:
    browser = provider.browser(headers=SPANISH)
    page = await browser.get(provider.authorize_url(ui_locales="es"))
    await choose(provider, browser, "en")
    assert language(await browser.get(str(page.url))) == "en"
    assert language(await browser.submit("/password", username=carmen, password=PASSWORD)) == "en"
    await browser.ask_for_text()
    assert language(await browser.get(provider.authorize_url(ui_locales="es"))) == "en"
    await choose(provider, browser, "es")
    in_spanish(await browser.get(provider.authorize_url(ui_locales="en")))
    await provider.deliver()
    assert provider.gateway.sent[-1].locale == "es"


async def test_the_account_pages_and_their_notices_speak_the_persons_language(provider: Provider, carmen: str) -> None:
    browser = provider.browser(headers={"accept-language": "en"})
    in_spanish(await come_in(provider, browser, carmen))
    provider.clock.move(timedelta(minutes=1))
    await browser.get("/account/authenticators/new")
    in_spanish(await browser.submit("/totp", code=provider.totp(carmen)))
    in_spanish(await browser.submit("/account/authenticators/new"))
    in_spanish(await browser.submit("/confirm", code="", label="x" * 99))
    in_spanish(await enrol(provider, browser, label="Trabajo"))
    page = await browser.get("/account")
    in_spanish(page)
    in_spanish(await browser.get(re.findall(r'href="(/account/authenticators/[0-9a-f-]{36})"', page.text)[0]))
    in_spanish(await browser.submit("/rename", label=""))
    in_spanish(await browser.get("/account/password"))
    in_spanish(await browser.submit("/account/password", password="short", repeat="short"))
    in_spanish(await browser.get("/account/recovery-codes"))
    in_spanish(await browser.submit("/account/recovery-codes"))
    in_spanish(await browser.submit("/saved"))
    await provider.deliver()
    said = [message.text for message in provider.gateway.sent if message.code is None]
    translate = spoken.sentences(provider.idp, "es")[1]
    assert set(said) == {
        notice_text(notice, brand="Acme ID", place="localhost:8000/account", translate=translate)
        for notice in (Notice.TOTP_ADDED, Notice.RECOVERY_ADDED)
    }
    assert {message.locale for message in provider.gateway.sent} == {"es"}


async def test_signing_out_is_said_in_the_language_it_was_asked_in(provider: Provider, carmen: str) -> None:
    browser = provider.browser(headers={"accept-language": "en"})
    await come_in(provider, browser, carmen)
    page = await browser.submit("/sign-out")
    in_spanish(page)
    assert page.url.path == "/logout/done"
    other = provider.browser(headers={"accept-language": "en"})
    await come_in(provider, other, "bob")
    assert language(await other.get("/logout")) == "en"
    in_spanish(await other.get("/logout?ui_locales=es"))
    in_spanish(await other.submit("/logout/confirm", decision="sign_out"))


async def test_errors_speak_the_language_that_the_request_asked_for(provider: Provider) -> None:
    browser = provider.browser(headers={"accept-language": "en"})
    for wrong in ({"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}):
        page = await browser.get("/authorize?" + urlencode({"ui_locales": "es", **wrong}))
        assert page.status_code == 400
        in_spanish(page)
    in_spanish(await browser.get(provider.authorize_url(ui_locales="es")))
    page = await browser.submit("/password", username="bob", password=PASSWORD)
    provider.clock.move(provider.idp.policy.interaction.ttl)
    here = str(page.url)
    page = await browser.get(here)
    in_spanish(page)
    assert str(page.url) != here
    page = await provider.browser(headers={"accept-language": "en"}).get(here)
    in_spanish(page)
    assert "Comience de nuevo aquí" in page.text
    in_spanish(await provider.browser(headers=SPANISH).get("/nowhere"))
    assert language(await browser.get("/nowhere")) == "en"


async def test_who_may_not_come_in_and_who_comes_too_often_hear_it_in_their_language(
    provider: Provider, carmen: str
) -> None:
    await provider.add_person("dolores", number="+37256789048", locale="es")
    await freeze_user(provider.idp, "dolores")
    browser = provider.browser(headers={"accept-language": "en"})
    await come_in(provider, browser, "dolores")
    page = await browser.get("/account/password")
    assert page.status_code == 403
    in_spanish(page)
    other = provider.browser(headers={"accept-language": "en"})
    await come_in(provider, other, carmen)
    await prove_app(provider, other, "/account/authenticators/new", carmen)
    for _ in range(7):
        provider.clock.move(timedelta(seconds=30))
        page = await forged(provider, other, "/account/authenticators/new")
        in_spanish(page)
        if page.status_code == 429:
            break
    assert page.status_code == 429


async def test_the_form_that_answers_a_client_speaks_its_language(provider: Provider) -> None:
    browser = provider.browser(headers={"accept-language": "en"})
    page = await provider.sign_in(browser, ui_locales="es", response_mode="form_post")
    assert page.status_code == 200
    in_spanish(page)


async def test_the_metadata_name_the_languages_there_are(provider: Provider) -> None:
    answer = await provider.browser().get("/.well-known/openid-configuration")
    assert answer.json()["ui_locales_supported"] == ["en", "es", "et"]


async def test_an_operators_language_can_be_chosen_and_says_its_scopes(
    database_url: str, key_chain: KeyChain, tmp_path: Path
) -> None:
    for name, sentence, said in (("pt_BR", "Sign in", "Entrar"), ("es", "loans:apply", "Solicitar un préstamo")):
        path = tmp_path / "templates/locale" / name / "LC_MESSAGES/stile.po"
        path.parent.mkdir(parents=True)
        path.write_text(f'msgid ""\nmsgstr "Language: {name}\\n"\n\nmsgid "{sentence}"\nmsgstr "{said}"\n')
    await empty(database_url)
    policy = tmp_path / "policy.toml"
    policy.write_text(default_policy_text().replace("[groups]", '"loans:apply" = { level = "two_factor" }\n\n[groups]'))
    settings = settings_for(tmp_path / "data", templates=tmp_path / "templates", policy=policy)
    async with running(database_url, key_chain, settings) as provider:
        await provider.add_client("bank", BANK_URI, scopes=frozenset({"openid", "loans:apply"}), first_party=False)
        await provider.add_person("bob", number=CARMEN_PHONE)
        applicant = provider.browser(headers=SPANISH)
        consent = await provider.sign_in(applicant, "bob", scope="openid loans:apply")
        assert "Solicitar un préstamo" in consent.text
        in_spanish(consent)
        browser = provider.browser(headers={"accept-language": "en"})
        page = await browser.get(provider.authorize_url())
        await choose(provider, browser, "pt_BR")
        page = await browser.get(str(page.url))
        assert language(page) == "pt-BR"
        assert "<h1>Entrar</h1>" in page.text


async def test_a_language_stored_with_a_person_that_is_not_shipped_harms_nobody(provider: Provider) -> None:
    await provider.add_person("eeva", number="+37256789049", locale="fi")
    browser = provider.browser(headers=SPANISH)
    await browser.get(provider.authorize_url())
    in_spanish(await browser.submit("/password", username="eeva", password=PASSWORD))
    await provider.deliver()
    assert provider.gateway.sent[-1].locale == "es"
    idp = provider.idp
    assert spoken.sentences(idp, "fi")[0] == "en"
    assert spoken.page_language(idp, Visitor(address="")) == "en"
