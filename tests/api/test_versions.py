"""Versions and pages: nobody undoes what somebody else did, and a list that is read on misses and repeats nobody."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.world.api import calling, kind_of, machine_token, with_roles
from tests.world.provider import Provider


@pytest.fixture
async def token(provider: Provider) -> str:
    with_roles(provider)
    return await machine_token(provider)


async def _bob(http: httpx.AsyncClient) -> str:
    found = (await http.get("people", params={"username": "bob"})).json()["users"][0]["id"]
    return f"people/{found}"


async def test_what_was_seen_is_not_sent_again_until_it_changes(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        for there, change in ((await _bob(http), {"name": "Robert"}), ("clients/bank", {"name": "Acme"})):
            etag = (await http.get(there)).headers["etag"]
            for tag in (etag, f"W/{etag}", f'"x", {etag}', "*"):
                same = await http.get(there, headers={"If-None-Match": tag})
                assert (same.status_code, same.content) == (304, b"")
                assert same.headers["etag"] == etag
            assert (await http.head(there, headers={"If-None-Match": etag})).status_code == 304
            for tag in ('"x"', etag.strip('"'), ""):
                assert (await http.get(there, headers={"If-None-Match": tag})).status_code == 200
            assert (await http.patch(there, json=change, headers={"If-Match": etag})).status_code == 200
            assert (await http.get(there, headers={"If-None-Match": etag})).status_code == 200


@pytest.mark.parametrize("tag", ["W/{}", "{}, {}", '"x"', "x", '""', "*, {}", "\u00e9"])
async def test_no_change_is_made_by_a_version_that_is_none(provider: Provider, token: str, tag: str) -> None:
    async with calling(provider, token) as http:
        there = await _bob(http)
        etag = (await http.get(there)).headers["etag"]
        sent: Any = {"If-Match": tag.replace("{}", etag).encode("latin-1")}
        for answer in (
            await http.patch(there, json={"name": "Robert"}, headers=sent),
            await http.delete(there, headers=sent),
        ):
            assert kind_of(answer) == (412, "outdated")
        assert (await http.get(there)).headers["etag"] == etag


async def test_of_many_who_saw_the_same_one_changes_it(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        for there in (await _bob(http), "clients/bank"):
            for round_ in range(4):
                etag, barrier = (await http.get(there)).headers["etag"], asyncio.Barrier(6)

                async def change(
                    number: int, there: str = there, etag: str = etag, barrier: asyncio.Barrier = barrier
                ) -> int:
                    await barrier.wait()
                    sent = {"name": f"Name {round_} {number}"}  # noqa: B023 - awaited before the next round
                    return (await http.patch(there, json=sent, headers={"If-Match": etag})).status_code

                done = await asyncio.gather(*(change(number) for number in range(6)))
                assert sorted(done) == [200] + [412] * 5


@pytest.mark.parametrize(("path", "list_", "name"), [("people", "users", "username"), ("clients", "clients", "name")])
async def test_who_comes_or_goes_meanwhile_makes_nobody_else_missing_or_twice(
    provider: Provider, token: str, path: str, list_: str, name: str
) -> None:
    async with calling(provider, token) as http:

        async def add(which: str) -> str:
            body: dict[str, Any] = {"client_id": which, "name": which, "redirect_uris": ["https://x.example/cb"]}
            if path == "people":
                body = {"username": which, "password": "glubber-fozzle-17-x"}
            made = await http.post(path, json=body)
            assert made.status_code == 201, made.text
            return made.headers["location"].removeprefix("/api/v1/")

        there = {which: await add(which) for which in ("m1", "m3", "m5", "m7", "m9")}
        seen: list[str] = []
        params: dict[str, Any] = {"search": "m", "limit": 2}
        for meanwhile in (("m0", "m1"), ("m4", "m5"), ("m8", "m3")):
            page = (await http.get(path, params=params)).json()
            seen += [each[name] for each in page[list_]]
            params["after"] = page["next"]
            await add(meanwhile[0])
            await http.delete(there[meanwhile[1]], headers={"If-Match": "*"})
        while params["after"] is not None:
            page = (await http.get(path, params=params)).json()
            seen += [each[name] for each in page[list_]]
            params["after"] = page["next"]
        ours = [each for each in seen if each[0] == "m"]
        assert len(ours) == len(set(ours))
        assert {"m7", "m9"} <= set(ours)


async def test_the_trail_is_read_on_from_where_it_was_whatever_happens_meanwhile(
    provider: Provider, token: str
) -> None:
    async with calling(provider, token) as http:
        there = await _bob(http)
        for number in range(7):
            await http.patch(there, json={"name": f"Bob {number}"}, headers={"If-Match": "*"})
        seen: list[int] = []
        params: dict[str, Any] = {"event": "account.changed", "limit": 3}
        while True:
            page = (await http.get("audit", params=params)).json()
            seen += [each["id"] for each in page["events"]]
            await http.patch(there, json={"name": f"Bob {len(seen)}x"}, headers={"If-Match": "*"})
            if page["next"] is None:
                break
            params["after"] = page["next"]
        assert len(seen) == len(set(seen)) == 7
        assert seen == sorted(seen, reverse=True)
        for params in ({"event": "account.chngd"}, {"client_id": "nobody"}):
            wrong = await http.get("audit", params=params)
            assert kind_of(wrong) == (422, "invalid")
            assert {one["pointer"] for one in wrong.json()["errors"]} == set(params)
