"""Whoever sends several mistakes is told all of them, where each is, in sentences."""

from typing import Any

import httpx
import pytest

from idp.web.api.mistakes import MOST, mistakes
from idp.web.api.routes import ENDPOINTS
from tests.world.api import calling, kind_of, machine_token, with_roles
from tests.world.provider import Provider


@pytest.fixture
async def token(provider: Provider) -> str:
    with_roles(provider)
    return await machine_token(provider)


def told(answer: httpx.Response) -> dict[str, str]:
    """Each mistake by where it is; all of them are in what people read, too."""
    assert answer.status_code in {400, 422}, answer.text
    body: dict[str, Any] = answer.json()
    assert all(one["detail"] in body["detail"] for one in body["errors"])
    return {one["pointer"]: one["detail"] for one in body["errors"]}


async def test_wrong_types_and_missing_and_unknown_members_are_told_together(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        sent = {"password": 7, "phone": ["x"], "groups": ["desk", 5, None], "email_verified": "yes", "nick/x~": "A"}
        assert told(await http.post("people", json=sent)) == {
            "/nick~1x~0": "nick/x~ is nothing that can be said here: there are username, password, temporary, phone,"
            " name, email, email_verified, groups, locale.",
            "/username": "username is missing.",
            "/password": "password must be a text.",
            "/phone": "phone must be a text or null.",
            "/groups/1": "groups/1 must be a text.",
            "/groups/2": "groups/2 must be a text.",
            "/email_verified": "email_verified must be true or false.",
        }


@pytest.mark.parametrize(
    ("path", "sent", "pointer", "said"),
    [
        ("authenticators", {"factor": "sim"}, "/factor", "factor must be one of sms, totp, recovery."),
        ("authenticators", {"factor": 7}, "/factor", "factor must be one of sms, totp, recovery."),
        ("password", {"password": "x" * 10_001}, "/password", "password must have 10000 characters at most."),
        ("recover", {"reason": {}}, "/reason", "reason must be a text or null."),
        ("reset", {"mail": None}, "/mail", "mail must be true or false."),
    ],
)
async def test_a_mistake_is_a_sentence(
    provider: Provider, token: str, path: str, sent: dict[str, Any], pointer: str, said: str
) -> None:
    async with calling(provider, token) as http:
        one = (await http.get("people", params={"username": "bob"})).json()["users"][0]["id"]
        assert told(await http.post(f"people/{one}/{path}", json=sent)) == {pointer: said}


async def test_of_an_address_all_that_is_wrong_is_told(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        sent = {"limit": "0", "state": "asleep", "offset": "3"}
        found = told(await http.get("people", params=sent))
        assert found["limit"] == "limit must be 1 at least."
        assert found["state"].startswith("state must be one of enabled, disabled, ")
        assert found["offset"].startswith("offset is nothing that can be said here: there are after, limit, ")
        assert told(await http.get("people", params={"limit": "many"})) == {"limit": "limit must be a whole number."}
        assert told(await http.get("people", params={"limit": "501"})) == {"limit": "limit must be 500 at most."}
        for moment in ("yesterday", "2026-01-31T18:00:00"):
            (said,) = told(await http.get("audit", params={"since": moment})).values()
            assert said.startswith("since must be a time with its zone, as in ")


async def test_what_cannot_be_taken_is_told_together(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        new = {"username": "a b", "phone": "12", "email": "x", "groups": ["nobody"], "locale": "?", "password": "abc"}
        assert set(told(await http.post("people", json=new))) == {f"/{name}" for name in new}
        new.pop("password")
        assert set(told(await http.post("invitations", json=new | {"mail": True}))) >= {f"/{name}" for name in new}
        one = (await http.get("people", params={"username": "bob"})).json()["users"][0]["id"]
        changes: dict[str, Any] = {"username": "a b", "name": " ", "email": "x", "groups": ["nobody"], "locale": "?"}
        changes["claims"] = {"nickname": 7, "shoe": "9"}
        answer = await http.patch(f"people/{one}", json=changes, headers={"If-Match": "*"})
        assert set(told(answer)) == {f"/{name}" for name in changes}
        assert kind_of(answer) == (422, "invalid")
        client = {"name": " ", "redirect_uris": ["nowhere"], "scopes": ["nothing"], "level": "low"}
        assert set(told(await http.post("clients", json=client))) == {f"/{name}" for name in client}
        answer = await http.patch("clients/bank", json=client, headers={"If-Match": "*"})
        assert set(told(answer)) == {f"/{name}" for name in client}
        assert set(told(await http.post("clients/bank/consequences", json=client))) == {f"/{name}" for name in client}


async def test_what_is_there_already_says_where_it_was_named(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        for sent, pointer in (({"name": "Acme Bank"}, "/name"), ({"name": "B", "client_id": "bank"}, "/client_id")):
            answer = await http.post("clients", json={**sent, "redirect_uris": ["https://b.example/cb"]})
            assert kind_of(answer) == (409, "already_there")
            assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


async def test_types_and_meaning_are_told_in_one_answer(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        client = {"name": 7, "redirect_uris": ["nowhere", "https://a.example/#x"], "level": "low", "public": "yes"}
        for answer in (
            await http.post("clients", json=client),
            await http.post("clients/bank/consequences", json=client),
            await http.patch("clients/bank", json=client, headers={"If-Match": "*"}),
        ):
            told(answer)
            found = sorted(one["pointer"] for one in answer.json()["errors"])
            assert found == ["/level", "/name", "/public", "/redirect_uris", "/redirect_uris"]
        one = (await http.get("people", params={"username": "bob"})).json()["users"][0]["id"]
        person: dict[str, Any] = {"username": "a b", "email": "x", "locale": 7, "shoe": 9}
        for answer in (
            await http.post("people", json=person | {"password": "abc"}),
            await http.post("invitations", json=person),
            await http.post(f"people/{one}/consequences", json=person),
            await http.patch(f"people/{one}", json=person, headers={"If-Match": "*"}),
        ):
            assert set(told(answer)) >= {f"/{name}" for name in person}
        assert "/password" in told(await http.post("people", json=person | {"password": "abc"}))
        # Whom there is not, and nothing else: what is wrong with the types is said all the same.
        assert set(told(await http.post("clients/none/consequences", json={"name": 7}))) == {"/name"}
        assert (await http.get("clients/bank")).json()["name"] == "Acme Bank"


async def test_nothing_is_said_of_a_field_that_was_not_sent(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        assert set(told(await http.post("clients", json={"name": 7}))) == {"/name"}
        assert set(told(await http.post("people", json={"groups": 7, "username": "zoe"}))) == {"/groups", "/password"}


def test_a_body_of_nothing_but_mistakes_is_told_so_far() -> None:
    endpoint = next(each for each in ENDPOINTS if each.name == "edit_person")
    assert endpoint.takes is not None
    found = mistakes({f"x{number}": 1 for number in range(5000)}, endpoint.takes, strict=True)
    assert len(found) == MOST + 1


def test_of_every_member_every_wrong_kind_is_said_in_words() -> None:
    for endpoint in ENDPOINTS:
        for kind, strict in ((endpoint.takes, True), (endpoint.query, False)):
            for name in () if kind is None else kind.__struct_fields__:
                for value in (None, True, 7, 1.5, "x" * 200_001, [7], {"a": 1}) if strict else ("?" * 400,):
                    for one in mistakes({name: value}, kind, strict=strict) if kind is not None else ():
                        assert "`" not in one.detail
                        assert "nothing" not in one.detail
                        assert "not what" not in one.detail
