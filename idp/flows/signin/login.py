"""The password: charge, verify, record. Everything wrong has the same face (promise 9)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from idp import limits
from idp.audit import FactorRefused
from idp.factors import password as passwords
from idp.factors import recovery
from idp.flows.idp import Idp, Visitor, address_key, exempt
from idp.flows.signin import repeat
from idp.flows.signin.authorize import Gone, ToClient, ToInteraction, Unstored
from idp.flows.signin.finding import begun, find
from idp.flows.signin.signed_in import signed_in
from idp.limits import Closed, Limit, Refused
from idp.model import Account, Factor, Interaction
from idp.store import audits, rate_limits
from idp.store.people import recovery_codes
from idp.store.refunds import Refund, Refunds, give_back
from idp.store.signin import sessions
from idp.store.signin.consuming import Compared
from idp.store.signin.facts import Loaded
from idp.store.signin.replaced import Replaced
from idp.typed import fold


@dataclass(frozen=True, slots=True)
class WrongPassword:
    """Not signed in: no such person, wrong password, or nobody who could ever give a second factor."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing was compared: too many tries. `strange`: in a browser that this person never signed in from."""

    retry_after: timedelta
    strange: bool


async def password(
    idp: Idp,
    asked: UUID | Unstored,
    visitor: Visitor,
    *,
    username: str,
    typed: passwords.Password,
    saved: object = None,
) -> ToInteraction | WrongPassword | Wait | Gone:
    """Check a password. On success the session has a new token, and a text message is on its way if one is due.

    Of a request that is `asked` at its own address nothing is stored before that; a browser that has no session then
    begins the one that its cookie names. `Gone`: the cookie names one that it does not open, and needs to be another.

    A recovery code (`saved`) makes any browser a known one for this try, and is not used up by it. A hash of another
    system's, or with other parameters than today's, is made anew in the same transaction, once.
    """
    onward = await _password(idp, asked, visitor, username, typed, saved)
    if isinstance(onward, _Rewritten):
        onward = await _password(idp, asked, visitor, username, typed, saved)
    return onward.otherwise if isinstance(onward, _Rewritten) else onward


@dataclass(frozen=True, slots=True)
class _Rewritten:
    """Somebody was first; if it was this person in another browser, there is another hash to compare with."""

    otherwise: ToInteraction | Gone


async def _password(
    idp: Idp, asked: UUID | Unstored, visitor: Visitor, username: str, typed: passwords.Password, saved: object
) -> ToInteraction | WrongPassword | Wait | Gone | _Rewritten:
    now, name = idp.clock.now(), fold(username)
    found = await find(idp, asked, visitor, name, now=now)
    if isinstance(found, Gone):
        return await _again(idp, asked, visitor, name, typed, saved) or found
    loaded, interaction, client = found
    account = loaded.account
    device = await _known(idp, loaded, saved)
    charges = _charges(idp, visitor, name, device)
    # It is on the disk with what is written before anybody hears of it: the refusal, or the proof.
    if (refused := await rate_limits.spend(idp.db, charges, now=now, waits=False)) is not None:
        return _wait(refused, device)
    right = await idp.passwords.verify(typed, hashed=loaded.password_hash)
    kept_out = None if account is None else _kept_out(idp, account, loaded, now)
    if not right or account is None or kept_out is not None:
        refused_event = FactorRefused(
            factor=Factor.PASSWORD,
            interaction=str(interaction.id),
            known=None if loaded.device is None else True,
            kept_out=kept_out if right else None,
        )
        await audits.add(
            idp.db, refused_event, now=now, account_id=account.id if account else None, client_id=client.id
        )
        return WrongPassword()
    begins = isinstance(asked, Unstored)
    refunds = _harmless(idp, charges, charged_at=now)
    assert loaded.password_hash is not None
    evidence = Compared(loaded.password_hash, await _rewritten(idp, typed, loaded.password_hash))
    onward = await signed_in(idp, visitor, account, loaded, interaction, refunds, evidence=evidence, begins=begins)
    assert not isinstance(onward, ToClient), "a password is one factor"
    if onward is None:
        # Somebody was first: the same form, sent twice at once. What was right costs no try.
        await give_back(idp.db, charges, now=now)
        again = await _again(idp, asked, visitor, name, typed, saved)
        otherwise = Gone() if begins else ToInteraction(interaction.id)
        return again or (otherwise if evidence.rewritten is None else _Rewritten(otherwise))
    return onward


async def _before(
    idp: Idp, asked: UUID | Unstored, visitor: Visitor, *, now: datetime
) -> tuple[Replaced, Interaction] | None:
    """What the token opened before the password replaced it; this request's own password, where it was stored."""
    if isinstance(asked, UUID):
        before = await repeat.replaced(idp, asked, visitor)
        if before is None or repeat.proof_of(before, asked, Factor.PASSWORD) is None:
            return None
        assert before.loaded.interaction is not None
        return before, before.loaded.interaction
    if visitor.token is None:
        return None
    started = begun(idp, asked, visitor, now=now)
    before = await repeat.left(idp, started, visitor)
    if before is None or before.loaded.session is None or repeat.proof_of(before, None, Factor.PASSWORD) is None:
        return None
    return before, replace(started, session_id=before.loaded.session.id)


