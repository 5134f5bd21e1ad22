"""Administrator, helpdesk and auditor at the console, without script, in Debian's Chromium.

The provider runs in this process: its clock is the test's, so that a proof grows old in a moment.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import FilePayload, expect

from idp.crypto import KeyChain
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import find_user
from idp.flows.operate.keys import list_keys
from idp.web.console.changes import PEOPLE
from idp.web.console.client_changes import APPLICATIONS
from tests.world import databases
from tests.world.api import add_operator, with_roles
from tests.world.console_changes import PICTURE, TYPED, application_for, person_for
from tests.world.demonstration import Demo, Person
from tests.world.listening import served
from tests.world.provider import BOB_PHONE, PASSWORD, Provider
from tests.world.running import running, settings_for
from tests.world.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

OPERATORS = {"ada": "admins", "hugo": "desk", "iris": "audit"}


@pytest.fixture
async def provider(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """One of each role, and Bob; reached on a port."""
    await databases.empty(database_url)
    made: list[Provider] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await made[0].app(scope, receive, send)

    async with AsyncExitStack() as stack:
        sock = await stack.enter_async_context(served(app))
        settings = settings_for(tmp_path).model_copy(update={"issuer": f"http://localhost:{sock.getsockname()[1]}"})
        made.append(await stack.enter_async_context(running(database_url, key_chain, settings)))
        with_roles(made[0])
        for username, group in OPERATORS.items():
            await add_operator(made[0], username, group)
        await made[0].add_person("bob", number=BOB_PHONE, name="Bob Berg", email="bob@example.com")
        yield made[0]


@pytest.fixture
def demo(provider: Provider, tmp_path: Path) -> Demo:
    nobody = Person("", "", "")
    return Demo(provider.idp.issuer, "", "", "", "", nobody, nobody, tmp_path)


async def proves(provider: Provider, visitor: Visitor, username: str) -> None:
    """Another code of the app."""
    provider.clock.move(timedelta(seconds=31))
    await visitor.types("Code from your authenticator app", provider.totp(username))
    await visitor.presses("Continue")


async def comes_in(provider: Provider, visitor: Visitor, username: str, path: str) -> None:
    """Type an address of the console, and sign in there."""
    await visitor.opens(provider.idp.issuer + path)
    await visitor.gives_password(Person(username, PASSWORD, ""))
    await proves(provider, visitor, username)


async def finds_bob(visitor: Visitor) -> None:
    await visitor.follows("People")
    await visitor.types("Search", "bob")
    await visitor.presses("Search")
    await visitor.follows("bob")
    await expect(visitor.heading).to_have_text("Bob Berg")


async def name_of_bob(provider: Provider) -> str | None:
    return (await find_user(provider.idp, "bob")).account.name


async def test_an_administrator_finds_somebody_and_corrects_what_was_wrong(
    provider: Provider, visitor: Visitor
) -> None:
    await comes_in(provider, visitor, "ada", "/admin")
    await visitor.sees("Overview", "Check-up", "Messages and money")
    await finds_bob(visitor)
    await visitor.sees("Ways to sign in")
    await visitor.follows("Edit")
    await visitor.types("Email address (optional)", "no address")
    await visitor.presses("Save")
    await visitor.sees("There is a problem")
    assert await visitor.page.get_by_label("Email address (optional)").input_value() == "no address"
    await visitor.types("Email address (optional)", "bob@new.example")
    await visitor.types("Name (optional)", "Robert Berg")
    await visitor.presses("Save")
    await visitor.sees("What you changed is saved.", "bob@new.example")
    await visitor.page.reload()
    await expect(visitor.heading).to_have_text("Robert Berg")
    await visitor.page.go_back()
    await visitor.page.go_back()
    await visitor.presses("Save")
    await expect(visitor.page.locator("body")).to_contain_text("Robert")


async def test_two_clicks_save_once_and_end_where_one_does(provider: Provider, visitor: Visitor) -> None:
    await comes_in(provider, visitor, "ada", "/admin/people")
    await finds_bob(visitor)
    for link, button, said in (
        ("Edit", "Save", "What you changed is saved."),
        ("Sign out everywhere", "Sign out everywhere", "They are signed out everywhere."),
        ("Freeze", "Freeze", "The account is frozen"),
        ("Disable", "Disable", "The account is disabled"),
    ):
        await visitor.follows(link)
        if link == "Edit":
            await visitor.types("Name (optional)", "Bob Berg the Second")
        box = await visitor.page.get_by_role("button", name=button, exact=True).bounding_box()
        assert box is not None
        await visitor.page.mouse.click(box["x"] + 5, box["y"] + 5, click_count=2)
        await visitor.sees(said)
        await expect(visitor.heading).to_have_text("Bob Berg the Second")


async def presses_twice(visitor: Visitor, path: str) -> None:
    """Two clicks on the button of the form, in one moment; the page that comes says that it was done, once."""
    button = visitor.page.locator('form[action$="' + path + '"] button[type="submit"]').last
    await button.scroll_into_view_if_needed()
    box = await button.bounding_box()
    assert box is not None
    await visitor.page.mouse.click(box["x"] + 5, box["y"] + 5, click_count=2)
    await expect(visitor.page.get_by_role("status").first, path).to_be_visible()
    await expect(visitor.page.get_by_role("alert"), path).to_have_count(0)


async def test_every_change_is_pressed_twice_and_done_once(provider: Provider, visitor: Visitor) -> None:
    await comes_in(provider, visitor, "ada", "/admin/policy/keys")
    posts: list[str] = []
    visitor.page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    for number, change in enumerate((*PEOPLE.changes, *APPLICATIONS.changes)):
        if number < len(PEOPLE.changes):
            await person_for(provider, change, f"guest-{number}")
            account = (await find_user(provider.idp, f"guest-{number}")).account
            path = f"/admin/people/{account.id}/{change}"
        else:
            await application_for(provider, change, f"app-{number}")
            path = f"/admin/applications/app-{number}/{change}"
        await visitor.opens(provider.idp.issuer + path)
        for name, value in TYPED.get(change, {}).items():
            if value == "on":
                await visitor.page.locator(f'[name="{name}"]').check()
            else:
                await visitor.page.locator(f'[name="{name}"]').fill(value)
        if change == "logo":
            logo = FilePayload(name="logo.png", mimeType="image/png", buffer=PICTURE)
            await visitor.page.locator('[name="logo"]').set_input_files(logo)
        await presses_twice(visitor, path)
        assert not visitor.page.url.split("?")[0].endswith(path), change
        posts.clear()
        await visitor.page.reload()
        assert posts == [], "a reload sends nothing again"
        await visitor.page.go_back()
        assert posts == [], "nor does Back"
    await visitor.opens(f"{provider.idp.issuer}/admin/policy/keys")
    signing = [key.kid for key in await list_keys(provider.idp) if key.state == "next"]
    await visitor.page.locator('[name="early"]').check()
    await presses_twice(visitor, "/admin/policy/keys")
    assert sorted(signing) == sorted(key.kid for key in await list_keys(provider.idp) if key.state == "current")


async def test_a_proof_that_grew_too_old_over_a_form_is_asked_for_and_the_form_comes_back(
    provider: Provider, visitor: Visitor
) -> None:
    await comes_in(provider, visitor, "ada", "/admin/people")
    await finds_bob(visitor)
    await visitor.follows("Edit")
    await visitor.types("Name (optional)", "Robert Berg")
    provider.clock.move(timedelta(minutes=6))
    await visitor.presses("Save")
    await expect(visitor.heading).to_have_text("Confirm with your authenticator app")
    await proves(provider, visitor, "ada")
    await visitor.sees("nothing was done yet")
    assert await name_of_bob(provider) == "Bob Berg"
    await visitor.presses("Save")
    await visitor.sees("What you changed is saved.")
    assert await name_of_bob(provider) == "Robert Berg"


async def test_the_second_of_two_tabs_is_told_what_the_first_saved(provider: Provider, visitor: Visitor) -> None:
    await comes_in(provider, visitor, "ada", "/admin/people")
    await finds_bob(visitor)
    await visitor.follows("Edit")
    other = await visitor.tab()
    await other.opens(visitor.page.url)
    await other.types("Name (optional)", "Bob of the other tab")
    await other.presses("Save")
    await other.sees("What you changed is saved.")
    await visitor.types("Name (optional)", "Bob of the first tab")
    await visitor.presses("Save")
    await visitor.sees("There is a problem", "As it is now", "Bob of the other tab")
    assert await visitor.page.get_by_label("Name (optional)", exact=True).input_value() == "Bob of the first tab"
    await visitor.presses("Save")
    await visitor.sees("What you changed is saved.")
    assert await name_of_bob(provider) == "Bob of the first tab"


async def test_the_helpdesk_helps_and_is_offered_nothing_else(provider: Provider, visitor: Visitor) -> None:
    await comes_in(provider, visitor, "hugo", "/admin/people")
    await finds_bob(visitor)
    bob = visitor.page.url
    await expect(visitor.page.locator('a[href$="/reset"]')).to_have_count(1)
    await expect(visitor.page.locator('a[href$="/groups"], a[href$="/remove"]')).to_have_count(0)
    await visitor.opens(f"{bob}/remove")
    await expect(visitor.page.locator("main")).to_contain_text("not allowed")
    await visitor.opens(bob)
    await visitor.follows("Link for another password")
    await visitor.presses("Make a link")
    await visitor.sees("Copy this now")
    await visitor.page.reload()
    await expect(visitor.page.get_by_text("Copy this now")).to_be_visible()
    await visitor.opens(bob)
    await expect(visitor.page.get_by_text("Copy this now")).to_have_count(0)


async def test_an_auditor_looks_at_everything_and_changes_nothing(provider: Provider, visitor: Visitor) -> None:
    await comes_in(provider, visitor, "iris", "/admin")
    await visitor.follows("All that was looked at")
    await visitor.sees("Check-up", "What is all right")
    await finds_bob(visitor)
    here = visitor.page.url.removeprefix(provider.idp.issuer)
    await expect(visitor.page.locator(f'a[href^="{here}/"]')).to_have_count(0)
    await visitor.follows("Audit")
    await visitor.types("Search", "nobody at all")
    await visitor.presses("Search")
    await visitor.sees("There is no user named")
    await visitor.types("Search", "factor.verified")
    await visitor.presses("Search")
    await expect(visitor.page.locator("tbody tr").first).to_be_visible()
    async with visitor.page.expect_download() as download:
        await visitor.page.get_by_role("link", name="Download as CSV").click()
    assert (await download.value).suggested_filename == "audit.csv"
    await visitor.follows("Policy")
    await visitor.follows("Try another text")
    await visitor.types("Policy", "[levels")
    await visitor.presses("Try it")
    await visitor.sees("There is a problem")


async def test_whose_role_is_taken_away_finds_nothing_under_their_open_form(
    provider: Provider, visitor: Visitor
) -> None:
    await comes_in(provider, visitor, "ada", "/admin/people")
    await finds_bob(visitor)
    await visitor.follows("Disable")
    await add_operator(provider, "grace", "admins")
    await edit_person(provider.idp, "ada", {"groups": []})
    await visitor.presses("Disable")
    await expect(visitor.heading).to_have_text("There is no such page")
    assert not (await find_user(provider.idp, "bob")).account.disabled
