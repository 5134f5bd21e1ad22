"""What people do with the whole demonstration, in Debian's Chromium. Without JavaScript, unless a test says so."""

import re
from urllib.parse import parse_qs, urlencode

import pytest
from playwright.async_api import Browser, Request, Route, expect

from tests.world.demonstration import Demo, Person
from tests.world.visitor import Inspector, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture
async def newcomer(demo: Demo, request: pytest.FixtureRequest) -> Person:
    """Somebody with a phone alone, for tests that end with limits spent."""
    # Each in a block of numbers of their own: four new neighbours in an hour are taken for an attack.
    number = len(demo.newcomers) + 100
    return await demo.add(f"p{abs(hash(request.node.name))}", f"+37256{number}{number}")


async def test_a_person_signs_in_once_and_moves_money_with_the_app(visitor: Visitor, demo: Demo) -> None:
    alice = demo.alice
    await visitor.opens(demo.start)
    await visitor.sees("Start here", alice.username, alice.password)
    await visitor.follows("Acme Bank See an account, move money")
    await visitor.sees("Your money, and nobody else’s")
    await visitor.follows("Sign in")
    await visitor.sees("Sign in", "to continue to Acme Bank")
    await visitor.gives_password(alice)
    await visitor.asks_for_text()
    await visitor.sees("Check your phone", f"ending {alice.phone[-2:]}", "It works for 5 minutes", "Never tell anyone")
    await visitor.gives_text_code(alice)
    await visitor.sees("Hello, Alice Ader", "urn:stile:2fa", "pwd, sms, mfa", "€4,280.50")

    await visitor.opens(demo.notes)
    await visitor.sees("Small things, written down")
    await visitor.follows("Sign in")
    await visitor.sees("Alice Ader’s notes", "How you signed in", "pwd, sms, mfa")
    assert visitor.page.url == f"{demo.notes}/"

    await visitor.opens(demo.bank)
    await visitor.follows("Make a transfer")
    await visitor.sees("Who gets the money?", "€4,280.50")
    await visitor.types("Who gets the money?", "Jana Nováková")
    await visitor.types("Amount in euros", "25.50")
    await visitor.presses("Continue")
    await visitor.sees("Approve EUR 25.50 to Jana Nováková?", "Acme Bank asks you to approve this once", "Amount")
    await expect(visitor.page.get_by_role("link", name="a code by text message")).to_have_count(0)
    await expect(visitor.page.get_by_role("button", name="a code by text message")).to_have_count(0)
    await visitor.gives_app_code(alice, press="Approve EUR 25.50")
    await visitor.sees("Transfer sent", "€25.50", "urn:stile:2fa-strong", "otp")
    assert await visitor.balance() == "€4,255.00"
    await visitor.sees("Jana Nováková", "−€25.50")

    # One confirmation, one transfer
    await visitor.prepares_transfer("Jana Nováková", "1")
    await visitor.sees("Approve EUR 1.00 to Jana Nováková?")
    assert await visitor.balance() == "€4,255.00"


async def test_notes_cannot_ride_on_what_was_proved_to_the_bank(visitor: Visitor, demo: Demo) -> None:
    await visitor.signs_in(demo.alice)
    await visitor.opens(f"{demo.notes}/login")
    await visitor.sees("Alice Ader’s notes", "pwd, sms, mfa")
    before = await visitor.balance()
    await visitor.opens(demo.notes)
    await visitor.presses("Try a transfer from here")
    await visitor.sees("The bank said no", "what you prove to one application does not count in another")
    assert await visitor.balance() == before


