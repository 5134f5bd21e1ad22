"""What is made under an id of its own is given once, however many send the same form at the same time."""

from uuid import UUID, uuid4

import pytest

from idp.errors import AlreadyThere
from idp.flows.operate.authenticators import Made, add_phone, new_recovery_codes, totp_ticket
from idp.flows.operate.finding import find_user
from idp.flows.operate.people import add_user
from idp.flows.operate.trail import Search, audit_page
from idp.model import Factor
from tests.world.parallel import at_once
from tests.world.provider import Provider

ROUNDS, MANY = 8, 6
WORD = "seven green lanterns above the quay"


async def _added(provider: Provider) -> int:
    found = await audit_page(provider.idp, Search(event="authenticator.added"), after=None, limit=500)
    return len(found.entries)


async def test_an_app_is_added_once_and_each_sees_the_same_key(provider: Provider) -> None:
    for number in range(1, ROUNDS + 1):
        made = Made()

        async def give(_: int, made: Made = made) -> str:
            return (await totp_ticket(provider.idp, "bob", made=made)).secret

        assert len(set(await at_once(MANY, give))) == 1
        theirs = (await find_user(provider.idp, "bob")).authenticators
        assert sum(one.factor is Factor.TOTP for one in theirs) == number
        assert await _added(provider) == number


async def test_codes_are_made_once_and_each_sees_the_same(provider: Provider) -> None:
    for number in range(1, ROUNDS + 1):
        made = Made()

        async def give(_: int, made: Made = made) -> tuple[str, ...]:
            return await new_recovery_codes(provider.idp, "bob", made=made)

        assert set(await at_once(MANY, give)) == {made.codes}
        theirs = (await find_user(provider.idp, "bob")).authenticators
        assert [one.id for one in theirs if one.factor is Factor.RECOVERY] == [made.id]
        assert await _added(provider) == number


async def test_a_phone_is_added_once(provider: Provider) -> None:
    for number in range(1, ROUNDS + 1):
        made, phone = Made(), f"+372567890{number:02}"

        async def give(_: int, made: Made = made, phone: str = phone) -> UUID:
            return (await add_phone(provider.idp, "bob", phone, made=made)).id

        assert set(await at_once(MANY, give)) == {made.id}
        assert await _added(provider) == number


async def test_somebody_is_added_once_and_another_of_that_name_is_not(provider: Provider) -> None:
    for number in range(ROUNDS):
        which, name = uuid4(), f"carol-{number}"

        async def add(_: int, which: UUID = which, name: str = name) -> UUID:
            added = await add_user(provider.idp, username=name, password=WORD, phone=None, as_id=which)
            return added.account.id

        assert set(await at_once(MANY, add)) == {which}
        with pytest.raises(AlreadyThere):
            await add_user(provider.idp, username=name, password=WORD, phone=None, as_id=uuid4())
