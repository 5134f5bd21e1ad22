"""Saved recovery codes: made with the first app or on request, shown once. Using one is `challenge`'s business."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from idp.audit import RecoveryCodesChecked, RecoveryCodesMade
from idp.factors import recovery
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.flows.people import rooms
from idp.flows.people.account import Done
from idp.flows.people.rooms import Inside, Outside, TooOften, charge, enter, permission, settle, still
from idp.flows.signin.authorize import ToClient
from idp.model import Account, Authenticator, Factor, Notice
from idp.store import audits
from idp.store.engine import Connection
from idp.store.people import authenticators, recovery_codes


@dataclass(frozen=True, slots=True)
class Codes:
    """New recovery codes of a person, to be shown once; only their hashes are kept."""

    codes: tuple[str, ...] = field(repr=False)
    account: Account


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is no such thing here (any more): expired, begun again, used up, or somebody else's."""


async def new_set(idp: Idp, conn: Connection, inside: Inside, visitor: Visitor, *, hold: timedelta | None) -> Codes:
    """Replace this person's codes, and tell them, in the transaction of `conn`."""
    account_id, made = inside.account.id, uuid4()
    codes = recovery.new_codes()
    await authenticators.close_kind(conn, account_id=account_id, factor=Factor.RECOVERY, now=inside.now)
    await authenticators.add(
        conn,
        Authenticator(
            id=made,
            account_id=account_id,
            factor=Factor.RECOVERY,
            label="",
            hint="",
            created_at=inside.now,
            trusted_at=None if hold else inside.now,
            hold=hold,
            confirmed_at=inside.now,
        ),
        sealed=None,
        session_id=inside.session.id,
    )
    await recovery_codes.save(conn, authenticator_id=made, hashes=_hashes(codes, made))
    await audits.add(conn, RecoveryCodesMade(str(made)), now=inside.now, account_id=account_id)
    language = message_language(idp, visitor, inside.account)
    await tell(idp, conn, inside.account, Notice.RECOVERY_ADDED, locale=language, now=inside.now, about=made)
    return Codes(codes, inside.account)


def _hashes(codes: tuple[str, ...], set_id: UUID) -> list[bytes]:
    parsed = [recovery.normalise_answer(code) for code in codes]
    return [recovery.stored(code, authenticator_id=set_id) for code in parsed if code is not None]


async def renew(idp: Idp, visitor: Visitor) -> Codes | TooOften | Outside:
    """Ten new codes. The old ones die, and with them every other session: somebody may have read them (REC-02)."""
    inside = await enter(idp, visitor, rooms.RECOVERY)
    if not isinstance(inside, Inside):
        return inside
    if (refused := await charge(idp, inside)) is not None:
        return refused
    async with idp.db.transaction() as conn:
        again = await still(conn, idp, visitor, rooms.RECOVERY, account_id=inside.account.id)
        if again is None:
            return ToClient(rooms.RECOVERY, ())
        may = permission(idp, again)
        if open_set(again) is not None:
            await settle(conn, again, may, why="authenticator")
        return await new_set(idp, conn, again, visitor, hold=may.hold or None)


def open_set(inside: Inside) -> Authenticator | None:
    """The recovery codes of this person, used up or not."""
    return next(
        (each for each in inside.loaded.authenticators if each.factor is Factor.RECOVERY and each.closed_at is None),
        None,
    )


def asks(idp: Idp, inside: Inside) -> bool:
    """Whether it is time to ask if the saved codes are still at hand: seldom, and not of who has used them up."""
    saved = open_set(inside)
    if saved is None or not saved.remaining:
        return False
    seen = (saved.created_at, saved.checked_at, saved.last_used_at)
    return max(at for at in seen if at is not None) <= inside.now - idp.policy.recovery.nudge


async def at_hand(idp: Idp, visitor: Visitor) -> Done | Outside:
    """The person says that they are: nobody asks again for a while."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    saved, account_id = open_set(inside), inside.account.id
    if saved is not None:
        async with idp.db.transaction() as conn:
            if await recovery_codes.check(conn, authenticator_id=saved.id, account_id=account_id, now=inside.now):
                event = RecoveryCodesChecked(str(saved.id))
                await audits.add(conn, event, now=inside.now, account_id=account_id)
    return Done()


async def known_codes(idp: Idp, visitor: Visitor, *, typed: str) -> Codes | Nothing | Outside:
    """The codes that a page of ours sends back, if all of them are this person's; nobody else has them any more."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    codes, saved = tuple(typed.split(" ")), open_set(inside)
    if saved is None or len(codes) != recovery.COUNT or len(set(codes)) != recovery.COUNT:
        return Nothing()
    hashes = _hashes(codes, saved.id)
    known = await recovery_codes.count(idp.db, account_id=inside.account.id, hashes=hashes)
    return Codes(codes, inside.account) if known == recovery.COUNT else Nothing()
