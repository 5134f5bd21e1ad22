"""Roles and scopes by the API from the attacker's side: what gives more than was given, and what ends everything."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from idp.flows.operate.finding import find_user
from idp.flows.operate.policies import try_policy
from tests.world.api import add_operator, calling, kind_of, machine_token, person_token, with_roles
from tests.world.policies import OURS
from tests.world.provider import PASSWORD, Provider


@pytest.fixture(autouse=True)
async def _roles(provider: Provider) -> None:
    with_roles(provider)
    await add_operator(provider, "ada", "admins")
    await add_operator(provider, "hal", "desk")


async def test_who_was_removed_by_id_is_not_another_one_of_that_name(provider: Provider) -> None:
    async with calling(provider, await person_token(provider, "ada")) as http:
        redirect = {"redirect_uris": ["https://pay.example/cb"]}
        for client_id, name in (("payroll", "Payroll 1"), ("other", "payroll")):
            made = await http.post("clients", json={"client_id": client_id, "name": name, **redirect})
            assert made.status_code == 201
        assert (await http.delete("clients/payroll")).status_code == 204
        for method, path in (("DELETE", ""), ("POST", "/disable"), ("POST", "/secret"), ("DELETE", "/logo")):
            assert kind_of(await http.request(method, f"clients/payroll{path}")) == (404, "not_found")
        assert not (await http.get("clients/other")).json()["disabled"]


async def test_helpdesk_puts_nobody_new_where_it_could_put_nobody(provider: Provider) -> None:
    password = {"password": "glubber-fozzle-17-x"}
    async with calling(provider, await person_token(provider, "hal")) as http:
        for path, body in (
            ("people", {"username": "mole", "groups": ["treasury"], **password}),
            ("invitations", {"username": "mole", "groups": ["treasury"]}),
            # Applications believe an address that is verified: it may be somebody else's.
            ("people", {"username": "mole", "email": "boss@example.com", "email_verified": True, **password}),
        ):
            assert kind_of(await http.post(path, json=body)) == (403, "not_permitted")
        added = await http.post("people", json={"username": "new", "email": "new@example.com", **password})
        assert added.status_code == 201
        assert (await http.post("invitations", json={"username": "newer"})).status_code == 201


async def test_a_link_that_helpdesk_kept_opens_nobody_who_has_a_role_now(provider: Provider) -> None:
    alice = (await find_user(provider.idp, "alice")).account.id
    async with calling(provider, await person_token(provider, "hal")) as http:
        recovered = (await http.post(f"people/{alice}/recover", json={"reason": "She called."})).json()["link"]
        invited = (await http.post("invitations", json={"username": "eve"})).json()
    opened = provider.browser()  # and begun, before there was a role
    await opened.get(invited["link"])
    assert (await opened.submit(urlsplit(invited["link"]).path)).url.path == "/welcome"
    async with calling(provider, await person_token(provider, "ada")) as http:
        for who in (alice, invited["id"]):
            raised = await http.patch(f"people/{who}", json={"groups": ["admins"]}, headers={"If-Match": "*"})
            assert any(
                "links that they were given before work no more" in said for said in raised.json()["consequences"]
            )
    for link in (recovered, invited["link"]):
        page = await provider.browser().get(link)
        assert page.status_code == 400
        assert '<form method="post" action="/link' not in page.text
    page = await opened.get("/welcome/password")
    assert "new-password" not in page.text


async def test_the_name_of_a_claim_holds_no_other(provider: Provider) -> None:
    alice = (await find_user(provider.idp, "alice")).account.id
    async with calling(provider, await person_token(provider, "ada")) as http:
        body = {"claims": {"nickname=Mallory": "x"}}
        answer = await http.patch(f"people/{alice}", json=body, headers={"If-Match": "*"})
        assert kind_of(answer) == (422, "invalid")


async def test_a_second_operator_is_another_one_whichever_way_the_first_came(provider: Provider) -> None:
    policy = provider.idp.policy
    provider.idp.policy = replace(policy, recovery=replace(policy.recovery, second_operator=True))
    alice = (await find_user(provider.idp, "alice")).account.id
    browser = provider.browser()
    await browser.get(f"/admin/people/{alice}/recover")
    await browser.submit("/password", username="hal", password=PASSWORD)
    await browser.submit("/totp", code=provider.totp("hal"))
    await browser.submit(f"/admin/people/{alice}/recover", reason="He called.")
    provider.clock.move(timedelta(minutes=1))
    async with calling(provider, await person_token(provider, "hal")) as http:
        again = await http.post(f"people/{alice}/recover", json={"confirm": True})
        assert kind_of(again) == (422, "invalid")
        assert "somebody else has to confirm" in again.json()["detail"]
    async with calling(provider, await person_token(provider, "ada")) as http:
        assert (await http.post(f"people/{alice}/recover", json={"confirm": True})).json()["recovered"]


async def test_the_last_administrator_keeps_what_they_sign_in_with(provider: Provider) -> None:
    ada = await find_user(provider.idp, "ada")
    await provider.add_person("bea", groups=frozenset({"admins"}))  # without an app she administrates nothing
    at = f"people/{ada.account.id}"
    app = next(one for one in ada.authenticators if one.factor == "totp")
    async with calling(provider, await person_token(provider, "ada")) as http:
        for answer in (
            await http.delete(f"{at}/authenticators/{app.id}"),
            await http.post(f"{at}/recover", json={"reason": "I am alone."}),
            await http.post(f"{at}/disable"),
        ):
            assert kind_of(answer) == (403, "not_permitted")
            assert "the last administrator" in answer.json()["detail"]
        # With another app beside it the one may go.
        assert (await http.post(f"{at}/authenticators", json={"factor": "totp"})).status_code == 200
        assert (await http.delete(f"{at}/authenticators/{app.id}")).status_code == 204


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
async def test_a_moment_that_there_is_not_is_a_mistake_and_breaks_nothing(provider: Provider, at: str) -> None:
    async with calling(provider, await machine_token(provider)) as http:
        for name, value in (("after", f"{at}_1"), ("since", at), ("until", at)):
            assert kind_of(await http.get("audit", params={name: value})) == (422, "invalid")


async def test_who_tries_a_huge_policy_holds_nobody_up(provider: Provider) -> None:
    rows = "".join(f'"s{number}" = {{ level = "strong" }}\n' for number in range(5900))
    text = OURS.replace("[scopes]\n", f"[scopes]\n{rows}", 1)
    trying = asyncio.create_task(try_policy(provider.idp, text))
    turns = 0
    while not trying.done():
        await asyncio.sleep(0.001)
        turns += 1
    tried = await trying
    assert turns > 20
    assert not tried.problems
    assert any("s5899" in row for row, _, _ in tried.rows)
    assert any("more scopes" in said for said in tried.consequences)
