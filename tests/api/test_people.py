"""People by the API: what the commands do, and nobody more than they may."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from idp.cli.people import account_json, authenticator_json
from idp.flows.operate.finding import find_user
from idp.policy import Act
from idp.store.sql import Sql
from idp.web.api import routes
from idp.web.api.persons import AccountShown, AuthenticatorShown
from tests.world.api import EVERY, add_operator, calling, kind_of, machine_token, person_token, with_roles
from tests.world.parallel import at_once
from tests.world.provider import Provider

_HASH = Sql("SELECT password_hash IS NULL FROM account WHERE username = :username")
_CLOSED = Sql("SELECT fields FROM audit_event WHERE name = 'authenticator.removed'")
ADA: dict[str, Any] = {"username": "ada", "password": "tulip gravel 77 ocean", "phone": "+37251234567"}
NOBODY = UUID("3b241101-e2bb-4255-8caf-4136c566a962")


@pytest.fixture
async def token(provider: Provider) -> str:
    with_roles(provider)
    return await machine_token(provider)


async def _id(http: httpx.AsyncClient, username: str) -> str:
    found = (await http.get("people", params={"username": username})).json()
    assert found["total"] == 1
    name: str = found["users"][0]["id"]
    return name


async def test_the_words_are_those_of_the_commands(provider: Provider) -> None:
    found = await find_user(provider.idp, "alice")
    assert set(AccountShown.__struct_fields__) == {*account_json(found.account), "locale"}
    assert set(AuthenticatorShown.__struct_fields__) == {*authenticator_json(found.authenticators[0]), "passkey"}


async def test_somebody_is_added_found_changed_and_removed(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        made = await http.post("people", json=ADA)
        assert made.status_code == 201, made.text
        there = made.headers["location"].removeprefix("/api/v1/")
        assert there == f"people/{await _id(http, 'ada')}"
        changed = await http.patch(there, json={"name": "Ada L"}, headers={"If-Match": made.headers["etag"]})
        assert changed.status_code == 200, changed.text
        assert (changed.json()["name"], changed.json()["changed"]) == ("Ada L", ["name"])
        late = await http.patch(there, json={"name": "A"}, headers={"If-Match": made.headers["etag"]})
        assert kind_of(late) == (412, "outdated")
        seen = await http.get(there)
        assert seen.headers["etag"] == changed.headers["etag"]
        assert ADA["password"] not in seen.text
        assert ADA["phone"] not in seen.text
        assert kind_of(await http.delete(there)) == (428, "precondition_required")
        assert (await http.get(f"{there}/removal")).json()["consequences"]
        assert (await http.delete(there, headers={"If-Match": seen.headers["etag"]})).status_code == 204
        assert kind_of(await http.get(there)) == (404, "not_found")


async def test_an_invitation_tells_its_link_once(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        sent = {"username": "ada", "email": "ada@example.com"}, {"Idempotency-Key": "k1"}
        made = await http.post("invitations", json=sent[0], headers=sent[1])
        again = await http.post("invitations", json=sent[0], headers=sent[1])
    assert made.json()["link"].startswith("http://localhost:8000/")
    assert (again.json()["link"], again.json()["given_once"]) == (None, ["link"])
    assert await provider.rows(_HASH, username="ada") == [(True,)]


async def test_who_is_kept_out_and_let_in_again(provider: Provider, token: str) -> None:
    browser = provider.browser()
    await provider.code(browser, "bob")
    async with calling(provider, token) as http:
        bob = await _id(http, "bob")
        assert len((await http.get(f"people/{bob}/sessions")).json()["sessions"]) == 1
        devices = (await http.get(f"people/{bob}/devices")).json()["devices"]
        assert (await http.delete(f"people/{bob}/devices/{devices[0]['id']}")).status_code == 204
        assert kind_of(await http.delete(f"people/{bob}/devices/{devices[0]['id']}")) == (404, "not_found")
        assert (await http.post(f"people/{bob}/disable")).json()["disabled"] is True
        assert (await http.get(f"people/{bob}/sessions")).json() == {"sessions": []}
        assert (await http.post(f"people/{bob}/enable")).json()["disabled"] is False
        assert (await http.post(f"people/{bob}/freeze")).json() == {"frozen": True, "new": True}
        assert "lifted" in (await http.post(f"people/{bob}/unlock")).json()
        assert (await http.get(f"people/{bob}/standing")).json()["has_password"] is True
        assert (await http.get(f"people/{bob}/messages")).json()["messages"]


async def test_one_session_of_several_is_ended(provider: Provider, token: str) -> None:
    await provider.code(provider.browser(), "bob")
    async with calling(provider, token) as http:
        bob = await _id(http, "bob")
        one = (await http.get(f"people/{bob}/sessions")).json()["sessions"][0]["id"]
        assert kind_of(await http.delete(f"people/{bob}/sessions/{uuid4()}")) == (404, "not_found")
        assert (await http.delete(f"people/{bob}/sessions/{one}")).status_code == 204
        assert (await http.delete(f"people/{bob}/sessions")).json() == {"ended": 0}


async def test_seeds_and_codes_are_given_once(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        bob = await _id(http, "bob")
        for factor, secrets in (("totp", ["otpauth_uri", "secret"]), ("recovery", ["recovery_codes"])):
            path, key = f"people/{bob}/authenticators", {"Idempotency-Key": factor}
            made = await http.post(path, json={"factor": factor}, headers=key)
            again = await http.post(path, json={"factor": factor}, headers=key)
            assert all(made.json()[name] for name in secrets)
            assert again.json()["given_once"] == secrets
            assert [again.json()[name] for name in secrets] == [None for _ in secrets]
        listed = (await http.get(f"people/{bob}/authenticators")).json()["authenticators"]
        assert sorted(one["factor"] for one in listed) == ["recovery", "sms", "totp"]
        app = next(one["id"] for one in listed if one["factor"] == "totp")
        assert (await http.delete(f"people/{bob}/authenticators/{app}")).status_code == 204
        assert kind_of(await http.post(f"people/{bob}/authenticators", json={"factor": "sms"})) == (422, "invalid")


async def test_of_many_who_close_an_authenticator_one_does_and_its_owner_is_told_once(
    provider: Provider, token: str
) -> None:
    alice = await find_user(provider.idp, "alice")
    async with calling(provider, token) as http:
        for round_, one in enumerate(alice.authenticators, 1):

            async def close(_: int, http: httpx.AsyncClient = http, one: UUID = one.id) -> int:
                return (await http.delete(f"people/{alice.account.id}/authenticators/{one}")).status_code

            assert sorted(await at_once(4, close)) == [204, 404, 404, 404]
            assert len(await provider.rows(_CLOSED)) == round_


async def test_a_machine_without_the_row_touches_no_factor(provider: Provider) -> None:
    with_roles(provider, machines=["stile:people:read", "stile:people:write"])
    token = await machine_token(provider, "stile:people:read", "stile:people:write")
    async with calling(provider, token) as http:
        bob = await _id(http, "bob")
        for path, body in (("reset", {}), ("password", {"password": "x"}), ("authenticators", {"factor": "totp"})):
            assert kind_of(await http.post(f"people/{bob}/{path}", json=body)) == (403, "insufficient_scope")


@pytest.mark.parametrize("who", ["machine", "helpdesk"])
async def test_nobody_but_an_administrator_touches_who_has_a_role(provider: Provider, token: str, who: str) -> None:
    await add_operator(provider, "root", "admins")
    await add_operator(provider, "hanna", "desk")
    used = token if who == "machine" else await person_token(provider, "hanna")
    root = (await find_user(provider.idp, "root")).account.id
    async with calling(provider, used) as http:
        etag = (await http.get(f"people/{root}")).headers["etag"]
        for path in ("disable", "freeze", "unlock", "reset"):
            assert kind_of(await http.post(f"people/{root}/{path}")) == (403, "not_permitted")
        assert kind_of(await http.delete(f"people/{root}/sessions")) == (403, "not_permitted")
        groups = await http.patch(f"people/{root}", json={"groups": []}, headers={"If-Match": etag})
        assert kind_of(groups) == (403, "not_permitted")
        bob = await _id(http, "bob")
        raised = await http.patch(f"people/{bob}", json={"groups": ["admins"]}, headers={"If-Match": "*"})
        assert kind_of(raised) == (403, "not_permitted")


async def test_of_two_administrators_who_edit_one_thing_one_is_too_late(provider: Provider) -> None:
    with_roles(provider)
    await add_operator(provider, "root", "admins")
    async with calling(provider, await person_token(provider, "root")) as http:
        bob = await _id(http, "bob")
        for round_ in range(10):
            etag = (await http.get(f"people/{bob}")).headers["etag"]
            barrier = asyncio.Barrier(4)

            async def one(number: int, etag: str = etag, barrier: asyncio.Barrier = barrier) -> int:
                await barrier.wait()
                changes = {"name": f"Bob {round_} {number}"}  # noqa: B023 - awaited in this round
                return (await http.patch(f"people/{bob}", json=changes, headers={"If-Match": etag})).status_code

            assert sorted(await asyncio.gather(*(one(number) for number in range(4)))) == [200, 412, 412, 412]


async def test_people_come_by_page(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        first = (await http.get("people", params={"limit": 1})).json()
        second = (await http.get("people", params={"limit": 1, "after": first["next"]})).json()
        assert [one["username"] for one in (*first["users"], *second["users"])] == ["alice", "bob"]
        assert second["next"] is None
        assert (await http.get("people", params={"search": "berg"})).json()["total"] == 1
        assert (await http.get("people", params={"username": "nobody"})).json()["users"] == []
        assert kind_of(await http.get("people", params={"state": "asleep"})) == (400, "unreadable")


async def test_the_trail_says_who_did_what(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        bob = await _id(http, "bob")
        await http.post(f"people/{bob}/disable")
        found = (await http.get("audit", params={"operator": "any", "person": "bob", "limit": 1})).json()
        assert found["events"][0]["fields"]["operator"] == "client:reports"
        assert found["events"][0]["fields"]["change"] == "disabled"
        assert kind_of(await http.get("audit", params={"after": "x"})) == (422, "invalid")
        assert kind_of(await http.get("audit", params={"since": "yesterday"})) == (400, "unreadable")
        assert kind_of(await http.get("audit", params={"person": "nobody"})) == (404, "not_found")


async def test_every_endpoint_asks_for_its_scope_before_anything_else(provider: Provider) -> None:
    """The same refusal whether or not somebody is there."""
    with_roles(provider)
    bob = (await find_user(provider.idp, "bob")).account.id
    for endpoint in routes.ENDPOINTS:
        others = [scope for scope in EVERY if scope not in endpoint.scopes]
        token = await machine_token(provider, *others)
        async with calling(provider, token) as http:
            for person in (bob, NOBODY):
                path = endpoint.path.replace("{id:uuid}", str(person))
                for part in ("{authenticator:uuid}", "{session:uuid}"):
                    path = path.replace(part, str(NOBODY))
                for part in ("{client_id}", "{block}", "{device}"):
                    path = path.replace(part, "bank")
                answer = await http.request(endpoint.method, path.lstrip("/"), content=b"{")
                assert kind_of(answer) == (403, "insufficient_scope"), endpoint.name
                assert f'scope="{endpoint.scopes[0]}"' in answer.headers["www-authenticate"]


async def test_who_writes_no_factors_says_not_how_somebody_new_proves_themselves(provider: Provider) -> None:
    with_roles(provider)
    async with calling(provider, await machine_token(provider, "stile:people:write")) as http:
        cleo = {"username": "cleo", "phone": "+37251234599"}
        for path, body in (("people", {**cleo, "password": "a long enough secret"}), ("invitations", cleo)):
            answer = await http.post(path, json=body)
            assert kind_of(answer) == (403, "insufficient_scope"), answer.text
            assert 'scope="stile:factors:write"' in answer.headers["www-authenticate"]
        assert (await http.post("invitations", json={"username": "cleo"})).status_code == 201


async def test_who_gives_a_phone_that_gets_no_codes_is_told(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        added = await http.post("people", json={**ADA, "phone": "+37061234567"})
        invited = await http.post("invitations", json={"username": "cleo", "phone": "+37061234568"})
        there = added.headers["location"].removeprefix("/api/v1/")
        given = await http.post(f"{there}/authenticators", json={"factor": "sms", "phone": "+37061234569"})
        for answer in (added, invited, given):
            (warning,) = answer.json()["warnings"]
            assert warning.endswith("LT is closed. IDP_SMS_COUNTRIES opens a country."), answer.text
        assert (await http.post("invitations", json={"username": "dora"})).json()["warnings"] == []


def test_every_act_that_is_not_a_commands_has_an_endpoint() -> None:
    there = {endpoint.act for endpoint in routes.ENDPOINTS}
    assert set(Act) - there == {Act.SET_GROUPS, Act.VOUCH, Act.IMPORT, Act.EXPORT}