async def _again(
    idp: Idp, asked: UUID | Unstored, visitor: Visitor, name: str, typed: passwords.Password, saved: object
) -> ToInteraction | Wait | None:
    """The form once more, with the token that the first one replaced: the same password goes on where that is.

    So does what another tab of this browser asks at its own address: it goes where that wanted to go.
    """
    now = idp.clock.now()
    found = await _before(idp, asked, visitor, now=now)
    if found is None:
        return None
    before, interaction = found
    account = before.loaded.account
    if account is None or account.username != name:
        return None
    device = await _known(idp, before.loaded, saved)
    charges = _charges(idp, visitor, name, device)
    if (refused := await rate_limits.spend(idp.db, charges, now=now, waits=False)) is not None:
        return _wait(refused, device)
    if not await idp.passwords.verify(typed, hashed=before.loaded.password_hash):
        await repeat.wrong(idp, idp.db, visitor, before, interaction, Factor.PASSWORD)
        return None
    await give_back(idp.db, charges, now=now)
    onward = repeat.onward(idp, visitor, before, interaction.id)
    if onward is None or isinstance(asked, UUID):
        return onward
    assert visitor.token_hash is not None
    joined = await sessions.join(idp.db, started=interaction, shown=visitor.token_hash, token_hash=before.token_hash)
    return onward if joined else None


async def _known(idp: Idp, loaded: Loaded, saved: object) -> str | None:
    """What tells this browser from strangers' ones: its own mark, or the set of an unused recovery code.

    Nobody guesses 80 bits, so a right one is the owner or who has the paper, and that one waits as a browser does. The
    same is done for a name that nobody has.
    """
    account, device = loaded.account, loaded.device
    if device is not None:
        return device.subject
    if (code := recovery.normalise_answer(saved)) is None:
        return None
    sets = [each.id for each in loaded.authenticators if each.factor is Factor.RECOVERY] or [uuid4()]
    hashes = [recovery.stored(code, authenticator_id=each) for each in sets]
    person = uuid4() if account is None else account.id
    found = await recovery_codes.set_of_unused(idp.db, account_id=person, hashes=hashes)
    return None if found is None else str(found)


def _wait(refused: Refused | Closed, device: str | None) -> Wait:
    assert isinstance(refused, Refused), "none of these limits closes"
    return Wait(refused.retry_after, strange=device is None)


def _charges(idp: Idp, visitor: Visitor, name: str, device: str | None) -> list[tuple[Limit, bytes]]:
    person = idp.secrets.index(name, purpose="username")
    if device is not None:
        return [(idp.limits.password_device, limits.subject_in(idp.limits.password_device, person, device))]
    address = address_key(idp, visitor)
    charges = [
        (idp.limits.password_stranger, limits.subject_in(idp.limits.password_stranger, person, address)),
        (idp.limits.password_day, limits.subject(idp.limits.password_day, person)),
    ]
    if not exempt(idp, visitor):
        charges.append((idp.limits.password_address, limits.subject(idp.limits.password_address, address)))
    return charges


def _harmless(idp: Idp, charges: list[tuple[Limit, bytes]], *, charged_at: datetime) -> Refunds:
    """What a right password gives back. Of an address only its own try: see `Limits`."""
    rows = (Refund(limit, key, forgive=limit is not idp.limits.password_address) for limit, key in charges)
    return Refunds(tuple(rows), since=charged_at)


def _kept_out(idp: Idp, account: Account, loaded: Loaded, now: datetime) -> str | None:
    """Why even a right password is not right, for the audit trail alone; None where it is.

    Who is disabled is kept out, who has no second factor, who registered and has not proved a phone, and who was given
    a password and did not use it in time.
    """
    phones = (each for each in loaded.authenticators if each.factor is Factor.SMS and each.closed_at is None)
    if account.disabled:
        return "disabled"
    if account.provisional_until is not None and not any(phones):
        return "unfinished"
    if account.password_until is not None and account.password_until <= now:
        return "expired"
    return None if _has_second_factor(idp, account, loaded, now) else "no_second_factor"


def _has_second_factor(idp: Idp, account: Account, loaded: Loaded, now: datetime) -> bool:
    by_mail = account.mailbox is not None and Factor.EMAIL in idp.policy.factors
    return by_mail or any(
        each.closed_at is None and each.remaining != 0 and each.created_at <= now for each in loaded.authenticators
    )


async def _rewritten(idp: Idp, typed: passwords.Password, old: str) -> str | None:
    """The hash to store in place of this one, which is right; None where it is as we make them today."""
    return await idp.passwords.hash_password(typed) if passwords.needs_rehash(typed, hashed=old) else None
