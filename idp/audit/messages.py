"""The audit events of messages, numbers and money. Pure. None holds a code, an address or a whole phone number."""

from dataclasses import dataclass

from idp.audit.event import Event


@dataclass(frozen=True, slots=True)
class MessageSent(Event):
    """A provider took a message; `provider_id` is its name for it, `to` the masked number or address."""

    name = "message.sent"
    message: str
    gateway: str
    provider_id: str | None
    kind: str
    to: str


@dataclass(frozen=True, slots=True)
class SimSwapped(Event):
    """The SIM of this (masked) number was changed lately: no code was sent, and all that were sent died."""

    name = "number.sim_swapped"
    message: str
    phone: str


@dataclass(frozen=True, slots=True)
class NumberSuppressed(Event):
    """Nothing is sent to this (masked) number any more: a provider said why."""

    name = "number.suppressed"
    phone: str
    reason: str
    gateway: str
    account: str


@dataclass(frozen=True, slots=True)
class MailboxRefused(Event):
    """No mail goes to this (masked) address of theirs any more: it does not exist, or its reader complained."""

    name = "mailbox.refused"
    email: str
    reason: str
    gateway: str


@dataclass(frozen=True, slots=True)
class NumberUnblocked(Event):
    """An operator lets messages go to this (masked) number again."""

    name = "number.unblocked"
    phone: str
    by: str = "operator"


@dataclass(frozen=True, slots=True)
class BlockOpened(Event):
    """An operator lets codes go to a closed block of numbers in this country again."""

    name = "sms.block_opened"
    region: str


@dataclass(frozen=True, slots=True)
class MessageDenied(Event):
    """A spending rule denied a message, or would have: `mode` is enforce or shadow."""

    name = "sms.denied"
    message: str
    phone: str
    rule: str
    mode: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class CountryClosed(Event):
    """Too few codes were verified: the country is closed to never-verified numbers for a while."""

    name = "sms.country_closed"
    region: str
    mode: str
    until: str


@dataclass(frozen=True, slots=True)
class BudgetReached(Event):
    """Money for text messages: a budget is `near`, `used_up`, or at its hard `stop`."""

    name = "sms.budget"
    period: str
    reached: str
    budget: str
    currency: str
