"""What differs by country: a default and the exceptions, as an operator writes them. Who asks by what is elsewhere.

One form for gateways and senders: the default first, then `XX=` and what holds there, with commas between.
`smspm twilio, US=twilio, EE=smspm+vonage` and `Acme, US=+12025550100, IN=ACMEIN`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from phonenumbers import SUPPORTED_REGIONS

T = TypeVar("T")

_NAME = re.compile("[a-z][a-z0-9_-]{0,39}")
# A number, a name as GSM allows (GSM 03.40 9.1.2.5), or a messaging service of Twilio's, which chooses by itself.
_SENDER = re.compile(r"\+?[0-9]{3,15}|[A-Za-z0-9 +&._-]{1,11}|MG[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class ByRegion(Generic[T]):
    """A value that holds everywhere but in the countries that have their own."""

    default: T
    exceptions: tuple[tuple[str, T], ...] = ()

    def of(self, region: str | None) -> T:
        """What holds in a country (ISO 3166, as in `EE`); the default for None and for every other country."""
        return next((value for name, value in self.exceptions if name == region), self.default)

    def values(self) -> tuple[T, ...]:
        """Everything that holds somewhere, the default first."""
        return (self.default, *(value for _, value in self.exceptions))


def read_orders(text: str) -> ByRegion[tuple[str, ...]]:
    """Gateways in order of preference. Raises `ValueError` with what is wrong; `+` joins those of a country."""
    default, exceptions = _split(re.sub(r"\s+", ",", re.sub(r"\s*([=+])\s*", r"\1", text.strip())))
    return ByRegion(_order(default), tuple((region, _order(value.split("+"))) for region, value in exceptions))


def read_senders(text: str) -> ByRegion[str]:
    """Who a message seems to come from. Raises `ValueError` with what is wrong."""
    default, exceptions = _split(text)
    if len(default) > 1:
        raise ValueError("names more than one sender: a country's own is written XX=sender, as in US=+12025550100")
    return ByRegion(_sender(default[0]), tuple((region, _sender(value)) for region, value in exceptions))


def reader(read: Callable[[str], ByRegion[T]]) -> Callable[[object], object]:
    """`read` for what comes from the environment as text and from a program as it should be."""

    def whatever(value: object) -> object:
        if isinstance(value, list | tuple):
            value = ",".join(str(each) for each in value)
        return read(value) if isinstance(value, str) else value

    return whatever


def _split(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    default = [entry for entry in entries if "=" not in entry]
    exceptions: list[tuple[str, str]] = []
    for entry in entries:
        region, equals, value = (part.strip() for part in entry.partition("="))
        if not equals:
            continue
        # Two letters are nobody's secret; longer mistakes are not repeated.
        if region not in SUPPORTED_REGIONS:
            shown = (
                f"{region} is no country" if re.fullmatch("[A-Za-z]{2}", region) else "what stands before = must be one"
            )
            hint = "GB, not UK" if region.upper() == "UK" else "as in EE"
            raise ValueError(f"names countries by their ISO 3166 code in capitals: {shown} ({hint})")
        if region in dict(exceptions):
            raise ValueError(f"names {region} twice: keep one")
        exceptions.append((region, value))
    if not default:
        raise ValueError("needs one for all other countries, written first and without =")
    return default, exceptions


def _order(names: list[str]) -> tuple[str, ...]:
    order = tuple(name.strip() for name in names)
    if not all(_NAME.fullmatch(name) for name in order):
        raise ValueError("must hold names of gateways, as in smspm, twilio or, for one country, EE=smspm+twilio")
    if len(set(order)) < len(order):
        raise ValueError("names a gateway twice in one order: keep the first")
    return order


def _sender(text: str) -> str:
    if not _SENDER.fullmatch(text):
        raise ValueError("must be a number with country code, or a name of at most 11 letters and digits")
    return text
