"""The demonstration in Spanish, in Debian's Chromium without JavaScript: signing in, stepping up, an app, errors."""

import pytest
from playwright.async_api import expect

from tests.world.chromium import goes_by
from tests.world.demonstration import Demo, Person
from tests.world.sentences import in_english
from tests.world.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


async def ve(visitor: Visitor, *texts: str) -> None:
    """The page says this, is a good page, and says nothing in English."""
    await visitor.sees(*texts)
    assert in_english(await visitor.page.content(), "es") == set()


async def gives_password(visitor: Visitor, person: Person, password: str | None = None) -> None:
    await visitor.types("Nombre de usuario", person.username)
    await visitor.types("Contraseña", password or person.password)
    await visitor.presses("Continuar")


async def gives_app_code(visitor: Visitor, person: Person, *, press: str = "Continuar") -> None:
    await visitor.types("Código de su aplicación de autenticación", person.app_code())
    await visitor.presses(press)


async def test_signing_in_and_a_transfer_in_the_language_the_bank_asks_for(visitor: Visitor, demo: Demo) -> None:
    alice = demo.alice
    await visitor.opens(demo.start)
    await visitor.follows("Sign in at the bank in Spanish.")
    await ve(visitor, "Iniciar sesión", "para continuar a Acme Bank")
    await visitor.presses("Continuar")
    await ve(visitor, "Hay un problema", "Ingrese su nombre de usuario", "Ingrese su contraseña")
    await gives_password(visitor, alice, "not her password")
    await ve(visitor, "El nombre de usuario o la contraseña no son correctos")
    await gives_password(visitor, alice)
    await visitor.asks_for_text(ways=("Reciba un código por mensaje de texto", "Enviar un código"))
    await ve(visitor, "Revise su teléfono", "Sirve durante 5 minutos", "Nunca diga este código a nadie")
    await visitor.page.get_by_text("¿No recibió el mensaje de texto?").click()
    await expect(visitor.page.get_by_text("Puede pedir otro código en")).to_be_visible()
    text = (await demo.texts(alice))[0]
    assert " es su codigo de " in text
    assert "Vence en 5 minutos." in text
    await visitor.types("Código de seguridad", "12")
    await visitor.presses("Continuar")
    await ve(visitor, "Un código tiene 6 dígitos, como 042 917")
    await visitor.types("Código de seguridad", await demo.new_code(alice))
    await visitor.presses("Continuar")
    await visitor.sees("Hello, Alice Ader")

    await visitor.prepares_transfer("Jana Nováková", "25.50")
    await ve(visitor, "¿Autoriza EUR 25.50 a Jana Nováková?", "Acme Bank le pide que autorice esto una sola vez")
    await visitor.page.get_by_text("No puedo usar mi aplicación de autenticación").click()
    await gives_app_code(visitor, alice, press="Autorizar EUR 25.50")
    await visitor.sees("Transfer sent", "€25.50")


async def test_an_app_is_set_up_by_somebody_who_chose_spanish_on_a_page(visitor: Visitor, demo: Demo) -> None:
    bob = demo.bob
    await visitor.opens(f"{demo.provider}/account")
    await visitor.sees("Sign in", "to see and change how you sign in")
    await visitor.page.get_by_label("Language").select_option(label="Español")
    await visitor.presses("Change")
    await ve(visitor, "Iniciar sesión", "para ver y cambiar cómo inicia sesión")
    await gives_password(visitor, bob)
    await visitor.types("Código de seguridad", await demo.new_code(bob))
    await visitor.presses("Continuar")
    await ve(visitor, "Su cuenta", "sesión abierta como bob", "Actividad reciente", "Este dispositivo")
    await visitor.follows("Agregar una aplicación de autenticación")
    await ve(visitor, "Configure una aplicación de autenticación", "24 horas después de que")
    await visitor.presses("Mostrar el código QR")
    await ve(visitor, "1. Dé la clave a su aplicación de autenticación")
    bob.secret = (await visitor.page.locator(".secret code").inner_text()).replace(" ", "")
    await visitor.types("Código de 6 dígitos", "000")
    await visitor.presses("Activar")
    await ve(visitor, "Hay un problema", "Un código tiene 6 dígitos")
    await visitor.types("Código de 6 dígitos", bob.app_code())
    await visitor.types("Nombre para esta aplicación (opcional)", "Teléfono de Bob")
    await visitor.presses("Activar")
    await ve(visitor, "Guarde sus códigos de recuperación")
    await visitor.page.get_by_label("Guardé estos códigos en un lugar seguro").check()
    await visitor.presses("Continuar")
    await ve(visitor, "Teléfono de Bob", "En espera", "habilita operaciones sensibles desde el")
    assert any("Hay una nueva aplicacion de autenticacion en su cuenta" in text for text in await demo.texts(bob))
    await visitor.follows("Cambiar Teléfono de Bob")
    await ve(visitor, "Está por cambiar cómo inicia sesión")
    await visitor.opens(f"{demo.provider}/nowhere")
    await ve(visitor, "Esta página no existe")
    await visitor.opens(f"{demo.provider}/account")
    await goes_by(visitor.page.get_by_role("button", name="Cerrar sesión", exact=True).first)
    await ve(visitor, "Su sesión se cerró")
    await visitor.page.get_by_label("Idioma").select_option(label="English")
    await visitor.presses("Cambiar")
    await visitor.sees("You are signed out")
