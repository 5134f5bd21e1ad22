"""The second factor: send a code, spend an attempt, compare, record. Each attempt is spent before it is compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from idp import limits
from idp.audit import CodeSent, FactorRefused, FactorVerified
from idp.crypto import digest, random_bytes, random_token
from idp.factors import KINDS, sms
from idp.flows.authorize import Gone, Show, ToInteraction, load
from idp.flows.idp import Idp, Visitor, address_key, exempt, known_device, remember_device, session_token
from idp.flows.judge import judge
from idp.flows.language import message_language
from idp.flows.notices import tell
from idp.limits import Closed, Limit, Refused
from idp.model import Account, Authenticator, Factor, Interaction, Swap
from idp.policy import Kind
from idp.sms.text import Notice
from idp.store import attempts, audits, challenges, proofs, rate_limits
from idp.store.attempts import Dead, Spent
from idp.store.challenges import Charges, Question
from idp.store.proofs import Proof, Rotation


@dataclass(frozen=True, slots=True)
class NotOffered:
    """This factor is not asked for here, so it is not looked at (promise 3)."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """What was typed cannot be a code; no attempt was spent."""

    show: Show
    factor: Factor
    empty: bool


@dataclass(frozen=True, slots=True)
class WrongCode:
    """Compared, and not right. `used`: it was right once, and may not be used again."""

    show: Show
    factor: Factor
    attempts_left: int
    used: bool = False


@dataclass(frozen=True, slots=True)
class DeadCode:
    """There is nothing to compare with any more: a new code has to be asked for."""

    show: Show
    factor: Factor


@dataclass(frozen=True, slots=True)
class Paused:
    """A limit refused; nothing was compared or sent. None: waiting does not help."""

    show: Show
    factor: Factor
    retry_after: timedelta | None
    sending: bool


SecondFactor = ToInteraction | NotOffered | Malformed | WrongCode | DeadCode | Paused | Gone


def phone_of(authenticators: Sequence[Authenticator]) -> Authenticator | None:
    """The phone that codes go to: the newest one that is open."""
    phones = [each for each in authenticators if each.factor is Factor.SMS and each.closed_at is None]
    return max(phones, key=lambda each: each.created_at, default=None)


def purpose_of(interaction: Interaction, phone: UUID) -> str:
    """What a code is for, and for nothing else (OTP-09)."""
    return f"sign-in/{interaction.id}/{phone}"


def question(
    idp: Idp,
    interaction: Interaction,
    account: Account,
    authenticator: Authenticator | None,
    factor: Factor,
    *,
    locale: str | None,
    now: datetime,
) -> Question:
    """A fresh question; if a live one exists the store keeps that instead."""
    sent = KINDS[factor].sent
    return Question(
        interaction_id=interaction.id,
        factor=factor,
        account_id=account.id,
        authenticator_id=authenticator.id if authenticator else None,
        purpose=purpose_of(interaction, authenticator.id) if authenticator and sent else factor.value,
        nonce=random_bytes(sms.NONCE_BYTES),
        key_id=idp.secrets.current,
        expires_at=now + idp.policy.challenge_ttl,
        max_attempts=idp.policy.challenge_attempts,
        message_id=UUID(bytes=random_bytes(16), version=4) if sent else None,
        locale=locale,
    )


def sms_charges(idp: Idp, visitor: Visitor, phone: Authenticator) -> Charges:
    """What sending one code costs: a slot of the number, and one of the address unless it is trusted.

    A known device has slots of its own: whoever learnt the password cannot use up those of its owner (threats 11).
    """
    charges: list[tuple[Limit, bytes]] = [(limits.SMS_NUMBER, _number_slots(idp, visitor, phone.account_id, phone.id))]
    if known_device(idp, visitor, phone.account_id) is None and not exempt(idp, visitor):
        charges.append((limits.SMS_ADDRESS, limits.subject(limits.SMS_ADDRESS, address_key(idp, visitor))))
    return charges


def _number_slots(idp: Idp, visitor: Visitor, account_id: UUID, phone: UUID) -> bytes:
    device = known_device(idp, visitor, account_id)
    return limits.subject(limits.SMS_NUMBER, phone, *([] if device is None else [device]))


def _failures(account: Account, factor: Factor) -> bytes:
    return limits.subject(limits.CODE_FAILURES, account.id, factor.value)


async def _asked(
    idp: Idp, interaction_id: UUID, visitor: Visitor, factor: Factor, *, now: datetime
) -> Show | ToInteraction | NotOffered | Gone:
    match await load(idp, interaction_id, visitor, now=now):
        case Gone() as gone:
            return gone
        case Show(ask=ask) as show if ask.kind is Kind.SECOND_FACTOR:
            return show if factor in ask.factors else NotOffered()
        case _:
            return ToInteraction(interaction_id)


async def send(idp: Idp, interaction_id: UUID, visitor: Visitor, factor: Factor) -> SecondFactor:
    """Ask for a code, or for another try with an app or a saved code. A live code is sent again unchanged."""
    now = idp.clock.now()
    show = await _asked(idp, interaction_id, visitor, factor, now=now)
    if not isinstance(show, Show):
        return show
    account = show.facts.account
    assert account is not None
    phone = phone_of(show.loaded.authenticators) if KINDS[factor].sent else None
    if KINDS[factor].sent and phone is None:
        return NotOffered()
    charges = sms_charges(idp, visitor, phone) if phone else []
    locale = message_language(idp, visitor, account, ui_locales=show.interaction.request.ui_locales)
    asked = await challenges.ask(
        idp.db,
        question(idp, show.interaction, account, phone, factor, locale=locale, now=now),
        charges=charges,
        audit=CodeSent(interaction=str(interaction_id), phone=phone.hint if phone else ""),
        client_id=show.client.id,
        now=now,
    )
    match asked:
        case None:
            return ToInteraction(interaction_id)
        case Closed():
            return Paused(show, factor, None, sending=True)
        case Refused(retry_after):
            return Paused(show, factor, retry_after, sending=True)


async def answer(idp: Idp, interaction_id: UUID, visitor: Visitor, factor: Factor, typed: object) -> SecondFactor:
    """Judge a code. Whatever happens afterwards, the attempt stays spent; a right code works exactly once."""
    now = idp.clock.now()
    show = await _asked(idp, interaction_id, visitor, factor, now=now)
    if not isinstance(show, Show):
        return show
    account = show.facts.account
    assert account is not None
    parsed = KINDS[factor].parse(typed)
    if not isinstance(parsed, str):
        return Malformed(show, factor, empty=not typed)
    failures = (limits.CODE_FAILURES, _failures(account, factor))
    spent = await attempts.spend(
        idp.db,
        question(idp, show.interaction, account, None, factor, locale=None, now=now),
        charges=[failures],
        ask_if_none=not KINDS[factor].sent,
        now=now,
    )
    match spent:
        case Dead():
            return DeadCode(show, factor)
        case Closed():
            return Paused(show, factor, None, sending=False)
        case Refused(retry_after):
            return Paused(show, factor, retry_after, sending=False)
        case Spent():
            pass
    proof, values, used = judge(idp, show, account, factor, parsed, spent, now=now)
    session = show.loaded.session
    assert session is not None
    token = session_token(idp.secrets, session.id)
    assert visitor.token_hash is not None
    if proof is not None and await _record(
        idp,
        visitor,
        proof,
        rotation=Rotation(session.id, visitor.token_hash, digest(token)),
        account=account,
        locale=message_language(idp, visitor, account, ui_locales=show.interaction.request.ui_locales),
        now=now,
        values=values,
    ):
        device = remember_device(idp, visitor, account, fresh=random_token())
        return ToInteraction(interaction_id, token, device)
    if proof is not None and factor is not Factor.RECOVERY:
        # Somebody was first: another tab of the same browser, or the same code twice. Look again.
        return ToInteraction(interaction_id)
    refused = FactorRefused(factor=factor, interaction=str(interaction_id), attempts_left=spent.attempts_left)
    await audits.add(idp.db, refused, now=now, account_id=account.id, client_id=show.client.id)
    return WrongCode(show, factor, spent.attempts_left, used)


async def _record(
    idp: Idp,
    visitor: Visitor,
    proof: Proof,
    *,
    rotation: Rotation,
    account: Account,
    locale: str,
    now: datetime,
    values: dict[str, Any],
) -> bool:
    """Consume and record. Who used a saved code is told, in the same transaction: it may not have been them."""
    factor = proof.factor
    verified = FactorVerified(
        factor=factor,
        interaction=str(proof.interaction_id),
        authenticator=str(proof.authenticator_id),
        for_client=proof.client_id,
        # In the trail unless more was known: what is written on the question goes over it.
        sim_swap=Swap.UNKNOWN if factor is Factor.SMS and idp.intel is not None else None,
    )
    given: dict[str, Any] = {
        "rotation": rotation,
        "audit": verified,
        "forgive": _forgiven(idp, visitor, account, proof),
        "refund": _refund(idp, visitor, account, factor),
        "now": now,
        **values,
    }
    if factor is not Factor.RECOVERY:
        return await proofs.record(idp.db, proof, **given)
    async with idp.db.transaction() as conn:
        if not await proofs.record(conn, proof, **given):
            return False
        await tell(idp, conn, account, Notice.RECOVERY_USED, locale=locale, now=now)
        return True


def _forgiven(idp: Idp, visitor: Visitor, account: Account, proof: Proof) -> list[bytes]:
    keys = [_failures(account, proof.factor)]
    if proof.factor is Factor.SMS and proof.authenticator_id is not None:
        keys.append(_number_slots(idp, visitor, account.id, proof.authenticator_id))
    return keys


def _refund(idp: Idp, visitor: Visitor, account: Account, factor: Factor) -> tuple[Limit, bytes] | None:
    if factor is not Factor.SMS or exempt(idp, visitor) or known_device(idp, visitor, account.id) is not None:
        return None
    return limits.SMS_ADDRESS, limits.subject(limits.SMS_ADDRESS, address_key(idp, visitor))


async def resend_in(idp: Idp, visitor: Visitor, phone: Authenticator) -> timedelta | None:
    """How long until another text message is possible; None for now. Closed limits wait for ever, so never closed."""
    now = idp.clock.now()
    longest = timedelta(0)
    for limit, key in sms_charges(idp, visitor, phone):
        left = limits.wait(limit, await rate_limits.peek(idp.db, key), now=now)
        longest = max(longest, left if left is not None else limits.FOR_EVER)
    return longest or None
