"""The spending rules as values: modes, countries, numbers, budgets and prices. Reading the file is in `loading`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

SATELLITE = "001"  # libphonenumber's region for numbers that belong to no country
CONVERSION_WINDOW = timedelta(hours=24)
BLOCK_DIGITS = 3  # a block is a number less its last digits


class Mode(StrEnum):
    """What becomes of what a rule finds."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    OFF = "off"


class Rule(StrEnum):
    """The rules, in the order in which they are asked (sms.md 4; its rule 5 is `limits`, charged by the request)."""

    PARSE = "parse"
    SUPPRESSION = "suppression"
    COUNTRY = "country"
    LINE_TYPE = "line_type"
    NEIGHBOURS = "neighbours"
    CONVERSION = "conversion"
    MONEY = "money"


class Country(StrEnum):
    """Whether the numbers of a region are texted. `known_only`: those that this person verified before."""

    ALLOW = "allow"
    KNOWN_ONLY = "known_only"
    DENY = "deny"


class Period(StrEnum):
    """What a budget is for. Hours, days and months are those of UTC."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """So many never-verified numbers of one block within `per` close it."""

    numbers: int
    per: timedelta
    closed: timedelta


@dataclass(frozen=True, slots=True)
class Conversion:
    """From `sends` on: under how many percent verified a region is for known numbers only, or closed."""

    sends: int
    known_only_below: int
    closed_below: int
    closed: timedelta


@dataclass(frozen=True, slots=True)
class Money:
    """The budgets, and in percent of them: when somebody is told, and what known numbers may use on top."""

    currency: str
    budgets: Mapping[Period, Decimal]
    alarm: int
    reserve: int

    def told_at(self, period: Period) -> Decimal:
        """What is spent when somebody is told."""
        return self.budgets[period] * self.alarm / 100

    def hard_stop(self, period: Period) -> Decimal:
        """What is never exceeded by a booking."""
        return self.budgets[period] * (100 + self.reserve) / 100

    def cap(self, period: Period, *, known: bool) -> Decimal:
        """How far a number may go: to the budget, or to the hard stop when it was verified before."""
        return self.hard_stop(period) if known else self.budgets[period]


@dataclass(frozen=True, slots=True)
class Spending:
    """spending.toml, checked. `unnamed` is what becomes of countries that nobody named."""

    modes: Mapping[Rule, Mode]
    countries: Mapping[str, Country]
    unnamed: Country
    neighbours: Neighbours
    conversion: Conversion
    money: Money
    prices: Mapping[str, Decimal]

    def country(self, region: str | None) -> Country:
        """Whether the numbers of a region are texted; what belongs to no country never is."""
        if region is None or region == SATELLITE:
            return Country.DENY
        return self.countries.get(region, self.unnamed)

    def price(self, region: str | None) -> Decimal:
        """What one message there costs, as far as is known before it is sent."""
        return self.prices.get(region or "*", self.prices["*"])

    @property
    def anything_open(self) -> bool:
        """Whether there is any number at all that could be texted."""
        return self.unnamed is not Country.DENY or any(each is not Country.DENY for each in self.countries.values())
