"""Sending: what a gateway is given, what it answers, how gateways are found. Attempts, limits, audit are elsewhere.

A gateway is registered as an entry point `idp.sms_gateways` that names a `Factory`; ours are made the same way. It
proves itself with `idp.testing.GatewayContract`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from idp.errors import IdpError, SettingsError
from idp.settings import Settings, missing_for
from idp.sms.plugins import start

if TYPE_CHECKING:
    import httpx

GROUP = "idp.sms_gateways"


class Channel(StrEnum):
    """How a message travels."""

    SMS = "sms"
    EMAIL = "email"


class Outcome(StrEnum):
    """What a try came to. It decides about the next one."""

    ACCEPTED = "accepted"
    NOT_SENT = "not_sent"  # it never reached the provider, or was never processed: try again freely
    AMBIGUOUS = "ambiguous"  # it may have been sent: counts as spent, one more try on another gateway
    REJECTED = "rejected"  # this number or text; final, except UNROUTABLE and BLOCKED, which may go elsewhere
    MISCONFIGURED = "misconfigured"  # credentials, funds, sender: trip this gateway, alarm, go elsewhere


class Reason(StrEnum):
    """Why, in our words, whatever the provider calls it."""

    INVALID_NUMBER = "invalid_number"  # the number is suppressed
    NOT_MOBILE = "not_mobile"
    UNROUTABLE = "unroutable"
    UNREACHABLE = "unreachable"
    OPTED_OUT = "opted_out"  # the number is suppressed
    BLOCKED = "blocked"
    FRAUD_BLOCKED = "fraud_blocked"
    COUNTRY_DISABLED = "country_disabled"
    CONTENT_REJECTED = "content_rejected"
    SENDER_INVALID = "sender_invalid"
    RATE_LIMITED = "rate_limited"
    NO_FUNDS = "no_funds"
    AUTH = "auth"
    EXPIRED = "expired"
    NETWORK = "network"
    TIMEOUT = "timeout"
    PROVIDER_ERROR = "provider_error"
    BAD_RESPONSE = "bad_response"
    UNKNOWN = "unknown"


class Delivery(StrEnum):
    """Where a message is, as far as its receipts tell."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


_PROGRESS = {Delivery.UNKNOWN: 0, Delivery.QUEUED: 1, Delivery.SENT: 2}
_ARRIVED = 3


def latest(known: Delivery | None, reported: Delivery) -> Delivery:
    """What to believe after a receipt, in whatever order receipts come: delivery only ever moves forward."""
    if known is None or _PROGRESS.get(reported, _ARRIVED) > _PROGRESS.get(known, _ARRIVED):
        return reported
    return known


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it leaves. `to` is E.164, for e-mail an address; `ttl` is what is left of the code's life.

    `at` is the moment it leaves. `subject` is for e-mail, and holds no code. `repr` tells no secret.
    """

    attempt_id: UUID
    to: str = field(repr=False)
    text: str = field(repr=False)
    at: datetime
    channel: Channel = Channel.SMS
    code: str | None = field(default=None, repr=False)
    locale: str | None = None
    subject: str | None = field(default=None, repr=False)
    ttl: timedelta = timedelta(minutes=5)
    receipt_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one try. `provider_code` is a code word, never the provider's sentence: that may hold the number."""

    outcome: Outcome
    provider_id: str | None = None
    reason: Reason | None = None
    provider_code: str | None = None
    segments: int | None = None
    cost: Decimal | None = None
    currency: str | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says became of a message it accepted."""

    provider_id: str
    status: Delivery
    reason: Reason | None = None
    provider_code: str | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """A request to our receipt URL, as it came. `headers` have lower-case names; the URL is the public one, with query.

    `received_at` is our own clock's time: signatures older than a few minutes are refused by it.
    """

    method: str
    url: str = field(repr=False)
    received_at: datetime = field(kw_only=True)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class BadSignature(IdpError):
    """A callback that its provider did not sign."""


class Gateway(Protocol):
    """A way to send. Stateless but for its configuration; used by many tasks at once."""

    @property
    def name(self) -> str:
        """The name in `IDP_SMS_GATEWAYS`, in the audit trail and in receipt URLs."""
        ...

    @property
    def channels(self) -> frozenset[Channel]:
        """What it can carry."""
        ...

    @property
    def idempotent(self) -> bool:
        """Whether the same `attempt_id` sent twice reaches the phone once."""
        ...

    async def send(self, message: Message) -> Sent:
        """Try once, in at most 10 s. Never raises for a provider's or a network's fault; logs nothing."""
        ...

    def receipt(self, callback: Callback) -> list[Receipt]:
        """Read a callback; empty when it says nothing. Raises `BadSignature`, and nothing else whatever comes."""
        ...


Factory = Callable[[Settings, "httpx.AsyncClient"], Gateway]
"""Makes a gateway from the settings and the shared client of `wire.new_client`, which the caller closes."""

_OURS = tuple(
    EntryPoint(name=name, value=f"idp.sms.{name}:create", group=GROUP)
    for name in ("console", "smspm", "smtp", "twilio", "vonage", "webhook")
)


def registered() -> dict[str, EntryPoint]:
    """Every gateway there is, by name, not yet imported. Nobody's plug-in takes the name of one of ours."""
    return {entry.name: entry for entry in (*entry_points(group=GROUP), *_OURS)}


def gateway_problems(names: Sequence[str], settings: Settings) -> list[str]:
    """Every unknown name and missing setting, one sentence each. No gateway is started."""
    known = registered()
    unknown = [
        f"IDP_SMS_GATEWAYS: {name!r} is not installed (there are: {', '.join(sorted(known))})"
        for name in names
        if name not in known
    ]
    return unknown + [problem for name in names for problem in missing_for(name, settings)]


def open_gateways(names: Sequence[str], *, settings: Settings, client: "httpx.AsyncClient") -> tuple[Gateway, ...]:
    """The named gateways, in that order. Raises `SettingsError` that lists every unknown name and missing setting.

    One that is not ours and breaks when it is started is a wrong setting too.
    """
    known = registered()
    if problems := gateway_problems(names, settings):
        raise SettingsError(problems)

    def make(factory: Factory) -> Gateway:
        return factory(settings, client)

    return tuple(start(known[name], "IDP_SMS_GATEWAYS", make) for name in names)
