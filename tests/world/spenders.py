"""People of many countries and what a message to them costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from idp.flows.delivery import spending
from idp.flows.delivery.spending import Cleared
from idp.spending import Denied, Mode, Period, Rule, load_spending
from idp.store.delivery import denials
from idp.store.delivery.messages import Outgoing
from tests.world.provider import Provider

PRICE = Decimal("0.10")


_names = count()


@dataclass(frozen=True, slots=True)
class Person:
    account_id: UUID
    phone: UUID
    number: str


def estonian(block: int, last: int = 1) -> str:
    """Numbers of one block differ in the last three digits only."""
    return f"+3725{block:04d}{last:03d}"


async def person(provider: Provider, number: str) -> Person:
    account_id = await provider.add_person(f"p{next(_names)}")
    return Person(account_id, await provider.add_phone(account_id, number), number)


async def people(provider: Provider, many: int, *, first_block: int = 1000) -> list[Person]:
    """Each in a block of their own."""
    return [await person(provider, estonian(first_block + n)) for n in range(many)]


def message_to(someone: Person, kind: str = "code") -> Outgoing:
    given: dict[str, Any] = {
        "id": uuid4(),
        "account_id": someone.account_id,
        "authenticator_id": someone.phone,
        "kind": kind,
        "fields": {},
    }
    every: dict[str, Any] = {each.name: given.get(each.name) for each in fields(Outgoing)}
    return Outgoing(**every)


async def ask(provider: Provider, someone: Person, kind: str = "code") -> Cleared | Denied:
    return await spending.check(provider.idp, message_to(someone, kind), someone.number, now=provider.clock.now())


async def rule_of(provider: Provider, someone: Person, kind: str = "code") -> str:
    verdict = await ask(provider, someone, kind)
    return str(verdict.rule) if isinstance(verdict, Denied) else "sent"


def use(provider: Provider, text: str = "", countries: Sequence[str] = ("EE",), **modes: str) -> None:
    table = load_spending(text, countries=countries)
    chosen = {**table.modes, **{Rule(rule): Mode(mode) for rule, mode in modes.items()}}
    provider.idp.spending = replace(table, modes=chosen)


async def spent(provider: Provider) -> Mapping[Period, Decimal]:
    return await denials.spent(provider.idp.db, now=provider.clock.now())
