"""A new phone, also in place of another: named and sent a code. Who may, `rooms` decides; `verify` confirms it.

Nothing is sent to a number before the room was entered, and what is sent is counted as for signing in.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from idp import limits
from idp.audit import CodeSent
from idp.crypto import random_bytes
from idp.factors import sms
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.flows.people import rooms
from idp.flows.people.recovery import Nothing
from idp.flows.people.rooms import Inside, Outside, TooOften, charge, enter, give_back, permission, still
from idp.flows.sealed import NUMBER, PHONE_INDEX, bound
from idp.flows.signin.authorize import ToClient
from idp.flows.signin.destinations import Destination, charges, phones_of
from idp.limits import Closed, Refused
from idp.model import Authenticator, AuthorizationRequest, Change, Factor
from idp.sms import phone as phones
from idp.sms.phone import Phone, Unusable
from idp.spending import Country, Mode, Rule
from idp.store import rate_limits
from idp.store.engine import Connection
from idp.store.people import authenticators, verifications
from idp.store.people.verifications import Code, Verification


class NotUsable(StrEnum):
    """Why a number cannot be added."""

    MISSING = "missing"
    NOT_A_NUMBER = "not_a_number"
    NOT_MOBILE = "not_mobile"
    COUNTRY = "country"
    THERE = "there"
    ENOUGH = "enough"


MOST = 5  # phones of one person: each is told of every change


class Slip(StrEnum):
    """Why a phone was not confirmed, and may be tried again."""

    NO_CODE = "no_code"
    NO_CODE_AT_ALL = "malformed"
    WRONG = "wrong"
    DEAD = "dead"
    WAIT = "wait"
    PACED = "paced"
    CLOSED = "closed"
    LABEL_TOO_LONG = "label_too_long"


@dataclass(frozen=True, slots=True)
class Sent:
    """A code is on its way to the phone."""


@dataclass(frozen=True, slots=True)
class NotNow:
    """No code may be sent to this number yet; again after `retry_after`."""

    retry_after: timedelta


@dataclass(frozen=True, slots=True)
class Again:
    """Not confirmed: the same phone, once more."""

    slip: Slip
    attempts_left: int | None = None
    retry_after: timedelta | None = None


async def begin(
    idp: Idp, visitor: Visitor, *, number: str, replaces: UUID | None = None
) -> Sent | NotUsable | NotNow | TooOften | Nothing | Outside:
    """Name a phone and send a code to it. One that this session named before is forgotten.

    Who presses twice gets one message, and the second press costs nothing.
    """
    room = room_of(replaces)
    inside = await enter(idp, visitor, room)
    if not isinstance(inside, Inside):
        return inside
    if replaces is not None and not _has(inside, replaces):
        return Nothing()
    wanted = _usable(idp, inside, number)
    if isinstance(wanted, NotUsable):
        return wanted
    if (refused := await charge(idp, inside)) is not None:
        return refused
    async with idp.db.transaction() as conn:
        again = await still(conn, idp, visitor, room, account_id=inside.account.id)
        if again is None:
            return ToClient(room, ())
        before = await pending_of(idp, again, conn)
        if before is not None and _is_the_same(idp, before, wanted, replaces, now=again.now):
            await give_back(conn, idp, inside)
            return Sent()
        key = idp.secrets.index(wanted.e164, purpose=PHONE_INDEX)
        to = _destination(idp, again, uuid4(), phones.hint(wanted.e164), key)
        refusal = await rate_limits.spend(conn, charges(idp, visitor, to, inside.loaded.device), now=again.now)
        if refusal is not None:
            await give_back(conn, idp, inside)
            return NotNow(_wait(refusal))
        await _name(idp, conn, again, to, wanted)
        await _send(idp, conn, again, visitor, to, nonce=random_bytes(sms.NONCE_BYTES), replaces=replaces)
    return Sent()


def room_of(replaces: UUID | None) -> AuthorizationRequest:
    """Where a phone is added, or takes the place of this one."""
    return rooms.NEW_PHONE if replaces is None else rooms.new_number(replaces)


def _has(inside: Inside, phone_id: UUID) -> bool:
    return any(each.id == phone_id for each in phones_of(inside.loaded.authenticators))


def _usable(idp: Idp, inside: Inside, typed: str) -> Phone | NotUsable:
    """The number, if codes can go there. Whose it is besides is nobody's business here."""
    if not typed.strip():
        return NotUsable.MISSING
    match phones.parse(typed, default_region=idp.settings.sms_region):
        case Unusable.NOT_A_NUMBER:
            return NotUsable.NOT_A_NUMBER
        case Unusable():
            return NotUsable.NOT_MOBILE
        case found:
            pass
    key = idp.secrets.index(found.e164, purpose=PHONE_INDEX)
    theirs = phones_of(inside.loaded.authenticators)
    if any(each.number_key == key for each in theirs):
        return NotUsable.THERE
    if len(theirs) - (inside.facts.request.change is Change.REPLACE_PHONE) >= MOST:
        return NotUsable.ENOUGH
    table = idp.spending
    if table.modes[Rule.COUNTRY] is Mode.ENFORCE and table.country(found.region) is not Country.ALLOW:
        return NotUsable.COUNTRY
    return found


