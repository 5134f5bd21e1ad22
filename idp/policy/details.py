"""Types of `authorization_details` as values: their fields, what approving one takes, and what takes less. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from idp.model import AssuranceLevel, Details

DAY = timedelta(hours=24)
"""What `Tier.day` looks back on."""

TYPE = "type"  # RFC 9396 2
TOLD = frozenset({"transaction_id", "approved_at"})
"""What tokens say of an approval besides what was approved: no field may be called so."""

Sums = Mapping[tuple[str, str], Decimal]
"""What a person approved in the last 24 hours by rows that take less, by type and currency."""


class FieldKind(StrEnum):
    """What the value of a field is."""

    MONEY = "money"  # an object with `amount`, a decimal text, and `currency` (ISO 4217)
    TEXT = "text"  # one line
    IBAN = "iban"  # ISO 13616, as banks exchange it: no blanks
    ACCOUNT = "account"  # any other number of an account: letters, digits, dots, hyphens and blanks
    DATE = "date"  # ISO 8601, a day: 2026-11-28
    COUNT = "count"  # a whole number from 1


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One field. `most`: so many characters, of a count the largest. `currencies` of money; empty: all there are."""

    kind: FieldKind
    label: str | None
    optional: bool
    most: int
    currencies: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tier:
    """A row by which small amounts take less: up to `each`, while those of 24 hours and this one stay up to `day`.

    By currency; one that is not there takes the whole.
    """

    level: AssuranceLevel
    fresh: timedelta | None
    each: Mapping[str, Decimal]
    day: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class DetailsRule:
    """One type. `fresh` as of a scope: `ALWAYS` is a proof made in this very request, None any proof there is.

    `payee` names the field that says who gets it, for the text message. `tiers` are looked at in order.
    """

    title: str | None
    level: AssuranceLevel
    fresh: timedelta | None
    ttl: timedelta
    fields: Mapping[str, FieldRule]
    payee: str | None
    tiers: tuple[Tier, ...] = ()

    @property
    def money(self) -> str | None:
        """The name of the field with the amount; None for a type without one."""
        return next((name for name, rule in self.fields.items() if rule.kind is FieldKind.MONEY), None)


@dataclass(frozen=True, slots=True)
class Amount:
    """The money of one object."""

    type: str
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Charge:
    """What an approval adds to the sum of its person, which must stay up to `most`."""

    amount: Amount
    most: Decimal


@dataclass(frozen=True, slots=True)
class Due:
    """What approving one object takes, and the sum it is charged to where it takes less for being small."""

    type: str
    rule: DetailsRule
    level: AssuranceLevel
    fresh: timedelta | None
    charge: Charge | None = None


def due(details: Details, sums: Sums, rules: Mapping[str, DetailsRule]) -> tuple[Due, ...]:
    """What approving these takes, one by one. KeyError for a type that the policy does not have."""
    return tuple(_due(each, sums, rules[each[TYPE]]) for each in details.objects)


def _due(told: Mapping[str, Any], sums: Sums, rule: DetailsRule) -> Due:
    name: str = told[TYPE]
    money = amount_of(told, rule)
    if money is not None:
        before = sums.get((name, money.currency), Decimal(0))
        for tier in rule.tiers:
            each, day = tier.each.get(money.currency), tier.day.get(money.currency)
            if each is not None and day is not None and money.amount <= each and before + money.amount <= day:
                return Due(name, rule, tier.level, tier.fresh, Charge(money, day))
    return Due(name, rule, rule.level, rule.fresh)


def amount_of(told: Mapping[str, Any], rule: DetailsRule) -> Amount | None:
    """The money in an object of this type that was checked; None where there is none."""
    if rule.money is None or rule.money not in told:
        return None
    money = told[rule.money]
    return Amount(told[TYPE], money["currency"], Decimal(money["amount"]))


def headline(details: Details, rules: Mapping[str, DetailsRule]) -> tuple[Mapping[str, Any], DetailsRule]:
    """What is said of an approval where there is room for one thing: the one with the amount, else the first."""
    both = [(each, rules[each[TYPE]]) for each in details.objects]
    return next(((told, rule) for told, rule in both if amount_of(told, rule) is not None), both[0])


def charge_of(dues: Iterable[Due]) -> Charge | None:
    """What an approval of all of them is charged: one request has one amount at most."""
    return next((each.charge for each in dues if each.charge is not None), None)
