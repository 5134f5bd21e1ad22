"""The bank's books: accounts, transfers, money. Pure but for remembering; no HTTP."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

OPENING = Decimal("4280.50")
LARGEST = Decimal("100000.00")
AMOUNT = re.compile(r"[0-9]{1,6}(?:[.,][0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an account. A positive amount came in; `acr` is how a transfer out was confirmed."""

    at: datetime
    party: str
    amount: Decimal
    acr: str | None = None


@dataclass(slots=True)
class Account:
    """One customer's account, newest entry first."""

    number: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def balance(self) -> Decimal:
        """In euros, to the cent."""
        return sum((entry.amount for entry in self.entries), Decimal("0.00"))


class Ledger:
    """All accounts, by the subject the provider knows the customer by."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def account(self, subject: str, *, now: datetime) -> Account:
        """The customer's account; new customers get one with a little history."""
        if subject not in self._accounts:
            history = [
                Entry(now - timedelta(days=2), "Corner Bakery", Decimal("-12.40")),
                Entry(now - timedelta(days=6), "City Power and Light", Decimal("-64.10")),
                Entry(now - timedelta(days=9), "Salary, Northwind Ltd", Decimal("2350.00")),
                Entry(now - timedelta(days=40), "Balance brought forward", OPENING - Decimal("2273.50")),
            ]
            self._accounts[subject] = Account(f"{4821 + len(self._accounts):04d}", history)
        return self._accounts[subject]

    def transfer(self, subject: str, *, payee: str, amount: Decimal, acr: str, now: datetime) -> Entry | None:
        """Book it, or None if the money is not there."""
        account = self.account(subject, now=now)
        if not Decimal(0) < amount <= account.balance:
            return None
        entry = Entry(now, payee, -amount, acr)
        account.entries.insert(0, entry)
        return entry


def amount_of(text: str) -> Decimal | None:
    """Euros as people write them, with a point or a comma; None for anything else, for nothing and for too much."""
    tidy = text.strip().removeprefix("€").replace(" ", "")
    if not AMOUNT.fullmatch(tidy):
        return None
    amount = Decimal(tidy.replace(",", ".")).quantize(Decimal("0.01"))
    return amount if 0 < amount <= LARGEST else None


def euros(amount: Decimal) -> str:
    """As the pages show money."""
    sign = "\N{MINUS SIGN}" if amount < 0 else ""
    return f"{sign}€{abs(amount):,.2f}"
