"""spending.toml, read. Every mistake is reported at once, by the name of its key."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from idp.errors import SettingsError
from idp.settings import LOOPBACK, Settings
from idp.spending.table import SATELLITE, Conversion, Country, Mode, Money, Neighbours, Period, Rule, Spending

VARIABLE = "IDP_SMS_COUNTRIES"
NOTHING_OPEN = "No country is open, so no text message is sent: set IDP_SMS_COUNTRIES, as in `EE FI US:known_only`."
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_HOUR = timedelta(hours=1)
_DECIMALS = 12  # more than any price has; PostgreSQL ends at 16383


def _duration(value: object) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,4})([mhd])", value) if isinstance(value, str) else None
    if found is None or int(found[1]) == 0:
        raise ValueError('must be a duration such as "30m", "12h", "2d"')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _amount(value: object) -> Decimal:
    # Not through float: the sums have to come out even.
    if not isinstance(value, bool) and isinstance(value, (int, Decimal)):
        amount = Decimal(value)
        exponent = amount.as_tuple().exponent
        if isinstance(exponent, int) and exponent >= -_DECIMALS and 0 <= amount <= 10**9:
            return amount
    raise ValueError("must be an amount of money, zero or more")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
Percent = Annotated[int, Field(ge=0, le=100)]


def _currency(value: object) -> str:
    if isinstance(value, str) and re.fullmatch("[A-Z]{3}", value):
        return value
    raise ValueError('must be three capital letters, as in "EUR"')


class _Part(BaseModel):
    # A misspelt key would otherwise be a rule that silently does not hold.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, strict=True)


class _Modes(_Part):
    parse: Mode = Mode.ENFORCE
    suppression: Mode = Mode.ENFORCE
    country: Mode = Mode.ENFORCE
    line_type: Mode = Mode.ENFORCE
    neighbours: Mode = Mode.ENFORCE
    conversion: Mode = Mode.ENFORCE
    money: Mode = Mode.ENFORCE

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, strict=False)


class _Neighbours(_Part):
    numbers: int = Field(default=4, ge=2, le=1000)
    per: Duration = _HOUR
    closed: Duration = 12 * _HOUR


class _Conversion(_Part):
    sends: int = Field(default=20, ge=1, le=1_000_000)
    known_only_below: Percent = 35
    closed_below: Percent = 15
    closed: Duration = 12 * _HOUR


class _Money(_Part):
    currency: Annotated[str, BeforeValidator(_currency)] = "EUR"
    hour: Amount = Decimal(50)
    day: Amount = Decimal(300)
    month: Amount = Decimal(3000)
    alarm: int = Field(default=80, ge=1, le=100)
    reserve: Percent = 20


class _File(_Part):
    countries: dict[str, object] = Field(default_factory=dict)
    rules: _Modes = Field(default_factory=_Modes)
    neighbours: _Neighbours = Field(default_factory=_Neighbours)
    conversion: _Conversion = Field(default_factory=_Conversion)
    money: _Money = Field(default_factory=_Money)
    prices: dict[str, Amount] = Field(default_factory=dict)


def load_spending(
    text: str, *, countries: Sequence[str] = (), unnamed: Country = Country.DENY, name: str = "spending"
) -> Spending:
    """The table that this TOML text describes, with the words of `IDP_SMS_COUNTRIES` on top.

    `unnamed` holds only while no country is named anywhere. SettingsError with every mistake, one sentence each that
    begins with `name`: the file's.
    """
    problems: list[str] = []
    file = _read(text, name, problems)
    named = {
        **_named(file.countries, f"{name}: countries", problems),
        **_named(_split(countries), VARIABLE, problems),
    }
    strange = (region for region in file.prices if region != "*" and region not in SUPPORTED_REGIONS)
    problems += [f"{name}: prices.{region}: {_no_region(region)}" for region in strange]
    if file.conversion.closed_below > file.conversion.known_only_below:
        problems.append(f"{name}: conversion.closed_below: must not be more than known_only_below")
    if problems:
        raise SettingsError(problems)
    return Spending(
        modes=MappingProxyType({rule: getattr(file.rules, rule.value) for rule in Rule}),
        countries=MappingProxyType(dict(sorted(named.items()))),
        unnamed=Country.DENY if named else unnamed,
        neighbours=Neighbours(**dict(file.neighbours)),
        conversion=Conversion(**dict(file.conversion)),
        money=Money(
            currency=file.money.currency,
            budgets=MappingProxyType({period: getattr(file.money, period.value) for period in Period}),
            alarm=file.money.alarm,
            reserve=file.money.reserve,
        ),
        prices=MappingProxyType({"*": Decimal("0.10"), **file.prices}),
    )


# What the validator says to programmers, in an operator's words.
_KINDS = {
    "extra_forbidden": "unknown key",
    "int_type": "must be a whole number",
    "model_type": "must be a table",
    "dict_type": "must be a table",
}


def _read(text: str, name: str, problems: list[str]) -> _File:
    """The file as far as it is right; what is wrong is written down."""
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{name}: not TOML: {error}")
        return _File()
    except (ValueError, ArithmeticError, RecursionError) as error:  # a number without end, brackets within brackets
        problems.append(f"{name}: not TOML: {type(error).__name__}")
        return _File()
    try:
        return _File.model_validate(raw)
    except ValidationError as error:
        for mistake in error.errors(include_input=False, include_url=False, include_context=False):
            where = ".".join(str(part) for part in mistake["loc"])
            said = mistake["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            problems.append(f"{name}: {where}: {_KINDS.get(mistake['type'], said)}")
    given = raw.get("countries")
    return _File(countries=given if isinstance(given, dict) else {})


def _split(words: Sequence[str]) -> dict[str, object]:
    """`EE FI US:known_only`, as a table of countries."""
    pairs = (word.partition(":") for word in words)
    return {region: mode if colon else Country.ALLOW for region, colon, mode in pairs}


def _named(countries: Mapping[str, object], where: str, problems: list[str]) -> dict[str, Country]:
    named: dict[str, Country] = {}
    for region, mode in countries.items():
        if region not in SUPPORTED_REGIONS:
            problems.append(f"{where}: {_no_region(region)}")
        elif mode not in list(Country):
            problems.append(f"{where}: {region} must be allow, known_only or deny")
        else:
            named[region] = Country(str(mode))
    return named


def _no_region(region: str) -> str:
    if region == SATELLITE:
        return "001 (satellites and other numbers without a country) is never texted"
    return f"{region[:20]!r} is not an ISO region such as EE or US (GB, not UK)"


def sends_out(settings: Settings) -> bool:
    """Whether text messages leave this machine, and so cost somebody money. Unknown gateways count as if.

    Where people sign in from elsewhere, a gateway on this machine is a relay to a provider.
    """
    return any(not _stays_here(settings, name) for name in settings.gateway_names())


def _stays_here(settings: Settings, gateway: str) -> bool:
    url = getattr(settings, f"{gateway}_url", None)
    # mail is not a text message
    if gateway in {"console", "smtp"}:
        return True
    return settings.loopback and isinstance(url, str) and urlsplit(url).hostname in LOOPBACK


def read_spending(settings: Settings) -> Spending:
    """The operator's spending table, or ours, with `IDP_SMS_COUNTRIES`. Raises `SettingsError` with every mistake.

    Countries are closed until opened. Where nothing leaves this machine there is nothing to pay, and none has to be.
    """
    try:
        text = default_text() if settings.spending is None else settings.spending.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"IDP_SPENDING cannot be read ({type(error).__name__})"]) from None
    unnamed = Country.DENY if sends_out(settings) else Country.ALLOW
    name = "spending" if settings.spending is None else str(settings.spending)
    return load_spending(text, countries=settings.sms_countries, unnamed=unnamed, name=name)


@cache
def default_spending() -> Spending:
    """The table that comes with the package: no country is open."""
    return load_spending(default_text())


def default_text() -> str:
    """The file that comes with the package."""
    return (files("idp.spending") / "spending.toml").read_text(encoding="utf-8")
