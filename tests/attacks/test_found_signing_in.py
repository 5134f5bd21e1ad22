"""Holes that attacks on sign-in and tokens found, and that were mended: none of them opens again."""

import json
import unicodedata
from typing import Any

import asyncpg
import pytest

from idp.errors import AlreadyThere
from idp.flows.operate.clients import remove_client
from idp.flows.operate.finding import find_user
from idp.flows.operate.people import add_user
from tests.world.provider import NOTES_URI, Provider, claims, parameters
from tests.world.stage import MOBILE_URI, SHOP_URI, consent, post, userinfo


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(before + b"stile" + after, id=f"{before!r} {after!r}")
        for before, after in ((b"\xa0", b""), (b"\x85", b""), (b"\x1c", b""), (b"\x0b", b""), (b"", b"\xa0"))
    ],
)
async def test_a_cookie_of_almost_our_name_is_not_ours(provider: Provider, name: bytes) -> None:
    """A byte 0xA0 before a name was taken off like a blank.

    `__Host-` keeps sibling hosts from setting ours, but Chromium lets them set that: their session, in your browser.
    """
    mallory = provider.browser()
    await provider.sign_in(mallory, "bob")
    assert mallory.token is not None
    async with provider.browser().http as alice:
        tossed = await alice.get("/account", headers=[(b"cookie", name + b"=" + mallory.token.encode())])
        assert tossed.status_code == 303
        assert tossed.headers["location"].startswith("/account/sign-in?")
        ours = await alice.get("/account", headers=[(b"cookie", b"a=b; stile=" + mallory.token.encode() + b"; c")])
        assert ours.status_code == 200


async def test_a_cookie_that_comes_twice_is_nobodys(provider: Provider) -> None:
    """Which one is ours, nobody can tell: not the one that a neighbour on this machine gave another path."""
    mallory, alice = provider.browser(), provider.browser()
    await provider.sign_in(mallory, "bob")
    await provider.sign_in(alice)
    async with provider.browser().http as http:
        for first, second in ((mallory, alice), (alice, mallory)):
            headers = {"cookie": f"stile={first.token}; stile={second.token}"}
            assert (await http.get("/account", headers=headers)).status_code == 303


@pytest.mark.parametrize("port", ["0", "65536", "99999", "080"])
async def test_a_port_that_there_is_not_is_no_redirect_uri(provider: Provider, port: str) -> None:
    """A native application may vary the port; one above 65535 was taken, and broke every page of its request."""
    uri = MOBILE_URI.replace("127.0.0.1", f"127.0.0.1:{port}")
    for changes in ({}, {"prompt": "none", "response_mode": "form_post"}, {"response_type": "token"}):
        answer = await provider.browser().get(provider.authorize_url("mobile", redirect_uri=uri, **changes))
        assert (answer.status_code, answer.headers.get("location")) == (400, None), answer.url


MACHINE = frozenset({"authorization_code", "refresh_token", "client_credentials"})


@pytest.mark.parametrize("first_party", [True, False])
@pytest.mark.parametrize("gone", ["removed", "disabled"])
async def test_an_application_that_is_gone_gets_nothing_before_we_heard_of_it(
    provider: Provider, database_url: str, *, gone: str, first_party: bool
) -> None:
    """Each process knows them by heart: a removed one broke what it asked, a disabled one got codes for a while."""
    uri, leaving = NOTES_URI.replace("8002", "8009"), f"leaving-{gone}-{first_party}"
    provider.for_machines("ledger:read")
    await provider.add_client(
        leaving, uri, first_party=first_party, grant_types=MACHINE, scopes=frozenset({"openid", "ledger:read"})
    )
    asked = {"client_id": leaving, "redirect_uri": uri}
    waiting, silent = provider.browser(), provider.browser()
    await provider.sign_in(waiting, prompt="consent", **asked)
    done = await provider.sign_in(silent, **asked)
    if not first_party:
        done = await consent(silent)
    assert "code" in parameters(done)
    if gone == "removed":
        await remove_client(provider.idp, leaving)
    else:
        connection = await asyncpg.connect(database_url)
        await connection.execute("UPDATE client SET disabled_at = now() WHERE id = $1", leaving)
        await connection.close()
    assert leaving in provider.idp.clients, "nobody heard of it"
    answer = await consent(waiting)
    assert answer.status_code in {200, 400}, answer.headers  # asked again, until this process hears of it
    assert "code=" not in answer.headers.get("location", "")
    for prompt in (None, "none"):
        answer = await silent.get(provider.authorize_url(prompt=prompt, **asked))
        assert answer.status_code < 500
        assert "code=" not in answer.headers.get("location", "")
    issued = await provider.token(leaving, grant_type="client_credentials")
    assert (issued.status_code, issued.json()["error"]) == (401, "invalid_client")
    assert (await provider.browser().get(provider.authorize_url(**asked))).status_code < 500


