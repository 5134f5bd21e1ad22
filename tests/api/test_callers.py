"""Who is let in to the API: by which token, with which scope, in which role, after which proof."""

from dataclasses import replace
from datetime import timedelta

import pytest

from idp.flows.operate.people import set_user_disabled
from idp.store.sql import Sql
from tests.world.api import add_operator, calling, kind_of, machine_token, person_token, with_roles
from tests.world.policies import OURS
from tests.world.provider import Provider

_GROUPS = Sql("UPDATE account SET groups = :groups WHERE username = :username")
_TRAIL = Sql("SELECT fields->>'operator' FROM audit_event WHERE name = 'client.changed' ORDER BY id")


@pytest.fixture(autouse=True)
async def _roles(provider: Provider) -> None:
    with_roles(provider)
    await add_operator(provider, "ada", "admins")
    await add_operator(provider, "olga", "audit")


async def test_without_a_token_there_is_a_bare_challenge(provider: Provider) -> None:
    async with provider.browser().http as http:
        answer = await http.get("/api/v1/clients")
    assert kind_of(answer) == (401, "no_token")
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("token", ["x", "a.b.c", "e" * 5000])
async def test_what_is_no_token_of_ours_is_refused(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        answer = await http.get("clients")
    assert kind_of(answer) == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_token_in_the_address_is_not_looked_at(provider: Provider) -> None:
    token = await machine_token(provider)
    async with provider.browser().http as http:
        answer = await http.get("/api/v1/clients", params={"access_token": token})
    assert kind_of(answer) == (400, "invalid_request")


async def test_a_token_for_another_api_opens_nothing_here(provider: Provider) -> None:
    provider.for_machines("reports")
    elsewhere = {"audience": ("https://reports.example",), "grant_types": frozenset({"client_credentials"})}
    await provider.add_client("elsewhere", "http://localhost:8005/cb", scopes=frozenset({"reports"}), **elsewhere)
    answer = await provider.token("elsewhere", grant_type="client_credentials", scope="reports")
    async with calling(provider, answer.json()["access_token"]) as http:
        assert kind_of(await http.get("clients")) == (401, "invalid_token")


async def test_a_client_with_an_api_of_its_own_may_call_ours_too(provider: Provider) -> None:
    kinds = frozenset({"client_credentials"})
    scopes = frozenset({"stile:clients:read"})
    audience = ("https://reports.example",)
    await provider.add_client("both", "http://localhost:8005/cb", scopes=scopes, grant_types=kinds, audience=audience)
    async with calling(provider, await machine_token(provider, *scopes, client_id="both")) as http:
        assert (await http.get("clients")).status_code == 200


async def test_a_scope_that_is_missing_is_named(provider: Provider) -> None:
    async with calling(provider, await machine_token(provider, "stile:policy:read")) as http:
        assert (await http.get("policy")).status_code == 200
        answer = await http.get("clients")
    assert kind_of(answer) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="stile:clients:read"' in answer.headers["www-authenticate"]


async def test_a_scope_that_machines_lost_is_lost_at_once(provider: Provider) -> None:
    token = await machine_token(provider)
    with_roles(provider, machines=["stile:policy:read"])
    async with calling(provider, token) as http:
        assert (await http.get("policy")).status_code == 200
        assert kind_of(await http.get("clients")) == (403, "insufficient_scope")


async def test_a_role_is_looked_up_at_every_request_in_one_statement(provider: Provider) -> None:
    token = await person_token(provider, "ada")
    async with calling(provider, token) as http:
        provider.count()
        assert (await http.post("policy/try", json={"policy": ""})).status_code == 200
        assert len(provider.statements) == 1
        await provider.rows(_GROUPS, groups=[], username="ada")
        answer = await http.get("clients")
        assert kind_of(answer) == (403, "not_permitted")
        assert "You have no role" in answer.json()["detail"]


async def test_an_auditor_reads_and_changes_nothing(provider: Provider) -> None:
    async with calling(provider, await person_token(provider, "olga")) as http:
        assert (await http.get("clients")).status_code == 200
        answer = await http.post("clients/bank/disable")
        assert kind_of(answer) == (403, "not_permitted")
        assert "www-authenticate" not in answer.headers
        assert not (await http.get("clients/bank")).json()["disabled"]


async def test_a_proof_that_is_too_old_is_asked_for_anew(provider: Provider) -> None:
    token = await person_token(provider, "ada")
    policy = provider.idp.policy
    narrow = replace(policy.scopes["stile:clients:write"], fresh=timedelta(minutes=2))
    provider.idp.policy = replace(policy, scopes={**policy.scopes, "stile:clients:write": narrow})
    provider.clock.move(timedelta(minutes=3))
    async with calling(provider, token) as http:
        assert (await http.get("clients")).status_code == 200  # its own row allows an hour
        answer = await http.post("clients/bank/secret")
    assert kind_of(answer) == (401, "insufficient_user_authentication")
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'acr_values="urn:stile:2fa-strong"' in challenge
    assert "max_age=120" in challenge


async def test_who_is_kept_out_holds_nothing(provider: Provider) -> None:
    token = await person_token(provider, "ada")
    await set_user_disabled(provider.idp, "ada", disabled=True)
    async with calling(provider, token) as http:
        assert kind_of(await http.get("clients")) == (401, "invalid_token")


async def test_a_client_that_is_disabled_or_gone_holds_nothing(provider: Provider) -> None:
    token = await machine_token(provider)
    there = provider.idp.clients
    for now in (replace(there["reports"], disabled=True), None):
        provider.idp.clients = {name: one for name, one in there.items() if name != "reports"}
        if now is not None:
            provider.idp.clients = {**provider.idp.clients, "reports": now}
        async with calling(provider, token) as http:
            assert kind_of(await http.get("clients")) == (401, "invalid_token")


async def test_a_token_that_was_revoked_opens_nothing(provider: Provider) -> None:
    token = await machine_token(provider)
    async with provider.browser().http as http:
        await http.post("/revoke", data={"token": token}, auth=("reports", provider.secrets["reports"]))
    async with calling(provider, token) as http:
        assert kind_of(await http.get("clients")) == (401, "invalid_token")


async def test_the_trail_names_who_did_it(provider: Provider) -> None:
    for token in (await machine_token(provider), await person_token(provider, "ada")):
        async with calling(provider, token) as http:
            assert (await http.post("clients/bank/secret")).status_code == 200
    assert await provider.rows(_TRAIL) == [("client:reports",), ("person:ada",)]


async def test_what_applications_would_lose_takes_the_scope_of_who_looks_at_them(provider: Provider) -> None:
    text = OURS.replace('"transfers:write"', '"transfers:send"')
    told = {}
    for scopes in (("stile:policy:read",), ("stile:policy:read", "stile:clients:read")):
        async with calling(provider, await machine_token(provider, *scopes)) as http:
            answer = await http.post("policy/try", json={"policy": text})
            told[len(scopes)] = answer.json()["consequences"]
            named = await http.post("policy/explain", json={"client": "bank"})
            assert named.status_code == (403 if len(scopes) == 1 else 200)
    assert not any("Acme Bank gets no" in said for said in told[1])
    assert any("stile:clients:read" in said for said in told[1])
    assert any("Acme Bank gets no transfers:write any more" in said for said in told[2])


async def test_a_sign_in_that_is_tried_says_what_the_tokens_would(provider: Provider) -> None:
    sent = {"username": "bob", "client": "bank", "scopes": ["openid", "email", "offline_access"]}
    async with calling(provider, await machine_token(provider)) as http:
        told = (await http.post("policy/explain", json=sent)).json()
        assert told["access_token"]["client_id"] == "bank"
        assert told["id_token"]["acr"] == "urn:stile:2fa"
        assert told["userinfo"]["sub"] == told["access_token"]["sub"]
        assert "offline_access" in told["refreshed"]
        asked = await http.post("policy/explain", json={"client": "bank", "prompts": ["none"]})
        assert not asked.json()["granted"]
        assert asked.json()["access_token"] is None
        wrong = await http.post("policy/explain", json={"prompts": ["never"]})
        assert wrong.json()["errors"][0]["pointer"] == "/prompts/0"