async def test_without_an_app_a_transfer_is_refused_and_a_new_app_has_to_wait(visitor: Visitor, demo: Demo) -> None:
    bob = demo.bob
    await visitor.signs_in(bob)
    await visitor.prepares_transfer("Jana Nováková", "25")
    await visitor.sees("You cannot approve this yet", "you have none")
    await visitor.presses("Back to Acme Bank")
    await visitor.sees("You need an authenticator app for transfers", "€25.00", "was not sent", "after 24 hours")
    assert await visitor.balance() == "€4,280.50"

    await visitor.follows("Manage how you sign in")
    await visitor.sees("Your account", "signed in as bob", "Text message")
    await visitor.follows("Add an authenticator app")
    if await visitor.heading.inner_text() != "Set up an authenticator app":
        await visitor.sees("You are about to change how you sign in")
        await visitor.presses("Send a code")
        await visitor.gives_text_code(bob)
    await visitor.sees("Set up an authenticator app", "only 24 hours after")
    await visitor.presses("Show the QR code")
    await visitor.follows("Back")
    await visitor.sees("Your account")
    await visitor.follows("Add an authenticator app")
    await visitor.presses("Show the QR code")
    await visitor.sees("1. Give the key to your authenticator app")
    bob.secret = (await visitor.page.locator(".secret code").inner_text()).replace(" ", "")
    await visitor.types("6-digit code", bob.app_code())
    await visitor.types("Name for this app (optional)", "Bob’s phone")
    await visitor.presses("Turn on")
    await visitor.sees("Save your recovery codes")
    await visitor.page.get_by_label("I have put these codes somewhere safe").check()
    await visitor.presses("Continue")
    await visitor.sees("Your account", "Bob’s phone", "On hold", "opens sensitive actions")
    assert any("app was added to your" in text for text in (await demo.texts(bob))[:2])  # and one about the codes

    await visitor.prepares_transfer("Jana Nováková", "25")
    await visitor.sees("You cannot approve this yet", "on hold for your protection")
    await visitor.presses("Back to Acme Bank")
    await visitor.sees("You need an authenticator app for transfers", "The sign-in service says")
    assert await visitor.balance() == "€4,280.50"
    await visitor.opens(demo.start)


async def test_a_wrong_password_says_so_and_sends_nothing(visitor: Visitor, demo: Demo) -> None:
    before = await demo.texts(demo.alice)
    await visitor.opens(f"{demo.bank}/login")
    await visitor.presses("Continue")
    await visitor.sees("There is a problem", "Enter your username", "Enter your password")
    await visitor.gives_password(demo.alice, "not her password")
    await visitor.sees("There is a problem", "The username or the password is not right")
    await expect(visitor.page).to_have_title(re.compile("^Error: "))
    await expect(visitor.page.get_by_label("Username")).to_have_value("alice")
    await expect(visitor.page.get_by_label("Password")).to_have_value("")
    assert await demo.texts(demo.alice) == before


async def test_three_wrong_codes_kill_the_code(visitor: Visitor, demo: Demo, newcomer: Person) -> None:
    await visitor.opens(f"{demo.bank}/login")
    await visitor.gives_password(newcomer)
    code = await demo.new_code(newcomer)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    other = await visitor.tab()
    await other.opens(visitor.page.url)
    await visitor.types("Security code", "12 345")
    await visitor.presses("Continue")
    await visitor.sees("A code is 6 numbers, such as 042 917")
    for left in ("You have 2 tries left.", "You have 1 try left."):
        await visitor.types("Security code", wrong)
        await visitor.presses("Continue")
        await visitor.sees("The code is not right", left)
    await visitor.types("Security code", wrong)
    await visitor.presses("Continue")
    await visitor.sees("No tries are left for this code. Ask for a new one", "You can ask for another code in")
    await expect(visitor.page.get_by_label("Security code")).to_have_count(0)
    await other.types("Security code", code)
    await other.presses("Continue")
    await other.sees("The code no longer works. Ask for a new one")
    assert await demo.codes(newcomer) == [code]
    await visitor.opens(demo.bank)
    await visitor.sees("Your money, and nobody else’s")


async def test_cancel_returns_to_the_bank_with_a_clear_page(visitor: Visitor, demo: Demo, newcomer: Person) -> None:
    await visitor.opens(f"{demo.bank}/login")
    await visitor.presses("Cancel")
    await visitor.sees("You stopped signing in", "Nothing has been changed")
    assert visitor.page.url.startswith(f"{demo.bank}/callback")
    await visitor.follows("Sign in again")
    await visitor.gives_password(newcomer)
    await visitor.presses("Cancel")
    await visitor.sees("You stopped signing in")
    await visitor.opens(demo.bank)
    await visitor.sees("Your money, and nobody else’s")


async def test_a_transfer_that_is_not_confirmed_is_not_sent(visitor: Visitor, demo: Demo) -> None:
    await visitor.signs_in(demo.alice)
    before = await visitor.balance()
    await visitor.prepares_transfer("Jana Nováková", "3")
    await visitor.presses("Cancel")
    await visitor.sees("The transfer was not sent", "You did not confirm this transfer, so no money has moved.")
    await visitor.presses("Cancel this transfer")
    assert await visitor.balance() == before


