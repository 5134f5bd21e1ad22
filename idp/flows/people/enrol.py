"""A new authenticator app: begin, confirm once. Who may, `rooms` decides."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from idp import limits
from idp.audit import AuthenticatorAdded
from idp.factors import totp
from idp.factors.answers import six_digits
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.flows.people import rooms
from idp.flows.people.account import TWICE, Done
from idp.flows.people.recovery import Codes, Nothing, new_set
from idp.flows.people.rooms import Inside, Outside, TooOften, charge, enter, give_back, permission, still
from idp.flows.sealed import SEED, bound
from idp.flows.signin.authorize import ToClient
from idp.limits import Closed, Refused
from idp.model import Account, Authenticator, Factor, Notice
from idp.store import audits, rate_limits
from idp.store.engine import Conn
from idp.store.people import authenticators

LONGEST_LABEL = 60


class Slip(StrEnum):
    """Why an enrolment was not confirmed, and may be tried again."""

    NO_CODE = "no_code"
    NO_CODE_AT_ALL = "malformed"
    WRONG = "wrong"
    WAIT = "wait"
    CLOSED = "closed"
    LABEL_TOO_LONG = "label_too_long"
    NO_LABEL = "no_label"


@dataclass(frozen=True, slots=True)
class Enrolling:
    """An app about to be added: what its QR code holds, and how long it will be on hold (None: not at all)."""

    id: UUID
    uri: str = field(repr=False)
    key: str = field(repr=False)
    hold: timedelta | None
    account: Account


@dataclass(frozen=True, slots=True)
class Again:
    """Not confirmed: the same enrolment, once more, at the address that its beginning gave (TOTP-10)."""

    enrolling: Enrolling
    slip: Slip
    retry_after: timedelta | None = None


def failures_of(idp: Idp, account_id: UUID) -> bytes:
    """The subject of wrong codes typed while confirming an app: apart from those of the apps there are."""
    return limits.subject(idp.limits.code_failures, account_id, "enrol")


def label_of(typed: str) -> str:
    """A name as it is stored: visible characters, single spaces between words."""
    return " ".join("".join(each if each.isprintable() else " " for each in typed).split())


async def begin(idp: Idp, visitor: Visitor) -> Enrolling | TooOften | Outside:
    """Make a seed for this session alone, good for ten minutes. One begun before dies (ENR-07).

    Who presses twice gets one seed, and the second press costs nothing.
    """
    inside = await enter(idp, visitor, rooms.ENROL)
    if not isinstance(inside, Inside):
        return inside
    if (refused := await charge(idp, inside)) is not None:
        return refused
    seed, made = totp.new_seed(), uuid4()
    account_id = inside.account.id
    async with idp.db.transaction() as conn:
        again = await still(conn, idp, visitor, rooms.ENROL, account_id=account_id)
        if again is None:
            return ToClient(rooms.ENROL, ())
        may = permission(idp, again)
        before = await _pending(idp, again, conn)
        if before is not None and before.begun_at > again.now - idp.policy.sessions.forgiven:
            await give_back(conn, idp, inside)
            return _shown(idp, again, before.id, before.seed, before.hold)
        await authenticators.drop_pending(conn, account_id=account_id, factor=Factor.TOTP)
        await authenticators.add(
            conn,
            Authenticator(
                id=made,
                account_id=account_id,
                factor=Factor.TOTP,
                label="",
                hint="",
                created_at=again.now,
                trusted_at=None if may.hold else again.now,
                hold=may.hold or None,
            ),
            sealed=idp.secrets.seal(seed, purpose=SEED, bound_to=bound(account_id, made)),
            session_id=again.session.id,
            expires_at=again.now + idp.policy.enrolment.ttl,
        )
    return _shown(idp, again, made, seed, may.hold or None)


def _shown(idp: Idp, inside: Inside, id_: UUID, seed: bytes, hold: timedelta | None) -> Enrolling:
    uri = totp.provisioning_uri(seed, account=inside.account.username, issuer=idp.settings.brand)
    return Enrolling(id_, uri, totp.secret_text(seed), hold, inside.account)


async def begun(idp: Idp, visitor: Visitor, enrolment: UUID | None) -> Enrolling | Done | Nothing | Outside:
    """The enrolment that `begin` made, once more, while it is the one that can be confirmed. Makes nothing."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    pending = await _pending(idp, inside, idp.db)
    if pending is None or pending.id != enrolment:
        return Done() if _is_new(inside, enrolment) else Nothing()
    return _shown(idp, inside, pending.id, pending.seed, pending.hold)


@dataclass(frozen=True, slots=True)
class _Pending:
    id: UUID
    seed: bytes = field(repr=False)
    begun_at: datetime
    hold: timedelta | None


