"""Compare a typed answer with the question an attempt was spent on. Nothing is stored here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from idp.assurance import is_trusted
from idp.factors import email, recovery, sms, totp
from idp.flows.authorize import Show
from idp.flows.idp import Idp
from idp.flows.sealed import CODE_KEY, SEED, bound
from idp.model import Account, Factor
from idp.store.attempts import App, Spent
from idp.store.proofs import Proof


def judge(
    idp: Idp, show: Show, account: Account, factor: Factor, typed: str, spent: Spent, *, now: datetime
) -> tuple[Proof | None, dict[str, Any], bool]:
    """The proof that a right answer makes, what `proofs.record` must consume for it, and whether it was used before.

    For a saved code the proof is only a claim: whether such a code exists is found when it is consumed.
    """

    def proof(authenticator_id: UUID | None) -> Proof:
        return Proof(factor, account.id, show.client.id, show.interaction.id, authenticator_id)

    match factor:
        case Factor.SMS | Factor.EMAIL:
            used = _sent_code(idp, show, account, factor, typed, spent)
            if used is not None:
                return proof(spent.authenticator_id), used, False
        case Factor.TOTP:
            used_before = False
            for app in _usable(show, spent.apps, now=now):
                match totp.check(seed=seed_of(idp, account.id, app), answer=typed, now=now, last_step=app.last_step):
                    case totp.Verified(step):
                        return proof(app.id), {"step": step}, False
                    case totp.Wrong(used=again):
                        used_before |= again
            return None, {}, used_before
        case Factor.RECOVERY:
            for codes in show.loaded.authenticators:
                if codes.factor is Factor.RECOVERY and codes.closed_at is None:
                    return proof(codes.id), {"recovery_hash": recovery.stored(typed, authenticator_id=codes.id)}, False
        case Factor.PASSWORD:
            pass
    return None, {}, False


def _sent_code(
    idp: Idp, show: Show, account: Account, factor: Factor, typed: str, spent: Spent
) -> dict[str, Any] | None:
    """What a right code uses up, if where it went to is still this person's."""
    used: dict[str, Any] = {"nonce": spent.nonce}
    if factor is Factor.EMAIL:
        if account.mailbox is None:
            return None
        details, used["mailbox"] = email.details(account.mailbox), account.mailbox
    else:
        details = sms.NO_DETAILS
        if spent.authenticator_id not in {each.id for each in show.loaded.authenticators if each.closed_at is None}:
            return None
    key = idp.secrets.subkey(CODE_KEY, spent.key_id)
    right = sms.check(key=key, nonce=spent.nonce, purpose=spent.purpose, details=details, answer=typed)
    return used if right else None


def _usable(show: Show, apps: Sequence[App], *, now: datetime) -> list[App]:
    """The apps whose code would do here: where nothing else is offered, those on hold would only loop."""
    known = {each.id: each for each in show.loaded.authenticators}
    usable = [app for app in apps if app.id in known]
    if show.ask.factors == (Factor.TOTP,):
        trusted = [app for app in usable if is_trusted(known[app.id], at=now)]
        return trusted or usable
    return usable


def seed_of(idp: Idp, account_id: UUID, app: App) -> bytes:
    """The seed of an app. Raises `SealBroken` for a row that was tampered with."""
    return idp.secrets.unseal(app.sealed, purpose=SEED, bound_to=bound(account_id, app.id))
