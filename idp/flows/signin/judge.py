"""Compare a typed answer with its question. Nothing is stored here, and nobody is told before an attempt was spent."""

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from idp.factors import credentials, email, recovery, sms, totp
from idp.factors.answers import SIX, six_digits
from idp.factors.credentials import Assertion
from idp.flows.idp import Idp
from idp.flows.sealed import CODE_KEY, SEED, bound
from idp.flows.signin.authorize import Show
from idp.flows.signin.signed import Wrong, signed, usable, was_signed
from idp.model import Account, AuthenticationEvent, Authenticator, Challenge, Factor
from idp.store.engine import Conn
from idp.store.people import recovery_codes
from idp.store.signin.consuming import Evidence, Mailed, Saved, Step, Texted
from idp.store.signin.replaced import Replaced

Answer = str | Assertion


def parse(factor: Factor, posted: object, theirs: Iterable[Authenticator]) -> Answer | None:
    """The answer that `judge` takes, out of what was posted; None for what cannot be one, before a try is spent."""
    match factor:
        case Factor.SMS | Factor.EMAIL:
            return six_digits(posted)
        case Factor.TOTP:
            apps = (each for each in theirs if each.factor is Factor.TOTP and each.closed_at is None)
            return six_digits(posted, lengths={each.codes.digits for each in apps} or SIX)
        case Factor.RECOVERY:
            return recovery.normalise_answer(posted)
        case Factor.PASSKEY:
            return credentials.parse(posted)
        case Factor.PASSWORD:
            return None  # `login` reads and compares it
        case _:
            assert_never(factor)


def judge(idp: Idp, show: Show, account: Account, factor: Factor, typed: Answer, *, now: datetime) -> Evidence | Wrong:
    """What a right answer uses up, for `proofs.answer`. A sent code is right while where it went is still theirs.

    A saved code is only claimed: whether there is such a code is found when it is consumed.
    """
    if isinstance(typed, Assertion):
        return signed(idp, show, account, typed, now=now) if factor is Factor.PASSKEY else Wrong()
    asked = show.loaded.challenges.get(factor)
    match factor:
        case Factor.SMS:
            phone = None if asked is None else asked.authenticator_id
            known = {each.id for each in show.loaded.authenticators if each.closed_at is None}
            if asked is not None and phone in known and _is_code(idp, asked, show.interaction.request.approves, typed):
                assert phone is not None
                return Texted(phone, asked.nonce)
        case Factor.EMAIL:
            mailbox = account.mailbox
            if asked is not None and mailbox is not None and _is_code(idp, asked, email.details(mailbox), typed):
                return Mailed(mailbox, asked.nonce)
        case Factor.TOTP:
            used_before = False
            for app in usable(show, factor, now=now):
                seed, last = _seed_of(idp, app), app.last_step
                match totp.check(seed=seed, answer=typed, now=now, last_step=last, codes=app.codes):
                    case totp.Verified(step):
                        return Step(app.id, step)
                    case totp.Wrong(used=again):
                        used_before |= again
            return Wrong(used_before)
        case Factor.RECOVERY:
            for codes in show.loaded.authenticators:
                if codes.factor is Factor.RECOVERY and codes.closed_at is None:
                    return Saved(codes.id, recovery.stored(typed, authenticator_id=codes.id))
        case Factor.PASSKEY | Factor.PASSWORD:
            pass
        case _:
            assert_never(factor)
    return Wrong()


async def was_accepted(idp: Idp, conn: Conn, before: Replaced, event: AuthenticationEvent, typed: Answer) -> bool:
    """Whether this is the code that made the proof: of the question it consumed, of that step, or that saved one."""
    account, challenge = before.loaded.account, before.loaded.challenges.get(event.factor)
    assert account is not None
    if isinstance(typed, Assertion):
        return await was_signed(idp, conn, before, event, typed)
    answered = challenge if challenge is not None and challenge.consumed_at == before.at else None
    match event.factor:
        case Factor.SMS:
            interaction = before.loaded.interaction
            if answered is None or interaction is None:
                return False
            return _is_code(idp, answered, interaction.request.approves, typed)
        case Factor.EMAIL:
            if answered is None or account.mailbox is None:
                return False
            return _is_code(idp, answered, email.details(account.mailbox), typed)
        case Factor.TOTP:
            for app in before.loaded.authenticators:
                if app.id == event.authenticator_id and app.seed is not None:
                    seed, step, codes = _seed_of(idp, app), app.last_step, app.codes
                    judged = totp.check(seed=seed, answer=typed, now=before.at, last_step=step - 1, codes=codes)
                    return judged == totp.Verified(step)
            return False
        case Factor.RECOVERY:
            assert event.authenticator_id is not None
            code_hash = recovery.stored(typed, authenticator_id=event.authenticator_id)
            used = await recovery_codes.used_at(conn, authenticator_id=event.authenticator_id, code_hash=code_hash)
            return used == before.at
        case Factor.PASSKEY | Factor.PASSWORD:
            return False
        case _:
            assert_never(event.factor)


def _is_code(idp: Idp, asked: Challenge, details: bytes, typed: str) -> bool:
    key = idp.secrets.subkey(CODE_KEY, asked.key_id)
    return sms.check(key=key, nonce=asked.nonce, purpose=asked.purpose, details=details, answer=typed)


def _seed_of(idp: Idp, app: Authenticator) -> bytes:
    """The seed of an app. Raises `SealBroken` for a row that was tampered with."""
    assert app.seed is not None
    return idp.secrets.unseal(app.seed, purpose=SEED, bound_to=bound(app.account_id, app.id))
