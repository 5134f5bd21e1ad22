"""Lists without an end, as a CSV file takes them: each page costs a page, and who is demoted gets no further one."""

from collections.abc import AsyncIterator, Callable
from uuid import UUID

import pytest

from idp.flows.idp import CONSOLE, Idp
from idp.flows.operate import trail
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import every_person, find_user
from idp.flows.operate.people import set_user_disabled
from idp.flows.operate.permitting import NotPermitted
from idp.flows.operate.sending import deliveries_page
from idp.flows.operate.trail import Search, export
from idp.model import OPERATOR, SHELL, Operator, Role
from idp.policy import OPERATING
from tests.world.api import add_operator, with_roles
from tests.world.provider import Provider

AT_A_TIME = 2


async def _people(idp: Idp) -> AsyncIterator[object]:
    async for one in every_person(idp, at_a_time=AT_A_TIME):
        yield one


async def _trail(idp: Idp) -> AsyncIterator[object]:
    async for one in export(idp, Search()):
        yield one


async def _messages(idp: Idp) -> AsyncIterator[object]:
    after: UUID | None = None
    while True:
        found = await deliveries_page(idp, after=after, limit=AT_A_TIME)
        for one in found.lines:
            yield one
        if (after := found.after) is None:
            return


@pytest.fixture
async def house(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """With more than a page of each: people, events, messages."""
    with_roles(provider)
    monkeypatch.setattr(trail, "PAGE", AT_A_TIME)
    await add_operator(provider, "olga", "audit")
    await set_user_disabled(provider.idp, "bob", disabled=True)
    await set_user_disabled(provider.idp, "bob", disabled=False)
    for number in range(AT_A_TIME + 1):
        await edit_person(provider.idp, "alice", {"email": f"alice-{number}@example.com", "email_verified": True})
    return provider


async def _taken(house: Provider, rows: Callable[[Idp], AsyncIterator[object]], lost: str) -> int:
    """How many rows an auditor gets before the end, who loses this with the first of them."""
    who = (await find_user(house.idp, "olga")).account.id
    OPERATOR.set(Operator("person:olga", Role.AUDITOR, who, CONSOLE, OPERATING))
    seen = 0
    try:
        async for _ in rows(house.idp):
            seen += 1
            if seen > 1:
                continue
            auditor = OPERATOR.get()
            OPERATOR.set(SHELL)
            if lost == "role":
                await edit_person(house.idp, who, {"groups": []})
            elif lost == "account":
                await set_user_disabled(house.idp, who, disabled=True)
            OPERATOR.set(auditor)
    except NotPermitted:
        assert lost
    else:
        assert not lost
    finally:
        OPERATOR.set(SHELL)
    return seen


@pytest.mark.parametrize("rows", [_people, _trail, _messages])
async def test_who_loses_the_role_in_the_middle_gets_no_further_page(
    house: Provider, rows: Callable[[Idp], AsyncIterator[object]]
) -> None:
    assert await _taken(house, rows, "") > AT_A_TIME
    assert await _taken(house, rows, "account") == AT_A_TIME
    await set_user_disabled(house.idp, "olga", disabled=False)
    assert await _taken(house, rows, "role") == AT_A_TIME


async def test_a_page_of_everybody_reads_no_more_than_itself(house: Provider) -> None:
    """Each page counted all: 200,000 people took a minute, and part of a name five."""
    house.count()
    everybody = [one.username async for one in every_person(house.idp, containing="A", at_a_time=AT_A_TIME)]
    assert everybody == sorted(everybody)
    assert {"alice", "olga"} <= set(everybody)
    assert not [statement for statement in house.statements if "count(" in statement]
    assert len(house.statements) == len(everybody) // AT_A_TIME + 1
