"""What is looked at by the API: one row of the trail, and what a check-up finds."""

import asyncio
import base64
from decimal import Decimal

import pytest

from idp.flows.operate.overview import overview
from idp.flows.operate.pictures import LARGEST
from idp.policy import Act
from idp.policy.operating import RIGHTS
from idp.spending import Period
from tests.world.api import calling, kind_of, machine_token, with_roles
from tests.world.pictures import png
from tests.world.provider import Provider
from tests.world.waiting import NEVER


@pytest.fixture
async def token(provider: Provider) -> str:
    with_roles(provider)
    return await machine_token(provider)


async def test_one_row_of_the_trail_is_as_in_the_list(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        [first, *_] = (await http.get("audit")).json()["events"]
        assert (await http.get(f"audit/{first['id']}")).json() == first
        for nothing in ("0", "-1", "x", "9" * 18, "9" * 19, "9" * 30, "%00", "%D9%A1"):
            assert (await http.get(f"audit/{nothing}")).status_code in {400, 404}, nothing


async def test_a_check_up_says_what_the_command_says(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        async with asyncio.timeout(NEVER):
            while (found := (await http.get("checkup")).json())["looking"]:
                pass
        assert {one["state"] for one in found["findings"]} <= {"ok", "warn", "fail"}
        assert {"settings", "database", "policy"} <= {one["what"] for one in found["findings"]}
        assert found["whole"] is False
        provider.count()
        assert (await http.get("checkup")).json() == found
        assert len(provider.statements) == 1  # whose token it is
        asked = await http.post("checkup")
        assert asked.status_code == 200, asked.text


async def test_who_may_not_look_at_the_policy_gets_no_check_up(provider: Provider) -> None:
    with_roles(provider)
    token = await machine_token(provider, "stile:audit:read")
    async with calling(provider, token) as http:
        for answer in (await http.get("checkup"), await http.post("checkup")):
            assert kind_of(answer) == (403, "insufficient_scope")
    assert "stile:audit:read" not in RIGHTS[Act.SEE_POLICY].scopes


async def test_a_logo_may_be_as_large_as_in_the_console(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        for size, status in ((LARGEST - 10, 200), (LARGEST + 10, 422), (3 * LARGEST, 413)):
            content = png(note=bytes(size - len(png()) - 12))
            answer = await http.put("clients/bank/logo", json={"content": base64.b64encode(content).decode()})
            assert answer.status_code == status, answer.text


async def test_the_overview_is_the_consoles_in_figures(provider: Provider, token: str) -> None:
    assert (await provider.redeem(await provider.code(provider.browser()))).status_code == 200
    wrong = provider.browser()
    await wrong.get(provider.authorize_url())
    await wrong.submit("/password", username="alice", password="not this one")
    day = await overview(provider.idp)
    async with calling(provider, token) as http:
        provider.count()
        answer = await http.get("overview")
        assert len(provider.statements) == 6  # whose token it is, and the five of the console
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert len(found["hours"]) == 24
    now = found["hours"][-1]
    assert now["hour"] == day.hours[-1].isoformat().replace("+00:00", "Z")
    assert (now["sign_ins"], now["refused"], now["codes_sent"], now["codes_right"]) == (1, 1, 1, 1)
    assert sum(one["sign_ins"] for one in found["hours"]) == 1
    assert found["countries"] == [{"region": "EE", "sent": 1, "arrived": 0, "right": 1}]
    money = provider.idp.spending.money
    assert found["currency"] == money.currency
    assert {name: Decimal(one["budget"]) for name, one in found["money"].items()} == {
        period.value: budget for period, budget in money.budgets.items()
    }
    assert Decimal(found["money"]["hour"]["spent"]) == day.spent[Period.HOUR] > 0
    assert found["queue"] == {"waiting": 0, "since": None}


async def test_the_overview_takes_every_scope_of_what_it_shows(provider: Provider) -> None:
    with_roles(provider)
    needed = ("stile:people:read", "stile:sending:read", "stile:audit:read")
    for one in needed:
        token = await machine_token(provider, *(each for each in needed if each != one))
        async with calling(provider, token) as http:
            answer = await http.get("overview")
            assert kind_of(answer) == (403, "insufficient_scope")
            assert f'scope="{one}"' in answer.headers["www-authenticate"]
