"""Applications by the API: what the command does, in the same words."""

import base64
from dataclasses import fields

import pytest

from idp.cli.client_options import fields_of
from idp.flows.opening import read_clients
from idp.flows.operate.registrations import NewClient
from idp.web.api.client_shapes import ClientShown
from idp.web.api.clients import NewClientGiven
from tests.world.api import add_operator, calling, kind_of, machine_token, person_token, with_roles
from tests.world.pictures import png
from tests.world.provider import Provider


@pytest.fixture
async def token(provider: Provider) -> str:
    with_roles(provider)
    return await machine_token(provider)


def test_the_words_are_those_of_the_command(provider: Provider) -> None:
    assert list(ClientShown.__struct_fields__) == list(fields_of(provider.idp.clients["bank"]))
    assert set(NewClientGiven.__struct_fields__) == {each.name for each in fields(NewClient)}


async def test_no_machine_gives_itself_what_it_lacks(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        kinds = {"grant_types": ["client_credentials"], "scopes": ["stile:audit:read"]}
        for method, path, body in (
            ("POST", "clients", {"name": "Nightly", **kinds}),
            ("PATCH", "clients/bank", {"scopes": ["openid", "stile:people:read"]}),
            ("PATCH", "clients/reports", {"name": "Mine"}),
            ("POST", "clients/reports/secret", None),
            ("POST", "clients/reports/disable", None),
            ("DELETE", "clients/reports", None),
        ):
            answer = await http.request(method, path, json=body, headers={"If-Match": "*"})
            assert kind_of(answer) == (403, "not_permitted"), (method, path, answer.text)
        assert (await http.patch("clients/bank", json={"name": "B"}, headers={"If-Match": "*"})).status_code == 200


async def test_a_client_is_registered_and_works(provider: Provider, token: str) -> None:
    await add_operator(provider, "root", "admins")
    token = await person_token(provider, "root", "stile:clients:write")
    async with calling(provider, token) as http:
        kinds = {"grant_types": ["client_credentials"], "scopes": ["stile:audit:read"]}
        made = await http.post("clients", json={"name": "Nightly", "client_id": "nightly", **kinds})
        assert made.status_code == 201, made.text
        assert made.headers["location"] == "/api/v1/clients/nightly"
        assert (await http.get("clients/nightly")).json()["name"] == "Nightly"
    provider.secrets["nightly"] = made.json()["client_secret"]
    await read_clients(provider.idp)
    answer = await provider.token("nightly", grant_type="client_credentials", scope="stile:audit:read")
    assert answer.status_code == 200


async def test_a_change_needs_the_version_that_was_seen(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        seen = (await http.get("clients/bank")).headers["etag"]
        assert kind_of(await http.patch("clients/bank", json={"name": "A"})) == (428, "precondition_required")
        changed = await http.patch("clients/bank", json={"name": "Bank A"}, headers={"If-Match": seen})
        assert changed.status_code == 200
        assert changed.json()["changed"] == ["name"]
        assert changed.json()["consequences"]
        for tag in (seen, f"W/{changed.headers['etag']}", '"x", "y"', "nothing"):
            late = await http.patch("clients/bank", json={"name": "Bank B"}, headers={"If-Match": tag})
            assert kind_of(late) == (412, "outdated")
        last = await http.patch("clients/bank", json={"name": "Bank C"}, headers={"If-Match": changed.headers["etag"]})
        assert last.json()["name"] == "Bank C"
        assert (await http.patch("clients/bank", json={"name": "D"}, headers={"If-Match": "*"})).status_code == 200
        assert kind_of(await http.patch("clients/bank", json={}, headers={"If-Match": "*"})) == (422, "invalid")


async def test_consequences_are_said_before_and_nothing_changes(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        before = (await http.get("clients/bank")).headers["etag"]
        said = await http.post("clients/bank/consequences", json={"first_party": False})
        assert "People are asked for consent." in said.json()["consequences"]
        assert (await http.get("clients/bank")).headers["etag"] == before


async def test_pages_go_on_where_the_one_before_ended(provider: Provider, token: str) -> None:
    names: list[str] = []
    async with calling(provider, token) as http:
        parameters: dict[str, str] = {"limit": "1"}
        while True:
            page = (await http.get("clients", params=parameters)).json()
            names += [one["name"] for one in page["clients"]]
            if page["next"] is None:
                break
            parameters["after"] = page["next"]
    assert names == ["Acme Bank", "Acme Notes", "Acme Reports"]


async def test_a_logo_is_a_picture(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        given = {"content": base64.b64encode(png()).decode()}
        named = await http.put("clients/bank/logo", json=given)
        assert named.status_code == 200, named.text
        assert (await http.get("clients/bank")).json()["logo"] == named.json()["logo"] is not None
        for wrong in ("PHN2Zz48L3N2Zz4=", "no base64!", 7):
            assert kind_of(await http.put("clients/bank/logo", json={"content": wrong})) == (422, "invalid")
        assert (await http.delete("clients/bank/logo")).status_code == 204
        assert (await http.get("clients/bank")).json()["logo"] is None


async def test_what_is_not_there_is_not_there(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        for method, path in (
            ("GET", "clients/nobody"),
            ("DELETE", "clients/nobody"),
            ("POST", "clients/nobody/secret"),
            ("POST", "sending/blocks/zz/open"),
        ):
            assert kind_of(await http.request(method, path)) == (404, "not_found")
        assert (await http.delete("clients/notes")).status_code == 204
        assert kind_of(await http.get("clients/notes")) == (404, "not_found")


async def test_what_a_removal_ends_is_told_and_a_version_that_is_gone_is_not_removed(
    provider: Provider, token: str
) -> None:
    async with calling(provider, token) as http:
        seen = (await http.get("clients/bank")).headers["etag"]
        told = (await http.get("clients/bank/removal")).json()["consequences"]
        assert told[0] == "Whatever names bank is refused: nobody signs in to it any more."
        await http.patch("clients/bank", json={"name": "Corner Bank"}, headers={"If-Match": seen})
        assert kind_of(await http.delete("clients/bank", headers={"If-Match": seen}))[0] == 412
        assert (await http.delete("clients/bank")).status_code == 204
        assert (await http.get("clients/bank/removal")).status_code == 404
