"""A phone that was named is confirmed by the code that went there, once; it may take the place of another."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from idp.audit import AuthenticatorAdded, AuthenticatorRemoved
from idp.factors import sms
from idp.factors.answers import six_digits
from idp.flows.delivery import deliver
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.flows.people import rooms
from idp.flows.people.account import TWICE, Done
from idp.flows.people.enrol import LONGEST_LABEL, failures_of, label_of
from idp.flows.people.new_phone import Again, Slip, pending_of, purpose_of, room_of, to_of
from idp.flows.people.recovery import Nothing
from idp.flows.people.rooms import Inside, Outside, enter, permission, settle, still
from idp.flows.sealed import CODE_KEY
from idp.flows.signin.authorize import ToClient
from idp.flows.signin.destinations import next_send, pace, phones_of, refunds_since
from idp.limits import Closed, Refused
from idp.model import Account, Factor, Notice
from idp.store import audits, rate_limits, refunds
from idp.store.engine import Connection
from idp.store.people import authenticators, verifications
from idp.store.people.verifications import Tried, Verification


@dataclass(frozen=True, slots=True)
class Verifying:
    """A phone about to be added, and how far its code got (`deliver.how_far`).

    `valid_for` is None when there is no live code; `resend_in` None when one may be sent now.
    """

    account: Account
    hint: str
    replaces: UUID | None
    hold: timedelta | None
    valid_for: timedelta | None
    attempts_left: int
    resend_in: timedelta | None
    delivery: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """It is done: the phone took the place of another."""


async def verifying(idp: Idp, visitor: Visitor) -> Verifying | Done | Nothing | Outside:
    """What the page for the code shows. `Done` for who just confirmed it. Sends nothing."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    found = await pending_of(idp, inside)
    if found is None:
        return Done() if _just_added(inside) else Nothing()
    coming = await next_send(idp, visitor, to_of(idp, inside, found), inside.loaded.device)
    alive = found.alive(inside.now)
    return Verifying(
        inside.account,
        found.hint,
        found.replaces,
        found.hold,
        found.expires_at - inside.now if alive else None,
        found.max_attempts - found.attempts,
        coming.wait,
        deliver.how_far(found.reached, inside.now),
    )


async def confirm(idp: Idp, visitor: Visitor, *, code: str, label: str) -> Done | Replaced | Again | Nothing | Outside:
    """Add the phone, if the code is right. Exactly one of any number of callers does; one right behind hears `Done`.

    The code is no authentication event.
    """
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    found = await _confirm(idp, visitor, inside, code=code, label=label)
    if isinstance(found, Nothing | ToClient):
        later = await enter(idp, visitor, rooms.HOME)
        if isinstance(later, Inside) and _just_added(later):
            return Done()  # who clicks twice sees the second answer alone
    return found


def _just_added(inside: Inside) -> bool:
    theirs = phones_of(inside.loaded.authenticators)
    return any(each.confirmed_at is not None and each.confirmed_at > inside.now - TWICE for each in theirs)


async def _confirm(
    idp: Idp, visitor: Visitor, inside: Inside, *, code: str, label: str
) -> Done | Replaced | Again | Nothing | Outside:
    pending = await pending_of(idp, inside)
    if pending is None:
        return Nothing()
    label, digits = label_of(label), six_digits(code)
    if len(label) > LONGEST_LABEL:
        return Again(Slip.LABEL_TOO_LONG)
    if digits is None:
        return Again(Slip.NO_CODE_AT_ALL if code else Slip.NO_CODE)
    failures = failures_of(idp, inside.account.id)
    match await rate_limits.spend(idp.db, [(idp.limits.code_failures, failures)], now=inside.now):
        case Closed():
            return Again(Slip.CLOSED)
        case Refused(retry_after):
            return Again(Slip.WAIT, retry_after=retry_after)
        case None:
            pass
    tried = await verifications.spend(idp.db, authenticator_id=pending.authenticator_id, now=inside.now)
    if tried is None:
        return Again(Slip.DEAD)
    key = idp.secrets.subkey(CODE_KEY, tried.key_id)
    if not sms.check(key=key, nonce=tried.nonce, purpose=purpose_of(pending.authenticator_id), answer=digits):
        return Again(Slip.WRONG, tried.attempts_left)
    return await _add(idp, visitor, inside, pending, tried, label=label, failures=failures)


async def _add(
    idp: Idp, visitor: Visitor, inside: Inside, pending: Verification, tried: Tried, *, label: str, failures: bytes
) -> Done | Replaced | Nothing | Outside:
    account_id, room, new = inside.account.id, room_of(pending.replaces), pending.authenticator_id
    async with idp.db.transaction() as conn:
        # What was proved when it began was fresh then, and it lives ten minutes; all else is as it is now.
        again = await still(conn, idp, visitor, room, account_id=account_id, as_of=pending.begun_at)
        if again is None:
            return ToClient(room, ())
        may = permission(idp, again)
        hold = may.hold or None
        if not await verifications.use(conn, authenticator_id=new, nonce=tried.nonce, now=again.now):
            return Nothing()
        if not await authenticators.confirm(
            conn,
            authenticator_id=new,
            account_id=account_id,
            session_id=again.session.id,
            label=label,
            hold=hold,
            step=0,
            now=again.now,
        ):
            return Nothing()
        await audits.add(conn, _added(new, hold, now=again.now), now=again.now, account_id=account_id)
        old = await _put_in_place(conn, again, new, pending.replaces)
        await settle(conn, again, may, why="authenticator")
        language = message_language(idp, visitor, again.account)
        await authenticators.told_anew(conn, account_id=account_id, number_key=pending.number_key)
        if old is not None and may.hold:
            # Threats 1 and 8: whoever puts another in its place with a stolen one must not silence the person.
            until = again.now + may.hold
            await authenticators.keep_telling(conn, authenticator_id=old, account_id=account_id, until=until)
        notice = Notice.PHONE_ADDED if old is None else Notice.PHONE_CHANGED
        await tell(idp, conn, again.account, notice, locale=language, now=again.now, also=old, about=new)
        to = to_of(idp, again, pending)
        await rate_limits.forget(conn, [failures, pace(to, again.loaded.device)])
        places = refunds_since(idp, visitor, to, again.loaded.device, since=pending.asked_at, places=pending.sends)
        await refunds.refund(conn, places, now=again.now)
    return Done() if old is None else Replaced()


async def _put_in_place(conn: Connection, inside: Inside, new: UUID, replaces: UUID | None) -> UUID | None:
    """Close the phone that this one replaces; a phone that came first still does. The closed one."""
    theirs = phones_of(inside.loaded.authenticators)
    first = next(iter(theirs), None)
    closed = None
    if replaces is not None and await authenticators.close(
        conn, authenticator_id=replaces, account_id=inside.account.id, now=inside.now
    ):
        closed = replaces
        removed = AuthenticatorRemoved(Factor.SMS, str(replaces))
        await audits.add(conn, removed, now=inside.now, account_id=inside.account.id)
    if first is not None:
        ahead = new if first.id == closed else first.id
        await authenticators.prefer(conn, authenticator_id=ahead, account_id=inside.account.id, now=inside.now)
    return closed


def _added(phone_id: UUID, hold: timedelta | None, *, now: datetime) -> AuthenticatorAdded:
    if hold is None:
        return AuthenticatorAdded(Factor.SMS, str(phone_id), trusted_at=now.isoformat())
    return AuthenticatorAdded(Factor.SMS, str(phone_id), hold=round(hold.total_seconds()))