async def test_back_reload_and_a_second_tab_send_no_text(visitor: Visitor, demo: Demo, newcomer: Person) -> None:
    await visitor.opens(f"{demo.bank}/login")
    await visitor.gives_password(newcomer)
    code = await demo.new_code(newcomer)
    await visitor.page.reload()
    await visitor.page.reload()
    await visitor.page.go_back()
    await visitor.page.go_forward()
    await visitor.sees("Check your phone")
    other = await visitor.tab()
    await other.opens(visitor.page.url)
    await other.sees("Check your phone", "Not received a text message?")
    await other.page.get_by_text("Not received a text message?").click()
    await expect(other.page.get_by_text("You can ask for another code in")).to_be_visible()
    await visitor.types("Security code", "000000" if code != "000000" else "111111")
    await visitor.presses("Continue")
    await visitor.page.reload()
    await visitor.sees("The code is not right")
    assert await demo.codes(newcomer) == [code]

    await visitor.types("Security code", f" {code[:3]} {code[3:]} ")
    await visitor.presses("Continue")
    await visitor.sees("How you signed in", "pwd, sms, mfa")
    await other.types("Security code", code)
    await other.presses("Continue")
    assert await demo.codes(newcomer) == [code]


async def test_two_tabs_share_one_sign_in(visitor: Visitor, demo: Demo) -> None:
    await visitor.opens(f"{demo.bank}/login")
    other = await visitor.tab()
    await other.opens(f"{demo.notes}/login")
    await visitor.gives_password(demo.alice)
    await visitor.sees("This is the second step of signing in to Acme Bank")
    await visitor.gives_app_code(demo.alice)
    await visitor.sees("How you signed in")
    await other.page.reload()
    await other.sees("Alice Ader’s notes")


async def test_signing_out_at_the_bank_ends_the_sign_in(visitor: Visitor, demo: Demo) -> None:
    await visitor.signs_in(demo.bob)
    await visitor.presses("Sign out")
    await visitor.sees("You are signed out", "You are signed out of Acme Bank")
    assert visitor.page.url.startswith(f"{demo.bank}/signed-out")
    await visitor.page.go_back()
    await visitor.opens(demo.bank)
    await visitor.sees("Your money, and nobody else’s")
    await visitor.opens(f"{demo.notes}/login")
    await visitor.sees("Sign in", "to continue to Acme Notes")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
async def test_an_answer_by_form_post_arrives(browser: Browser, demo: Demo, inspector: Inspector, script: bool) -> None:
    visitor = await Visitor.arrive(browser, demo, inspector, script=script)
    answers: list[dict[str, list[str]]] = []

    async def client(route: Route, request: Request) -> None:
        answers.append(parse_qs(request.post_data or ""))
        await route.fulfill(body="<!doctype html><title>client</title><h1>Arrived</h1>", content_type="text/html")

    await visitor.context.route(f"{demo.notes}/callback", client)
    asked = {
        "client_id": "acme-notes",
        "response_type": "code",
        "response_mode": "form_post",
        "redirect_uri": f"{demo.notes}/callback",
        "scope": "openid",
        "state": "where-it-began",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    await visitor.opens(f"{demo.provider}/authorize?{urlencode(asked)}")
    await visitor.gives_password(demo.bob)
    await visitor.gives_text_code(demo.bob)
    if not script:
        await visitor.sees("One more step", "We are taking you back")
        await visitor.presses("Continue")
    await expect(visitor.heading).to_have_text("Arrived")
    [answer] = answers
    assert answer.keys() == {"code", "state", "iss"}
    assert answer["state"] == ["where-it-began"]
    assert answer["iss"] == [demo.provider]
    await visitor.leave()


async def test_the_inbox_shows_the_newest_text_first_and_its_code_apart(visitor: Visitor, demo: Demo) -> None:
    await visitor.opens(demo.inbox)
    await visitor.sees("Messages sent")
    rows = visitor.page.locator("li")
    times = [await one.get_attribute("datetime") or "" for one in await rows.locator("time").all()]
    assert times == sorted(times, reverse=True)
    texts, codes = await rows.locator(".text").all_inner_texts(), await rows.locator("code").all_inner_texts()
    assert codes
    assert [text[:6] for text in texts if text[:6].isdigit()] == codes
