"""Where a code goes, a phone or a verified e-mail address: what it is for, and what sending one costs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from idp import limits
from idp.audit import CodeSent
from idp.flows.delivery.outgoing import masked
from idp.flows.idp import Idp, Visitor, address_key, exempt
from idp.limits import Limit, Sending
from idp.model import APPROVE, Account, Authenticator, Challenge, Device, Factor, Interaction
from idp.policy import Policy, serves_signing_in
from idp.store import rate_limits
from idp.store.refunds import Refund, Refunds
from idp.store.signin.challenges import SIGN_IN, Charges
from idp.typed import mailbox

EMAIL_INDEX = "email"


@dataclass(frozen=True, slots=True)
class Destination:
    """A phone, which is an authenticator, or the verified address of a person, which is none.

    `hint` is what a page and the audit may show of it; `sending` counts what is sent to `subject`. `used`: the person
    may have signed in with it before, so that there are browsers to keep places for.
    """

    factor: Factor
    account_id: UUID
    authenticator_id: UUID | None
    hint: str
    sending: Sending
    subject: bytes | UUID = field(repr=False)
    used: bool

    def purpose(self, interaction: Interaction, policy: Policy) -> str:
        """What a code is for, and for nothing else (OTP-09): to sign in, or for this one request."""
        what = SIGN_IN if serves_signing_in(interaction.request, policy) else "confirm/"
        if interaction.request.details is not None:
            what = APPROVE
        return f"{what}{interaction.id}/{self.authenticator_id or self.factor.value}"

    def sent(self, interaction_id: UUID) -> CodeSent:
        """The audit row for a code that was put into the outbox."""
        if self.factor is Factor.EMAIL:
            return CodeSent(interaction=str(interaction_id), email=self.hint)
        return CodeSent(interaction=str(interaction_id), phone=self.hint)


def destination(
    idp: Idp,
    factor: Factor,
    account: Account,
    authenticators: Sequence[Authenticator],
    *,
    phone_id: UUID | None = None,
) -> Destination | None:
    """Where a code of this kind goes: a phone, or the verified address. None: nowhere.

    The phone is this one if it is open, else the one that comes first.
    """
    match factor:
        case Factor.SMS:
            theirs = phones_of(authenticators)
            phone = next((each for each in theirs if each.id == phone_id), theirs[0] if theirs else None)
            if phone is None:
                return None
            used = phone.last_used_at is not None
            return Destination(factor, account.id, phone.id, phone.hint, idp.limits.sms, number_of(phone), used)
        case Factor.EMAIL:
            if account.mailbox is None:
                return None
            where = mailbox_key(idp, account.mailbox)
            return Destination(factor, account.id, None, masked(account.mailbox), idp.limits.email, where, used=True)
        case Factor.PASSWORD | Factor.TOTP | Factor.RECOVERY | Factor.PASSKEY:
            return None
        case _:
            assert_never(factor)


def phone_of(authenticators: Sequence[Authenticator]) -> Authenticator | None:
    """The phone that codes go to, if nothing else is said."""
    return next(iter(phones_of(authenticators)), None)


def phones_of(authenticators: Sequence[Authenticator]) -> list[Authenticator]:
    """The open phones of a person: the one preferred last, then the newest."""
    phones = [each for each in authenticators if each.factor is Factor.SMS and each.closed_at is None]
    return sorted(phones, key=lambda each: each.preferred_at or each.created_at, reverse=True)


def number_of(phone: Authenticator) -> bytes | UUID:
    """The subject of a limit per number: two people who share one share its limits (threats 2)."""
    return phone.number_key or phone.id


def mailbox_key(idp: Idp, address: str) -> bytes:
    """The subject of a limit per e-mail address, however it is written: a dump does not tell whose it is."""
    return idp.secrets.index(mailbox(address), purpose=EMAIL_INDEX)


def charges(idp: Idp, visitor: Visitor, to: Destination, device: Device | None) -> Charges:
    """What sending one code costs: a place of where it goes, and one of the visitor's address unless it is trusted.

    Where it goes has one budget for all browsers. Strangers leave a part of it to known devices, which have a pace of
    their own too: whoever learnt the password cannot use up what its owner needs (threats 11).
    """
    found = [
        (to.sending.pace, pace(to, device)),
        (to.sending.places if device is not None or not to.used else to.sending.strangers, _places(to)),
        (to.sending.day, limits.subject(to.sending.day, to.subject)),
    ]
    if (address := _address_slots(idp, visitor, device)) is not None:
        found.append(address)
    return found


def refunds(
    idp: Idp, visitor: Visitor, to: Destination, asked: Challenge | None, device: Device | None
) -> Refunds | None:
    """What a verified code gives back: its places of where it went and of the visitor's address, not those of the day.

    A code that was sent again gives back all that it took.
    """
    return (
        None if asked is None else refunds_since(idp, visitor, to, device, since=asked.created_at, places=asked.sends)
    )


def refunds_since(
    idp: Idp, visitor: Visitor, to: Destination, device: Device | None, *, since: datetime, places: int
) -> Refunds:
    """The same of a code that was asked for then, and sent so often."""
    rows = [Refund(to.sending.places, _places(to))]
    if (address := _address_slots(idp, visitor, device)) is not None:
        rows.append(Refund(*address))
    return Refunds(tuple(rows), since=since, places=places)


def pace(to: Destination, device: Device | None) -> bytes:
    """The row that says when this browser may send there again."""
    return limits.subject_in(to.sending.pace, to.subject, "unknown" if device is None else device.subject)


def _places(to: Destination) -> bytes:
    return limits.subject(to.sending.places, to.subject)


def _address_slots(idp: Idp, visitor: Visitor, device: Device | None) -> tuple[Limit, bytes] | None:
    """The row that counts the codes asked for from this visitor's address, None for whom it does not count."""
    if device is not None or exempt(idp, visitor):
        return None
    return idp.limits.sms_address, limits.subject(idp.limits.sms_address, address_key(idp, visitor))


@dataclass(frozen=True, slots=True)
class Next:
    """When the next code can be sent: after `wait` (None: now), and then the one after it only after `then`."""

    wait: timedelta | None
    then: timedelta


async def next_send(idp: Idp, visitor: Visitor, to: Destination, device: Device | None) -> Next:
    """What the limits say of the next code and of the one after it. Closed limits wait for ever, so never closed."""
    now = idp.clock.now()
    charged = charges(idp, visitor, to, device)
    states = await rate_limits.states(idp.db, [key for _, key in charged])
    waits = [limits.wait(limit, states.get(key), now=now) for limit, key in charged]
    longest = max(limits.FOR_EVER if wait is None else wait for wait in waits)
    if longest > limits.NOTHING:
        return Next(longest, limits.NOTHING)
    return Next(None, max(limits.wait_after(limit, states.get(key), now=now) for limit, key in charged))
