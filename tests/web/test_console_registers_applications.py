"""An application registered in the console: its kinds, its mistakes, its secret, and the form sent twice."""

import html
import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from idp.crypto import digest
from idp.errors import NotThere
from idp.flows.opening import read_clients
from idp.flows.operate.clients import add_client, remove_client
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import ClientId, find_client, list_clients
from idp.flows.operate.registrations import NewClient
from idp.flows.operate.secrets import new_client_secret
from idp.flows.operate.trail import Search, audit_page
from idp.web.notes import LIFE
from tests.world.api import EVERY, add_operator, with_roles
from tests.world.console import opened, signed_in
from tests.world.parallel import at_once
from tests.world.provider import Browser, Provider

NEW = "/admin/applications/-new"
URI = "https://shop.example/callback"


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, with the form of a web application open."""
    browser = await signed_in(provider)
    assert (await opened(provider, browser, f"{NEW}?kind=web")).status_code == 200
    return browser


def secret_on(page: httpx.Response) -> str:
    (secret,) = re.findall('<p class="secret"><code>(.*?)</code>', page.text)
    return str(secret)


async def test_an_application_is_registered_and_its_secret_is_shown_this_once(
    provider: Provider, browser: Browser
) -> None:
    page = await browser.submit("/-new", name="Shop", redirect_uris=URI, client_id="shop")
    assert (page.status_code, page.url.path) == (200, "/admin/applications/shop")
    assert "The application is registered." in page.text
    for needed in (provider.idp.issuer, f"{provider.idp.issuer}/.well-known/openid-configuration", "shop", URI):
        assert f"<bdi>{needed}</bdi>" in page.text
    client = await find_client(provider.idp, ClientId("shop"))
    assert client.secret_hash == digest(secret_on(page))
    assert (client.name, client.redirect_uris, client.scopes) == ("Shop", (URI,), frozenset({"openid"}))
    assert "Copy this now" not in (await browser.get("/admin/applications/shop")).text
    newest = (await audit_page(provider.idp, Search(client_id="shop"))).entries[0]
    assert (newest.fields["change"], newest.fields["operator"]) == ("added", "person:ada")


async def test_each_kind_is_registered_as_the_command_would(provider: Provider, browser: Browser) -> None:
    with_roles(provider, machines=EVERY)
    assert f'href="{NEW}"' in (await browser.get("/admin/applications")).text
    listed = (await opened(provider, browser, NEW)).text
    expected = {
        "web": NewClient("w", "w", (URI,)),
        "page": NewClient("p", "p", (URI,), public=True),
        "native": NewClient("n", "n", ("com.example.shop:/callback",), public=True, native=True),
    }
    for kind, new in expected.items():
        assert f'href="{NEW}?kind={kind}"' in listed
        await opened(provider, browser, f"{NEW}?kind={kind}")
        await browser.submit("/-new", name=new.name, client_id=new.name, redirect_uris=new.redirect_uris[0])
        made = await find_client(provider.idp, ClientId(new.name))
        await remove_client(provider.idp, new.name)
        wanted = (await add_client(provider.idp, new)).client
        assert replace(made, secret_hash=None) == replace(wanted, secret_hash=None)
    await opened(provider, browser, f"{NEW}?kind=machine")
    reads: dict[str, Any] = {"scopes-stile:audit:read": "on"}
    page = await browser.submit("/-new", name="Nightly", client_id="nightly", audience="https://api.example", **reads)
    provider.secrets["nightly"] = secret_on(page)
    await read_clients(provider.idp)
    answer = await provider.token("nightly", grant_type="client_credentials", scope="stile:audit:read")
    assert answer.status_code == 200, answer.text


async def test_a_machine_may_have_a_key_of_its_own(provider: Provider, browser: Browser) -> None:
    await opened(provider, browser, f"{NEW}?kind=machine")
    keys = {"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}
    page = await browser.submit("/-new", name="Keyed", auth_method="private_key_jwt", jwks=json.dumps(keys))
    assert "The application is registered." in page.text
    assert "Copy this now" not in page.text
    made = await find_client(provider.idp, "Keyed")
    assert (made.jwks, made.secret_hash) == (keys, None)


async def test_all_mistakes_are_told_at_once_each_at_its_field(provider: Provider, browser: Browser) -> None:
    typed: dict[str, Any] = {
        "name": "",
        "client_id": "-new",
        "redirect_uris": "javascript:alert(1)",
        "post_logout_redirect_uris": "x",
        "home_uri": "y",
    }
    page = await browser.submit("/-new", **typed)
    assert page.status_code == 422
    for name in typed:
        assert f'href="#{name}"' in page.text, name
        assert f'id="{name}-error"' in page.text, name
    assert "javascript:alert(1)</textarea>" in page.text
    named = [name for name in re.findall('href="#(.*?)"', page.text) if name in typed]
    assert named == [name for name in re.findall(' id="(.*?)"', page.text) if name in typed], "in the order of the form"
    taken: dict[str, Any] = {"name": "Acme Bank", "redirect_uris": URI, "post_logout_redirect_uris": "", "home_uri": ""}
    page = await browser.submit("/-new", client_id="other", **taken)
    assert page.status_code == 409
    assert 'href="#name"' in page.text
    page = await browser.submit("/-new", client_id="bank", name="Other")
    assert page.status_code == 409
    assert 'href="#client_id"' in page.text
    page = await browser.submit("/-new", client_id="other")
    assert page.url.path == "/admin/applications/other"


@pytest.mark.parametrize("client_id", ["", "shop"])
@pytest.mark.parametrize("kind", ["web", "page"])
async def test_a_second_press_leads_where_the_first_did(
    provider: Provider, browser: Browser, client_id: str, kind: str
) -> None:
    form = await opened(provider, browser, f"{NEW}?kind={kind}")
    pages = []
    for _ in range(3):
        browser.page = form
        pages.append(await browser.submit("/-new", name="Shop", redirect_uris=URI, client_id=client_id))
    assert len({page.url.path for page in pages}) == 1
    assert [page.status_code for page in pages] == [200] * 3
    if kind == "web":
        (secret,) = {secret_on(page) for page in pages}
        assert (await find_client(provider.idp, "Shop")).secret_hash == digest(secret)
    assert sum(one.name == "Shop" for one in await list_clients(provider.idp)) == 1


async def test_two_presses_at_once_register_one(provider: Provider, browser: Browser) -> None:
    for number in range(10):
        form = await opened(provider, browser, f"{NEW}?kind=web")
        given = {each.name: each.value for each in browser.form("/-new").fields if each.kind != "checkbox"}
        given |= {"name": f"Shop {number}", "redirect_uris": URI}

        async def press(_: int, given: dict[str, str] = given) -> httpx.Response:
            return await browser.http.post(NEW, data=given)

        answers = await at_once(3, press)
        assert form.status_code == 200
        assert len({secret_on(answer) for answer in answers}) == 1
        assert len({answer.url.path for answer in answers}) == 1


async def test_an_old_form_shows_no_secret_of_today(provider: Provider, browser: Browser) -> None:
    form = browser.page
    await browser.submit("/-new", name="Shop", redirect_uris=URI, client_id="shop")
    given = await new_client_secret(provider.idp, "shop")
    browser.page = form
    page = await browser.submit("/-new", name="Shop", redirect_uris=URI, client_id="shop")
    assert page.status_code == 409
    assert str(given.secret) not in page.text


async def test_the_form_of_another_session_registers_nothing(provider: Provider, browser: Browser) -> None:
    made = next(each.value for each in browser.form("/-new").fields if each.name == "made")
    first = secret_on(await browser.submit("/-new", name="Shop", redirect_uris=URI))
    other = await signed_in(provider, username="eve")
    await opened(provider, other, f"{NEW}?kind=web", username="eve")
    page = await other.submit("/-new", name="Other", redirect_uris=URI, made=made)
    assert (page.status_code, "open for too long" in page.text) == (422, True)
    second = secret_on(await other.submit("/-new", name="Other", redirect_uris=URI))
    browser.page = await browser.get(f"{NEW}?kind=web")
    third = secret_on(await browser.submit("/-new", name="Third", redirect_uris=URI, made=made, client_id="third"))
    assert len({first, second, third}) == 3


async def test_a_form_that_was_open_for_too_long_registers_nothing_and_keeps_what_was_typed(
    provider: Provider, browser: Browser
) -> None:
    form = browser.page
    secret = secret_on(await browser.submit("/-new", name="Shop", redirect_uris=URI))
    provider.clock.move(LIFE + timedelta(seconds=1))
    await opened(provider, browser, f"{NEW}?kind=web")
    browser.page = form
    page = await browser.submit("/-new", name="Shop", redirect_uris=URI)
    assert (page.status_code, secret in page.text) == (422, False)
    assert 'value="Shop"' in page.text
    page = await browser.submit("/-new", name="Another shop")
    assert page.status_code == 200
    assert secret_on(page) != secret


async def test_what_was_typed_survives_a_proof_that_grew_too_old(provider: Provider, browser: Browser) -> None:
    uris = "\n".join(f"https://shop.example/{number}/{'x' * 200}" for number in range(50))
    form = browser.page
    for typed in (uris, URI):
        browser.page = form
        provider.clock.move(timedelta(minutes=6))
        page = await browser.submit("/-new", name="Shop", redirect_uris=typed)
        if "/i/" in page.url.path:
            page = await browser.submit("/totp", code=provider.totp("ada"))
            assert "nothing was done yet" in page.text
        else:
            assert page.status_code == 403
        assert typed in html.unescape(page.text)
        with pytest.raises(NotThere):
            await find_client(provider.idp, "Shop")
    page = await browser.submit("/-new")
    assert "The application is registered." in page.text


@pytest.mark.parametrize("role", ["audit", "desk"])
async def test_who_may_not_register_is_not_offered_it(provider: Provider, role: str) -> None:
    browser = await signed_in(provider, role)
    assert NEW not in (await opened(provider, browser, "/admin/applications")).text
    provider.clock.move(timedelta(seconds=31))
    for path in (NEW, f"{NEW}?kind=web"):
        assert (await opened(provider, browser, path)).status_code == 403


async def test_who_lost_their_role_meanwhile_registers_nothing(provider: Provider, browser: Browser) -> None:
    await add_operator(provider, "eve", "admins")
    form = browser.page
    for groups, status in ((["audit"], 403), ([], 404)):
        await edit_person(provider.idp, "ada", {"groups": groups})
        browser.page = form
        assert (await browser.submit("/-new", name="Mine", redirect_uris=URI)).status_code == status
    assert all(one.name != "Mine" for one in await list_clients(provider.idp))


async def test_a_form_of_somebody_else_is_not_obeyed(provider: Provider, browser: Browser) -> None:
    for token in ({}, {"csrf": "0" * 64}, {"csrf": "x"}):
        given = {"kind": "web", "name": "Mine", "redirect_uris": URI, **token}
        assert (await browser.post(NEW, given)).status_code == 403
    assert all(one.name != "Mine" for one in await list_clients(provider.idp))


HOSTILE = [
    "x" * 5000,
    "\x01\x02",
    "javascript:alert(1)",
    "{}",
    '{"keys":[]}',
    "[" * 3000,
    "😀" * 300,
    "'\"<b>",
    "on",
    "..",
]


@pytest.mark.parametrize("kind", ["web", "machine", "nothing", ""])
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
async def test_nothing_that_is_typed_breaks_the_form(
    provider: Provider, browser: Browser, kind: str, value: str
) -> None:
    form = await opened(provider, browser, f"{NEW}?kind={kind}")
    if kind not in {"web", "machine"}:
        assert "kind=web" in form.text
        form = await opened(provider, browser, f"{NEW}?kind=web")
    names = [each.name for each in browser.form("/-new").fields if each.name not in {"csrf", ""}]
    for name in names:
        browser.page = form
        typed: dict[str, Any] = {"name": "Shop", "client_id": "shop", "kind": kind, name: value}
        page = await browser.submit("/-new", **typed)
        assert page.status_code < 500, name
        assert "<b>" not in page.text
        assert page.url.path.startswith("/admin/applications")
    browser.page = form
    assert (await browser.submit("/-new", name="\0")).status_code == 400


async def test_the_form_costs_what_it_must(provider: Provider, browser: Browser) -> None:
    # The room; how often it was removed; the application and its row of the trail, then the operator; and its page,
    # with the room of that.
    provider.count()
    await browser.get(f"{NEW}?kind=web")
    assert len(provider.statements) == 1, provider.statements
    provider.count()
    await browser.submit("/-new", name="Shop", redirect_uris=URI)
    assert len(provider.statements) == 7, provider.statements
