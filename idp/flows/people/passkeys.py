"""A new passkey: what the browser is asked to make, and one statement that keeps it. Who may, `rooms` decides."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import uuid4

from idp import limits
from idp.audit import AuthenticatorAdded
from idp.factors import credentials
from idp.flows import passkeys
from idp.flows.delivery.notices import telling
from idp.flows.idp import Idp, Visitor, device_key
from idp.flows.language import message_language
from idp.flows.people import rooms
from idp.flows.people.account import Done
from idp.flows.people.enrol import LONGEST_LABEL, label_of
from idp.flows.people.recovery import Codes, new_set
from idp.flows.people.rooms import Inside, Outside, TooOften, enter, permission
from idp.flows.sealed import PASSKEY, bound
from idp.flows.signin.authorize import ToClient
from idp.limits import Closed, Refused
from idp.model import Account, Authenticator, Factor, Notice, Passkey
from idp.store import rate_limits
from idp.store.engine import Connection
from idp.store.people import passkeys as store

if TYPE_CHECKING:  # its libraries are loaded with the first passkey
    from idp.factors.passkey import Registered


class NotAdded(StrEnum):
    """Why a passkey was not kept."""

    NONE = "none"  # nothing came: no script ran
    UNFIT = "unfit"  # it is none, or not made for this page
    OLD = "old"  # the page was open for too long, or was answered before
    THERE = "there"  # somebody registered it already
    LABEL_TOO_LONG = "label_too_long"


@dataclass(frozen=True, slots=True)
class Offering:
    """A passkey about to be added: what the browser is asked for, and how long it will be on hold, if at all."""

    inside: Inside
    options: str = field(repr=False)
    hold: timedelta | None


@dataclass(frozen=True, slots=True)
class NotHere:
    """There are no passkeys here: the policy has none, or the issuer is an address and no name."""

    account: Account


async def offer(idp: Idp, visitor: Visitor) -> Offering | NotHere | Outside:
    """What the page hands to the browser. Nothing is stored."""
    inside = await enter(idp, visitor, rooms.PASSKEY)
    if not isinstance(inside, Inside):
        return inside
    us = passkeys.relying(idp)
    if us is None:
        return NotHere(inside.account)
    challenge = passkeys.new_challenge(idp, inside.session.id, passkeys.REGISTRATION)
    there = passkeys.open_passkeys(inside.loaded.authenticators)
    return Offering(
        inside, passkeys.creation(idp, us, challenge, inside.account, there), permission(idp, inside).hold or None
    )


async def add(idp: Idp, visitor: Visitor, *, answer: str, label: str) -> Done | Codes | NotAdded | TooOften | Outside:
    """Keep what the browser made. The first strong way to sign in brings recovery codes, when there are none.

    Who sends the same form again hears `Done`.
    """
    label = label_of(label)
    if len(label) > LONGEST_LABEL:
        return NotAdded.LABEL_TOO_LONG
    offered = credentials.parse_new(answer)
    if offered is None:
        return NotAdded.UNFIT if answer else NotAdded.NONE
    us, session_id = passkeys.relying(idp), visitor.session_id
    if us is None:
        return NotAdded.UNFIT
    asked_at = passkeys.made_at(idp, session_id, passkeys.REGISTRATION, offered.challenge)
    if asked_at is None or asked_at < idp.clock.now() - idp.policy.enrolment.ttl:
        return NotAdded.OLD
    from idp.factors import passkey

    found = passkey.register(offered, relying=us, roots=passkeys.roots(idp))
    if not isinstance(found, passkey.Registered):
        return NotAdded.UNFIT
    async with idp.db.transaction() as conn:
        # What was proved when the page was shown was fresh then; all else is as it is now.
        again = await rooms.here(conn, idp, visitor, rooms.PASSKEY, as_of=asked_at)
        if again is not None:
            return await _add(idp, conn, visitor, again, found, label=label, challenge=offered.challenge, now=again.now)
    outside = await enter(idp, visitor, rooms.PASSKEY)
    return ToClient(rooms.PASSKEY, ()) if isinstance(outside, Inside) else outside


async def _add(
    idp: Idp,
    conn: Connection,
    visitor: Visitor,
    inside: Inside,
    made: "Registered",
    *,
    label: str,
    challenge: bytes,
    now: datetime,
) -> Done | Codes | NotAdded | TooOften:
    account, id_, may = inside.account, uuid4(), permission(idp, inside)
    hold = may.hold or None
    new = Authenticator(
        id=id_,
        account_id=account.id,
        factor=Factor.PASSKEY,
        label=label,
        hint="",
        created_at=now,
        confirmed_at=now,
        trusted_at=None if hold else now,
        hold=hold,
        passkey=Passkey(
            credential_id=made.credential_id,
            public_key=idp.secrets.seal(made.public_key, purpose=PASSKEY, bound_to=bound(account.id, id_)),
            count=made.count,
            eligible=made.eligible,
            copied=made.copied,
            attested=made.attested,
            transports=made.transports,
            aaguid=made.aaguid,
        ),
    )
    language = message_language(idp, visitor, account)
    changes = (idp.limits.enrolments, limits.subject(idp.limits.enrolments, account.id))
    stored = await store.add(
        conn,
        new,
        session_id=inside.session.id,
        challenge=passkeys.hash_of(challenge),
        challenge_expires_at=now + passkeys.life(idp),
        charge=changes,
        device=device_key(idp, visitor),
        audit=AuthenticatorAdded(
            Factor.PASSKEY,
            str(id_),
            trusted_at=None if hold else now.isoformat(),
            hold=None if hold is None else round(hold.total_seconds()),
        ),
        telling=telling(idp, account, Notice.PASSKEY_ADDED, locale=language, now=now, about=id_),
        now=now,
    )
    if not stored.added:
        if stored.owner is not None:
            return Done() if stored.owner == account.id and not stored.fresh else NotAdded.THERE
        return await _too_often(conn, inside, changes) if stored.fresh else NotAdded.OLD
    open_ = [each for each in inside.loaded.authenticators if each.closed_at is None]
    if any(each.factor is Factor.RECOVERY and each.remaining for each in open_):
        return Done()
    return await new_set(idp, conn, inside, visitor, hold=hold)


async def _too_often(conn: Connection, inside: Inside, changes: tuple[limits.Limit, bytes]) -> TooOften | NotAdded:
    match await rate_limits.refusal(conn, [changes], now=inside.now):
        case Refused(retry_after):
            return TooOften(retry_after, inside.account)
        case Closed():
            return TooOften(limits.FOR_EVER, inside.account)