async def pending_of(idp: Idp, inside: Inside, conn: Connection | None = None) -> Verification | None:
    """The phone that was named in this session, while it can be confirmed."""
    return await verifications.pending(
        conn or idp.db, account_id=inside.account.id, session_id=inside.session.id, now=inside.now
    )


def _is_the_same(idp: Idp, before: Verification, wanted: Phone, replaces: UUID | None, *, now: datetime) -> bool:
    key = idp.secrets.index(wanted.e164, purpose=PHONE_INDEX)
    return (
        before.number_key == key
        and before.replaces == replaces
        and before.begun_at > now - idp.policy.sessions.forgiven
        and before.alive(now)
    )


def _destination(idp: Idp, inside: Inside, phone_id: UUID, hint: str, number_key: bytes) -> Destination:
    return Destination(Factor.SMS, inside.account.id, phone_id, hint, idp.limits.sms, number_key, used=False)


def _wait(refused: Refused | Closed) -> timedelta:
    return limits.FOR_EVER if isinstance(refused, Closed) else refused.retry_after


async def _name(idp: Idp, conn: Connection, inside: Inside, to: Destination, number: Phone) -> None:
    """Keep the number, sealed, until it is confirmed."""
    may, account_id = permission(idp, inside), inside.account.id
    assert to.authenticator_id is not None
    assert isinstance(to.subject, bytes)
    await authenticators.drop_pending(conn, account_id=account_id, factor=Factor.SMS)
    await authenticators.add(
        conn,
        Authenticator(
            id=to.authenticator_id,
            account_id=account_id,
            factor=Factor.SMS,
            label="",
            hint=to.hint,
            created_at=inside.now,
            trusted_at=None if may.hold else inside.now,
            hold=may.hold or None,
            number_key=to.subject,
        ),
        sealed=idp.secrets.seal(number.e164.encode(), purpose=NUMBER, bound_to=bound(account_id, to.authenticator_id)),
        session_id=inside.session.id,
        expires_at=inside.now + idp.policy.enrolment.ttl,
    )


def purpose_of(phone_id: UUID) -> str:
    """What the code is for, and for nothing else (OTP-09): it signs nobody in, and theirs verifies no phone."""
    return f"verify/{phone_id}"


async def _send(
    idp: Idp,
    conn: Connection,
    inside: Inside,
    visitor: Visitor,
    to: Destination,
    *,
    nonce: bytes,
    replaces: UUID | None = None,
) -> None:
    assert to.authenticator_id is not None
    code = Code(
        authenticator_id=to.authenticator_id,
        nonce=nonce,
        key_id=idp.secrets.current,
        expires_at=inside.now + idp.policy.challenge.ttl,
        max_attempts=idp.policy.challenge.attempts,
        purpose=purpose_of(to.authenticator_id),
        message_id=uuid4(),
        locale=message_language(idp, visitor, inside.account),
        replaces=replaces,
    )
    sent = CodeSent(authenticator=str(to.authenticator_id), phone=to.hint)
    await verifications.ask(conn, code, account_id=inside.account.id, audit=sent, now=inside.now)


def to_of(idp: Idp, inside: Inside, found: Verification) -> Destination:
    """Where its code goes."""
    return _destination(idp, inside, found.authenticator_id, found.hint, found.number_key)


async def send(idp: Idp, visitor: Visitor) -> Sent | Again | Nothing | Outside:
    """Send the code once more: the same one while it lives, else a fresh one."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    async with idp.db.transaction() as conn:
        begun = await pending_of(idp, inside, conn)
        room = room_of(begun.replaces if begun else None)
        again = await still(
            conn, idp, visitor, room, account_id=inside.account.id, as_of=begun.begun_at if begun else None
        )
        found = None if again is None else await pending_of(idp, again, conn)
        if again is None or found is None:
            return Nothing()
        to = to_of(idp, again, found)
        refusal = await rate_limits.spend(conn, charges(idp, visitor, to, inside.loaded.device), now=again.now)
        if refusal is not None:
            return Again(Slip.PACED, retry_after=_wait(refusal))
        nonce = found.nonce if found.alive(again.now) else random_bytes(sms.NONCE_BYTES)
        await _send(idp, conn, again, visitor, to, nonce=nonce)
    return Sent()