async def test_names_that_look_alike_are_one_name(provider: Provider) -> None:
    """Two people had one name on every page, and who typed theirs on another keyboard had a wrong password."""
    name, password = "josé.kuusk", "a heron waits on cold feet"
    await add_user(provider.idp, username=name, password=password, phone="+37256789047")
    others = (unicodedata.normalize("NFD", name), "\uff2aOS\u00c9.kuu\uff53k", f" {name.upper()}\u3000")
    for typed in others:
        browser = provider.browser()
        await browser.get(provider.authorize_url())
        page = await browser.submit("/password", username=typed, password=password)
        assert "/sms" in page.text
        with pytest.raises(AlreadyThere):
            await add_user(provider.idp, username=typed, password=password, phone="+37256789048")
    assert (await find_user(provider.idp, others[0])).account.username == name


NOSY = json.dumps(
    {
        "userinfo": {"email": None, "phone_number": {"essential": True}, "name": None},
        "id_token": {"email": {"essential": True}, "phone_number": None},
    }
)
SHOP = {"client_id": "shop", "redirect_uri": SHOP_URI, "claims": NOSY}


async def told(provider: Provider, code: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the shop learns of a person: in the ID token and from userinfo."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": SHOP_URI, "client_id": "shop"}
    form |= {"client_secret": provider.secrets["shop"], "code_verifier": provider.pkce.verifier}
    issued = (await post(provider, "/token", form)).json()
    return claims(issued["id_token"]), (await userinfo(provider, issued["access_token"])).json()


async def test_claims_asked_for_one_by_one_need_consent_too(provider: Provider) -> None:
    """The claims parameter brought an application the address and the number of people who had agreed to `openid`."""
    browser = provider.browser()
    page = await provider.sign_in(browser, **SHOP)
    offered = [each.value for each in browser.form("/consent").fields if each.name == "scope"]
    assert sorted(offered) == ["email", "phone", "profile"], page.text
    answer = await browser.submit("/consent", decision="allow", scope="profile")
    id_token, about = await told(provider, parameters(answer)["code"])
    assert not {"email", "phone_number"} & (id_token.keys() | about.keys())
    assert about["name"] == "Alice Ader"
    # What was not agreed to is not to be had in silence either, and is asked for again.
    silent = await browser.get(provider.authorize_url(prompt="none", **SHOP))
    assert parameters(silent)["error"] == "consent_required"
    await browser.get(provider.authorize_url(**SHOP))
    offered = [each.value for each in browser.form("/consent").fields if each.name == "scope"]
    assert sorted(offered) == ["email", "phone"]
    id_token, about = await told(provider, parameters(await consent(browser))["code"])
    assert (id_token["email"], id_token["phone_number"]) == ("alice@example.com", "+37256789045")
    assert (about["email"], about["phone_number"]) == ("alice@example.com", "+37256789045")


@pytest.mark.parametrize("first_party", [True, False])
async def test_claims_of_a_scope_that_an_application_may_not_ask_for_are_not_told(
    provider: Provider, *, first_party: bool
) -> None:
    uri, nosy = NOTES_URI.replace("8002", "8010"), f"nosy-{first_party}"
    await provider.add_client(nosy, uri, first_party=first_party, scopes=frozenset({"openid", "email"}))
    browser = provider.browser()
    answer = await provider.sign_in(browser, client_id=nosy, redirect_uri=uri, scope="openid email", claims=NOSY)
    if not first_party:
        answer = await consent(browser)
    issued = await provider.token(
        nosy,
        grant_type="authorization_code",
        code=parameters(answer)["code"],
        redirect_uri=uri,
        code_verifier=provider.pkce.verifier,
    )
    about = (await userinfo(provider, issued.json()["access_token"])).json()
    for known in (claims(issued.json()["id_token"]), about):
        assert known["email"] == "alice@example.com"
        assert not {"name", "phone_number"} & known.keys()


async def test_a_box_that_was_unticked_is_not_ticked_by_what_was_agreed_to_before(provider: Provider) -> None:
    """Somebody took an application's right to their address away, and it got the address in silence a moment later."""
    browser, uri = provider.browser(), NOTES_URI.replace("8002", "8011")
    await provider.add_client("florist", uri, first_party=False)
    shop = {"client_id": "florist", "redirect_uri": uri, "scope": "openid email profile"}
    await provider.sign_in(browser, **shop)
    assert "code" in parameters(await consent(browser))
    await browser.get(provider.authorize_url(prompt="consent", **shop))
    assert "code" in parameters(await browser.submit("/consent", decision="allow", scope="profile"))
    answer = parameters(await browser.get(provider.authorize_url(prompt="none", **shop)))
    assert answer["error"] == "consent_required"
    await browser.get(provider.authorize_url(**shop))
    assert [each.value for each in browser.form("/consent").fields if each.name == "scope"] == ["email"]
    kept = {**shop, "scope": "openid profile"}
    assert "code" in parameters(await browser.get(provider.authorize_url(prompt="none", **kept)))
    # With every box unticked nothing is granted, and nothing is remembered.
    alone = {**shop, "scope": "profile"}
    await browser.get(provider.authorize_url(prompt="consent", **alone))
    refused = parameters(await browser.submit("/consent", decision="allow", without="scope"))
    assert refused["error"] == "access_denied"
    answer = parameters(await browser.get(provider.authorize_url(prompt="none", **kept)))
    assert answer["error"] == "consent_required"
