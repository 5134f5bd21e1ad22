"""The demonstration in Estonian, in Debian's Chromium without JavaScript: signing in, stepping up, the account page."""

import pytest
from playwright.async_api import expect

from tests.world.chromium import goes_by
from tests.world.demonstration import Demo
from tests.world.sentences import in_english
from tests.world.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


async def naeb(visitor: Visitor, *texts: str) -> None:
    """The page says this, is a good page, and says nothing in English."""
    await visitor.sees(*texts)
    assert in_english(await visitor.page.content(), "et") == set()


async def test_signing_in_and_a_transfer_by_somebody_whose_bank_asks_for_estonian(visitor: Visitor, demo: Demo) -> None:
    alice = demo.alice
    await visitor.opens(f"{demo.bank}/login?ui_locales=et-EE")
    await naeb(visitor, "Logi sisse", "et jätkata rakenduses Acme Bank")
    await visitor.presses("Jätka")
    await naeb(visitor, "Midagi on valesti", "Sisestage kasutajanimi", "Sisestage parool")
    await visitor.types("Kasutajanimi", alice.username)
    await visitor.types("Parool", "not her password")
    await visitor.presses("Jätka")
    await naeb(visitor, "Kasutajanimi või parool ei ole õige")
    await visitor.types("Parool", alice.password)
    await visitor.presses("Jätka")
    await visitor.asks_for_text(ways=("Saage kood SMS-iga", "Saada kood"))
    await naeb(visitor, "Vaadake oma telefoni", "See kehtib 5 minutit", "Ärge öelge seda koodi kellelegi")
    await visitor.page.get_by_text("SMS ei jõudnud kohale?").click()
    await expect(visitor.page.get_by_text("Enne uue koodi küsimist oodake")).to_be_visible()
    text = (await demo.texts(alice))[0]
    assert " on teie kood teenuses " in text
    assert "See kehtib 5 minutit. Ärge jagage seda; meie seda ei küsi." in text
    await visitor.types("Turvakood", "12")
    await visitor.presses("Jätka")
    await naeb(visitor, "Koodis on 6 numbrit, näiteks 042 917")
    await visitor.types("Turvakood", await demo.new_code(alice))
    await visitor.presses("Jätka")
    await visitor.sees("Hello, Alice Ader")

    await visitor.prepares_transfer("Jana Nováková", "1250.50")
    await naeb(visitor, "Kas kinnitate makse EUR 1 250,50 saajale Jana Nováková?", "palub teil seda üks kord kinnitada")
    await visitor.page.get_by_text("Ma ei saa autentimisrakendust kasutada").click()
    await visitor.types("Autentimisrakenduse kood", alice.app_code())
    await visitor.presses("Kinnita EUR 1 250,50")
    await visitor.sees("Transfer sent", "€1,250.50")

    await visitor.opens(f"{demo.provider}/account")
    await visitor.page.get_by_label("Language").select_option(label="Eesti")
    await visitor.presses("Change")
    await naeb(visitor, "Teie konto", "sisse logitud kasutajana alice", "Viimased tegevused", "See seade")
    await goes_by(visitor.page.get_by_role("button", name="Logi välja", exact=True).first)
    await naeb(visitor, "Olete välja logitud")