async def confirm(idp: Idp, visitor: Visitor, *, code: str, label: str) -> Done | Codes | Again | Nothing | Outside:
    """Add the app, if the code is right. Exactly one of any number of callers does; one right behind it hears `Done`.

    The code is no authentication event, and its step can never be used to sign in (TOTP-05). The first app brings
    recovery codes, when there are none.
    """
    found = await _confirm(idp, visitor, code=code, label=label)
    if isinstance(found, Nothing | ToClient) and await _just_added(idp, visitor):
        return Done()  # who clicks twice sees the second answer alone
    return found


async def _just_added(idp: Idp, visitor: Visitor) -> bool:
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return False
    return any(_is_new(inside, each.id) for each in inside.loaded.authenticators if each.factor is Factor.TOTP)


def _is_new(inside: Inside, authenticator_id: UUID | None) -> bool:
    known = {each.id: each.confirmed_at for each in inside.loaded.authenticators}
    at = known.get(authenticator_id) if authenticator_id is not None else None
    return at is not None and at > inside.now - TWICE


async def _confirm(idp: Idp, visitor: Visitor, *, code: str, label: str) -> Done | Codes | Again | Nothing | Outside:
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    pending = await _pending(idp, inside, idp.db)
    if pending is None:
        return Nothing()
    enrolling = _shown(idp, inside, pending.id, pending.seed, pending.hold)
    label = label_of(label)
    digits = six_digits(code)
    if len(label) > LONGEST_LABEL:
        return Again(enrolling, Slip.LABEL_TOO_LONG)
    if digits is None:
        return Again(enrolling, Slip.NO_CODE_AT_ALL if code else Slip.NO_CODE)
    failures = failures_of(idp, inside.account.id)
    refused = await rate_limits.spend(idp.db, [(idp.limits.code_failures, failures)], now=inside.now)
    match refused:
        case Closed():
            return Again(enrolling, Slip.CLOSED)
        case Refused(retry_after):
            return Again(enrolling, Slip.WAIT, retry_after)
        case None:
            pass
    judged = totp.check(seed=pending.seed, answer=digits, now=inside.now, last_step=0)
    if not isinstance(judged, totp.Verified):
        return Again(enrolling, Slip.WRONG)
    return await _add(idp, visitor, inside, pending, label=label, step=judged.step, failures=failures)


async def _pending(idp: Idp, inside: Inside, conn: Conn) -> _Pending | None:
    found = await authenticators.pending(
        conn, account_id=inside.account.id, session_id=inside.session.id, factor=Factor.TOTP, now=inside.now
    )
    if found is None:
        return None
    id_, sealed, begun_at, hold = found
    seed = idp.secrets.unseal(sealed, purpose=SEED, bound_to=bound(inside.account.id, id_))
    return _Pending(id_, seed, begun_at, hold)


async def _add(
    idp: Idp, visitor: Visitor, inside: Inside, pending: _Pending, *, label: str, step: int, failures: bytes
) -> Done | Codes | Nothing | Outside:
    account_id = inside.account.id
    async with idp.db.transaction() as conn:
        # What was proved when the enrolment began was fresh then, and it lives ten minutes; all else is as it is now.
        again = await still(conn, idp, visitor, rooms.ENROL, account_id=account_id, as_of=pending.begun_at)
        if again is None:
            return ToClient(rooms.ENROL, ())
        may = permission(idp, again)
        hold = may.hold or None
        if not await authenticators.confirm(
            conn,
            authenticator_id=pending.id,
            account_id=account_id,
            session_id=again.session.id,
            label=label,
            hold=hold,
            step=step,
            now=again.now,
        ):
            return Nothing()
        await audits.add(
            conn,
            _added(pending.id, hold, now=again.now),
            now=again.now,
            account_id=account_id,
        )
        language = message_language(idp, visitor, again.account)
        await tell(idp, conn, again.account, Notice.TOTP_ADDED, locale=language, now=again.now, about=pending.id)
        open_ = [each for each in again.loaded.authenticators if each.closed_at is None]
        forgiven = [failures]
        if not any(each.factor is Factor.TOTP for each in open_):
            # A new app must not inherit the wrong codes that closed the one before.
            forgiven.append(limits.subject(idp.limits.code_failures, account_id, Factor.TOTP.value))
        await rate_limits.forget(conn, forgiven)
        if any(each.factor is Factor.RECOVERY and each.remaining for each in open_):
            return Done()
        return await new_set(idp, conn, again, visitor, hold=hold)


def _added(app_id: UUID, hold: timedelta | None, *, now: datetime) -> AuthenticatorAdded:
    if hold is None:
        return AuthenticatorAdded(Factor.TOTP, str(app_id), trusted_at=now.isoformat())
    return AuthenticatorAdded(Factor.TOTP, str(app_id), hold=round(hold.total_seconds()))
