"""The form of an application in the console: every field, what follows before it is saved, and nothing typed lost."""

import html
import json
import re
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from idp.crypto import digest
from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.clients import remove_client
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import ClientId, find_client
from idp.flows.operate.registrations import NewClient
from idp.flows.operate.trail import Search, audit_page
from idp.model import Client
from idp.store.sql import Sql
from idp.web.console import client_fields
from tests.world.api import add_operator, with_roles
from tests.world.console import opened, signed_in
from tests.world.parallel import at_once
from tests.world.provider import Browser, Provider

BANK = "/admin/applications/bank"
EDIT = f"{BANK}/edit"
KEYS = json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]})


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, with the form of the bank open."""
    with_roles(provider)
    browser = await signed_in(provider)
    assert (await opened(provider, browser, EDIT)).status_code == 200
    return browser


async def bank(provider: Provider) -> Client:
    return await find_client(provider.idp, ClientId("bank"))


async def test_the_form_that_nobody_touched_changes_nothing(provider: Provider, browser: Browser) -> None:
    before = await bank(provider)
    page = await browser.submit("/edit")
    assert page.url.path == BANK
    assert await bank(provider) == before


def test_the_form_has_every_field_that_may_change(provider: Provider) -> None:
    shown = client_fields.fieldsets(provider.idp.policy, {})
    names = [one.name for part in shown for one in part.inputs]
    assert sorted(names) == sorted({each.name for each in fields(NewClient)} - {"client_id", "public"})


async def test_what_follows_is_said_before_anything_is_saved(provider: Provider, browser: Browser) -> None:
    before = await bank(provider)
    uris = "https://bank.example/new\r\nhttps://bank.example/other"
    page = await browser.submit("/edit", name="Corner Bank", redirect_uris=uris, without="first_party")
    assert page.status_code == 200
    assert "People are asked for consent." in page.text
    assert "https://bank.example/new" in page.text
    assert await bank(provider) == before
    page = await browser.submit("/edit", sure="1")
    assert page.url.path == BANK
    assert "What you changed is saved." in page.text
    assert "People are asked for consent." in page.text
    now = await bank(provider)
    assert (now.name, now.first_party) == ("Corner Bank", False)
    assert now.redirect_uris == ("https://bank.example/new", "https://bank.example/other")
    assert replace(now, name=before.name, first_party=True, redirect_uris=before.redirect_uris) == before
    newest = (await audit_page(provider.idp, Search(client_id="bank", event="client.changed"))).entries[0]
    assert newest.fields["operator"] == "person:ada"


async def test_what_has_no_consequences_is_saved_at_once(provider: Provider, browser: Browser) -> None:
    page = await browser.submit(
        "/edit",
        post_logout_redirect_uris="\n".join(
            (*(await bank(provider)).post_logout_redirect_uris, "https://bank.example/bye")
        ),
    )
    assert "What you changed is saved." in page.text
    assert "https://bank.example/bye" in (await bank(provider)).post_logout_redirect_uris


async def test_every_field_can_be_changed(provider: Provider, browser: Browser) -> None:
    treasury: dict[str, Any] = {"groups-treasury": "on"}
    await browser.submit(
        "/edit",
        without="require_pkce",
        name="Corner Bank",
        home_uri="https://bank.example/",
        redirect_uris="com.example.bank:/callback",
        post_logout_redirect_uris="com.example.bank:/bye",
        origins="capacitor://localhost",
        native="on",
        level="strong",
        auth_method="client_secret_post",
        assertion_audience="issuer",
        require_pushed="on",
        audience="https://api.example",
        id_token_claims="email\nname",
        signing_alg="RS256",
        userinfo_alg="RS256",
        **treasury,
    )
    await browser.submit("/edit", sure="1")
    now = await bank(provider)
    assert (now.name, now.home_uri, now.native) == ("Corner Bank", "https://bank.example/", True)
    assert (now.redirect_uris, now.post_logout_redirect_uris) == (
        ("com.example.bank:/callback",),
        ("com.example.bank:/bye",),
    )
    assert (now.origins, now.groups, now.level.name) == (("capacitor://localhost",), frozenset({"treasury"}), "STRONG")
    assert (now.auth_method.value, now.assertion_audience, now.require_pushed) == ("client_secret_post", "issuer", True)
    assert (now.audience, now.id_token_claims, now.require_pkce) == (
        ("https://api.example",),
        frozenset({"email", "name"}),
        False,
    )
    assert (now.signing_alg, now.userinfo_alg) == ("RS256", "RS256")
    await opened(provider, browser, EDIT)
    kinds: dict[str, Any] = {"grant_types-client_credentials": "on"}
    await browser.submit("/edit", without="scopes-transfers:write", auth_method="private_key_jwt", jwks=KEYS, **kinds)
    await browser.submit("/edit", sure="1")
    now = await bank(provider)
    assert (now.auth_method.value, now.secret_hash) == ("private_key_jwt", None)
    assert now.jwks == json.loads(KEYS)
    assert "transfers:write" not in now.scopes
    assert "client_credentials" in now.grant_types


async def test_all_mistakes_are_told_at_once_each_at_its_field(provider: Provider, browser: Browser) -> None:
    before = await bank(provider)
    typed: dict[str, Any] = {
        "name": "",
        "redirect_uris": "javascript:alert(1)\nhttp://evil.example/\n#",
        "home_uri": "data:text/html,x",
        "origins": "nowhere",
        "level": "godlike",
        "auth_method": "private_key_jwt",
        "jwks": "{",
        "audience": "a b",
        "id_token_claims": "shoe_size",
        "signing_alg": "none",
    }
    page = await browser.submit("/edit", **typed)
    assert page.status_code == 422
    assert 'href="#jwks"' in page.text, "what cannot be read is told first"
    page = await browser.submit("/edit", **typed | {"jwks": ""})
    assert page.status_code == 422
    for name in typed.keys() - {"auth_method"}:
        assert f'href="#{name}"' in page.text, name
        assert f'id="{name}"' in page.text, name
        assert f'id="{name}-error"' in page.text, name
    assert page.text.count('aria-invalid="true"') == len(typed) - 1
    assert "javascript:alert(1)\nhttp://evil.example/" in page.text, "what was typed is still there"
    assert await bank(provider) == before


async def test_a_long_form_that_comes_too_late_is_shown_to_nobody_who_may_not_have_it(
    provider: Provider, browser: Browser
) -> None:
    await add_operator(provider, "hana", "admins")
    await provider.idp.db.one(Sql("UPDATE account SET groups = '{audit}' WHERE username = 'ada'"))
    provider.clock.move(timedelta(minutes=6))
    page = await browser.submit("/edit", redirect_uris="x" * 30_000)
    assert "Your proof is too old for this" not in page.text
    assert "transfers:write" not in page.text


async def test_a_long_list_survives_a_proof_that_grew_too_old(provider: Provider, browser: Browser) -> None:
    uris = "\n".join(f"https://bank.example/{number}/{'x' * 300}" for number in range(60))
    provider.clock.move(timedelta(minutes=6))
    page = await browser.submit("/edit", redirect_uris=uris, name="Corner Bank")
    assert page.status_code == 403
    assert "Your proof is too old for this" in page.text
    assert uris in html.unescape(page.text)
    other = provider.browser()
    other.http.cookies = browser.http.cookies
    assert (await opened(provider, other, EDIT)).status_code == 200
    browser.http.cookies = other.http.cookies
    page = await browser.submit("/edit")
    assert "What follows" in page.text
    await browser.submit("/edit", sure="1")
    assert (await bank(provider)).redirect_uris == tuple(uris.split("\n"))


async def test_a_short_form_that_outlived_its_proof_comes_back_as_it_was(provider: Provider, browser: Browser) -> None:
    provider.clock.move(timedelta(minutes=6))
    await browser.submit("/edit", name="Corner Bank", without="first_party")
    page = browser.page
    assert page is not None
    if "/i/" in page.url.path:
        page = await browser.submit("/totp", code=provider.totp("ada"))
        assert "nothing was done yet" in page.text
    assert 'value="Corner Bank"' in page.text
    assert (await bank(provider)).name != "Corner Bank"


async def test_who_wants_to_change_something_first_finds_all_as_they_typed_it(
    provider: Provider, browser: Browser
) -> None:
    await browser.submit("/edit", name="Corner Bank", audience="https://api.example", without="first_party")
    page = await browser.submit("/edit", again="1")
    assert 'value="Corner Bank"' in page.text
    assert "https://api.example</textarea>" in page.text
    assert 'name="first_party" value="on">' in page.text.replace(" >", ">")
    assert (await bank(provider)).name == "Acme Bank"


async def test_a_second_press_leads_where_the_first_did(provider: Provider, browser: Browser) -> None:
    look = await browser.submit("/edit", name="Corner Bank")
    for _ in range(3):
        browser.page = look
        page = await browser.submit("/edit", sure="1")
        assert (page.status_code, page.url.path) == (200, BANK)
        assert "What you changed is saved." in page.text
    changed = (await audit_page(provider.idp, Search(client_id="bank", event="client.changed"))).entries
    assert len(changed) == 1, "it was changed once"


async def test_a_secret_that_an_application_gets_is_shown_by_either_of_two_presses(
    provider: Provider, browser: Browser
) -> None:
    await edit_client(provider.idp, "bank", {"auth_method": "none"})
    await opened(provider, browser, EDIT)
    look = await browser.submit("/edit", auth_method="client_secret_basic")
    assert "It gets a secret, which is shown once." in look.text
    shown: list[str] = []
    for _ in range(2):
        browser.page = look
        page = await browser.submit("/edit", sure="1")
        shown += re.findall('<p class="secret"><code>(.*?)</code>', page.text)
    secret, again = shown
    assert secret == again
    assert (await bank(provider)).secret_hash == digest(secret)
    assert "Copy this now" not in (await browser.get(BANK)).text
    await opened(provider, browser, EDIT)
    assert secret not in (await browser.submit("/edit")).text, "another form does not tell it"


async def test_the_second_of_two_administrators_sees_what_the_first_changed(
    provider: Provider, browser: Browser
) -> None:
    look = await browser.submit("/edit", name="Second", without="first_party")
    await edit_client(provider.idp, "bank", {"name": "First"})
    for page in (await browser.submit("/edit", sure="1"), await _sent_again(browser, look)):
        assert page.status_code == 409
        assert "meanwhile" in page.text
        assert "First" in page.text
        assert 'value="Second"' in page.text
    assert (await bank(provider)).name == "First"
    await browser.submit("/edit")
    await browser.submit("/edit", sure="1")
    now = await bank(provider)
    assert (now.name, now.first_party) == ("Second", False)


async def _sent_again(browser: Browser, page: httpx.Response) -> httpx.Response:
    browser.page = page
    return await browser.submit("/edit", sure="1")


async def test_an_application_that_was_removed_meanwhile_leads_to_the_list(
    provider: Provider, browser: Browser
) -> None:
    await remove_client(provider.idp, "bank")
    page = await browser.submit("/edit", name="Corner Bank")
    assert page.url.path == "/admin/applications"


@pytest.mark.parametrize("role", ["audit", "desk"])
async def test_who_may_not_edit_is_not_shown_the_form(provider: Provider, role: str) -> None:
    with_roles(provider)
    browser = await signed_in(provider, role)
    assert EDIT not in (await browser.get(BANK)).text
    provider.clock.move(timedelta(seconds=31))
    assert (await opened(provider, browser, EDIT)).status_code == 403


async def test_who_lost_their_role_meanwhile_saves_nothing(provider: Provider, browser: Browser) -> None:
    await add_operator(provider, "eve", "admins")
    look = await browser.submit("/edit", name="Mine")
    for groups, status in ((["audit"], 403), ([], 404)):
        await edit_person(provider.idp, "ada", {"groups": groups})
        assert (await _sent_again(browser, look)).status_code == status
    assert (await bank(provider)).name == "Acme Bank"


HOSTILE = [
    "x" * 5000, "\x01\x02\x7f", "javascript:alert(1)", "{}", '{"keys":[]}', '{"keys":[{"kty":"\\u0000"}]}',
    "[" * 3000, '{"a":' * 3000, "NaN", "😀" * 500, "\u202e", "\r\n\r\n", " ", "'\"<b>", "on", "https://[", "://", "\\",
    "https://a.example:99999/", "1e999", "-1",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
async def test_nothing_that_is_typed_breaks_the_form(provider: Provider, browser: Browser, value: str) -> None:
    names = [each.name for each in browser.form("/edit").fields if each.name not in {"csrf", ""}]
    form = browser.page
    for name in names:
        browser.page = form
        typed: dict[str, Any] = {name: value, "sure": "1"}
        if name == "jwks":
            typed |= {"auth_method": "private_key_jwt"}
        page = await browser.submit("/edit", **typed)
        assert page.status_code < 500, name
        assert "<b>" not in page.text
        assert page.url.path.startswith(BANK)


async def test_a_field_with_what_is_no_text_is_refused(provider: Provider, browser: Browser) -> None:
    form = browser.page
    for name in ("name", "redirect_uris", "jwks", "version", "once", "sure", "scopes-openid"):
        browser.page = form
        assert (await browser.submit("/edit", follow=True, without="", **{name: "\0"})).status_code == 400, name
    browser.page = form
    assert (await browser.submit("/edit", name="x" * 70_000)).status_code == 413


async def test_a_policy_of_many_scopes_has_a_form_too(provider: Provider, browser: Browser) -> None:
    row = provider.idp.policy.scopes["email"]
    many = {f"api:{number}": row for number in range(150)}
    provider.idp.policy = replace(provider.idp.policy, scopes={**provider.idp.policy.scopes, **many})
    await opened(provider, browser, EDIT)
    await browser.submit("/edit", scopes="openid\n" + "\n".join(many))
    await browser.submit("/edit", sure="1")
    assert (await bank(provider)).scopes == {"openid", *many}


async def test_the_form_costs_what_it_must(provider: Provider, browser: Browser) -> None:
    # The room and the applications; the application under its lock, then the operator, and both once more for the page
    # of what follows; then it is changed and written down, and its page is shown.
    provider.count()
    await browser.get(EDIT)
    assert len(provider.statements) == 2, provider.statements
    provider.count()
    await browser.submit("/edit", name="Corner Bank")
    assert len(provider.statements) == 10, provider.statements
    provider.count()
    await browser.submit("/edit", sure="1", follow=False)
    assert len(provider.statements) == 9, provider.statements


async def test_a_draft_goes_in_the_address_as_far_as_there_is_room(provider: Provider, browser: Browser) -> None:
    before = await bank(provider)
    given = {each.name: each.value for each in browser.form("/edit").fields if each.kind != "checkbox" or each.checked}
    for typed, status in (({"name": "Corner Bank"}, 303), ({"name": ""}, 303), ({"name": "Corner " * 500}, 422)):
        answer = await browser.http.request("POST", EDIT, data=given | typed)
        assert answer.status_code == status, typed
        if status == 303:
            assert len(answer.headers["location"]) < 4000
            assert "Corner" not in answer.headers["location"]
            for _ in range(2):
                page = await browser.http.get(answer.headers["location"])
                assert page.status_code == (200 if typed["name"] else 422)
    assert await bank(provider) == before


async def test_an_address_with_a_draft_is_nothing_to_somebody_else(provider: Provider, browser: Browser) -> None:
    given = {each.name: each.value for each in browser.form("/edit").fields if each.kind != "checkbox" or each.checked}
    answer = await browser.http.request("POST", EDIT, data=given | {"name": "Corner Bank"})
    other = await signed_in(provider, username="eve")
    assert (await opened(provider, other, EDIT, "eve")).status_code == 200
    page = await other.get(answer.headers["location"])
    assert page.status_code == 200
    assert "Corner Bank" not in page.text


@pytest.mark.parametrize("token", [{}, {"csrf": "0" * 64}, {"csrf": "x"}])
async def test_a_form_of_somebody_else_is_not_obeyed(
    provider: Provider, browser: Browser, token: dict[str, str]
) -> None:
    before = await bank(provider)
    given = {each.name: each.value for each in browser.form("/edit").fields if each.kind != "checkbox" or each.checked}
    del given["csrf"]
    answer = await browser.post(EDIT, given | {"name": "Mine", "sure": "1"} | token)
    assert answer.status_code == 403
    assert await bank(provider) == before


async def test_of_two_administrators_at_once_one_saves(provider: Provider, browser: Browser) -> None:
    given = {each.name: each.value for each in browser.form("/edit").fields if each.kind != "checkbox" or each.checked}
    for number in range(5):
        await opened(provider, browser, EDIT)
        hidden = {each.name: each.value for each in browser.form("/edit").fields if each.name in {"version", "once"}}
        given = given | hidden

        async def save(which: int, number: int = number, form: dict[str, str] = given) -> bool:
            typed = {**form, "name": f"Bank {number} {which}", "sure": "1"}
            answer = await browser.http.request("POST", EDIT, data=typed)
            assert answer.status_code == 303
            return bool(answer.headers["location"].startswith(f"{BANK}?"))

        assert sorted(await at_once(3, save)) == [False, False, True]
