"""An operator's work on one person's authenticators: an app by ticket, a phone, recovery codes, removal."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from idp.audit import AuthenticatorRemoved, RecoveryCodesMade
from idp.errors import NotThere
from idp.factors import recovery, totp
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp
from idp.flows.operate.administrators import keep_one, strong
from idp.flows.operate.confirming import confirmed, given_before
from idp.flows.operate.finding import Person, find_user
from idp.flows.operate.people import NotAcceptable, parse_phone
from idp.flows.operate.terms import settle
from idp.flows.operate.vouching import GIVEN, record_added, store_phone, vouched_phone
from idp.flows.sealed import SEED, bound
from idp.model import OPERATOR, Account, Authenticator, Change, Factor, Notice
from idp.policy import Act
from idp.sentences import sentence
from idp.store import audits
from idp.store.engine import Connection
from idp.store.people import accounts, authenticators, recovery_codes


@dataclass(frozen=True, slots=True)
class Made:
    """What is about to be given, under an id of its own: whoever sends a form twice gives it once, and sees it again.

    `seed` is of an app, `codes` are saved codes.
    """

    id: UUID = field(default_factory=uuid4)
    seed: bytes = field(default_factory=totp.new_seed, repr=False)
    codes: tuple[str, ...] = field(default_factory=recovery.new_codes, repr=False)


@dataclass(frozen=True, slots=True)
class Ticket:
    """An app for one person, to be shown once: the address for the QR code and the same seed for typing."""

    person: Person
    authenticator: Authenticator
    otpauth_uri: str = field(repr=False)
    secret: str = field(repr=False)


async def totp_ticket(idp: Idp, who: str | UUID, *, replace: bool = False, made: Made | None = None) -> Ticket:
    """Give a person an authenticator app, trusted at once, because the operator knows who gets it (design 5).

    With `replace` all other apps are closed and all sessions and tokens end. Every phone is told. What was `made` is
    given once; if it was closed since, `Outdated` is raised.
    """
    made = made or Made()
    person = await find_user(idp, who, to=Act.GIVE_AUTHENTICATOR)
    account = person.account
    now = idp.clock.now()
    app = Authenticator(
        id=made.id,
        account_id=account.id,
        factor=Factor.TOTP,
        label="",
        hint=GIVEN,
        created_at=now,
        trusted_at=now,
        confirmed_at=now,
    )
    uri = totp.provisioning_uri(made.seed, account=account.username, issuer=idp.settings.brand)
    ticket = Ticket(person, app, uri, totp.secret_text(made.seed))
    sealed = idp.secrets.seal(made.seed, purpose=SEED, bound_to=bound(account.id, app.id))
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, account, to=Act.GIVE_AUTHENTICATOR)
        if await given_before(conn, app.id):
            return ticket
        await authenticators.drop_pending(conn, account_id=account.id, factor=Factor.TOTP)
        await authenticators.add(conn, app, sealed=sealed, by=OPERATOR.get().key)
        await record_added(conn, app, now=now)
        if replace:
            await _close_others(conn, idp, account, app)
        else:
            await settle(conn, idp, account, Change.OPERATOR_ADDS, why="authenticator", now=now)
        await tell(idp, conn, account, Notice.TOTP_ADDED, now=now)
    return ticket


async def add_phone(
    idp: Idp, who: str | UUID, phone: str, *, replace: bool = False, made: Made | None = None
) -> Authenticator:
    """Give a person a phone, trusted at once. With `replace` the others are closed and all sessions and tokens end.

    The phones that were there are told, also those that are replaced. What was `made` is given once.
    """
    made = made or Made()
    person = await find_user(idp, who, to=Act.GIVE_AUTHENTICATOR)
    account = person.account
    number = parse_phone(phone, region=idp.settings.sms_region)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, account, to=Act.GIVE_AUTHENTICATOR)
        if await given_before(conn, made.id):
            return vouched_phone(idp, account.id, number, now=now, phone_id=made.id)[0]
        added = await store_phone(idp, conn, account.id, number, now=now, phone_id=made.id)
        assert added.number_key is not None
        await authenticators.told_anew(conn, account_id=account.id, number_key=added.number_key)
        await tell(idp, conn, account, Notice.PHONE_ADDED, now=now)
        if replace:
            await _close_others(conn, idp, account, added)
    return added


async def new_recovery_codes(idp: Idp, who: str | UUID, *, made: Made | None = None) -> tuple[str, ...]:
    """Ten new codes for a person, to be handed over; those there were die, and every phone is told.

    What was `made` is given once.
    """
    made = made or Made()
    person = await find_user(idp, who, to=Act.GIVE_AUTHENTICATOR)
    account = person.account
    now = idp.clock.now()
    codes = made.codes
    saved = Authenticator(
        id=made.id,
        account_id=account.id,
        factor=Factor.RECOVERY,
        label="Recovery codes",
        hint=GIVEN,
        created_at=now,
        trusted_at=now,
        confirmed_at=now,
        remaining=len(codes),
    )
    plain = [text for code in codes if (text := recovery.normalise_answer(code)) is not None]
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, account, to=Act.GIVE_AUTHENTICATOR)
        if await given_before(conn, saved.id):
            return codes
        await authenticators.close_kind(conn, account_id=account.id, factor=Factor.RECOVERY, now=now)
        await authenticators.add(conn, saved, sealed=None, by=OPERATOR.get().key)
        hashes = [recovery.stored(text, authenticator_id=saved.id) for text in plain]
        await recovery_codes.save(conn, authenticator_id=saved.id, hashes=hashes)
        await record_added(conn, saved, now=now)
        event = RecoveryCodesMade(authenticator=str(saved.id))
        await audits.add(conn, event, now=now, account_id=account.id)
        await tell(idp, conn, account, Notice.RECOVERY_ADDED, now=now)
    return codes


async def remove_authenticator(idp: Idp, who: str | UUID, authenticator_id: str) -> tuple[Authenticator, int]:
    """Close one of a person's authenticators, for exactly one caller; how many are left.

    All sessions and tokens end; every phone is told. Raises `NotThere`, `NotAcceptable`, and `NotPermitted` for what
    the last administrator signs in with.
    """
    person = await find_user(idp, who, to=Act.REMOVE_AUTHENTICATOR)
    account = person.account
    found = [one for one in person.authenticators if _is(one.id, authenticator_id)]
    if len(found) > 1:
        raise NotAcceptable(sentence("%(id)s fits several: give more of the id.", id=repr(authenticator_id)))
    gone = NotThere(
        sentence("%(who)s has no authenticator %(id)s.", who=repr(account.username), id=repr(authenticator_id))
    )
    if not found:
        raise gone
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, account, to=Act.REMOVE_AUTHENTICATOR)
        locked = await accounts.by_id(conn, account_id=account.id)
        theirs = () if locked is None else locked[1]
        if not strong(idp.policy, theirs) - {found[0].id}:
            await keep_one(conn, idp, account)
        if await authenticators.close(conn, authenticator_id=found[0].id, account_id=account.id, now=now) is None:
            raise gone  # meanwhile: who closed it has told its owner
        await _record_removed(conn, idp, account, found[0].id, found[0].factor)
        await settle(conn, idp, account, Change.OPERATOR_REMOVES, why="authenticator", now=now)
        await tell(idp, conn, account, Notice.AUTHENTICATOR_REMOVED, now=now, also=found[0].id)
    return found[0], sum(one.id != found[0].id for one in theirs)


def _is(authenticator_id: UUID, given: str) -> bool:
    """Whether this is the id, or at least eight characters of its beginning."""
    return str(authenticator_id) == given.lower() or (
        len(given) >= 8 and str(authenticator_id).startswith(given.lower())
    )


async def _close_others(conn: Connection, idp: Idp, account: Account, keep: Authenticator) -> None:
    now = idp.clock.now()
    closed = await authenticators.close_kind(conn, account_id=account.id, factor=keep.factor, now=now, keep=keep.id)
    for each in closed:
        await _record_removed(conn, idp, account, each, keep.factor)
    await settle(conn, idp, account, Change.OPERATOR_REPLACES, why="authenticator", now=now)


async def _record_removed(conn: Connection, idp: Idp, account: Account, which: UUID, factor: Factor) -> None:
    event = AuthenticatorRemoved(factor=factor, authenticator=str(which), by="operator")
    await audits.add(conn, event, now=idp.clock.now(), account_id=account.id)
