"""A passkey instead of the password: what somebody has, and proof that it is they who hold it, in one answer."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from idp import limits
from idp.audit import FactorRefused
from idp.factors import credentials
from idp.flows import passkeys
from idp.flows.idp import Idp, Visitor, address_key, exempt
from idp.flows.signin import repeat
from idp.flows.signin.authorize import Gone, ToClient, ToInteraction, Unstored
from idp.flows.signin.finding import begun, find
from idp.flows.signin.first import begins_as
from idp.flows.signin.refusals import note_behind
from idp.flows.signin.signed import Wrong, verified
from idp.flows.signin.signed_in import signed_in
from idp.limits import Limit, Refused
from idp.model import Factor, Session
from idp.store import audits, rate_limits
from idp.store.refunds import Refund, Refunds, give_back
from idp.store.signin.consuming import Signed


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """Not signed in. `empty`: nothing came, so no script ran; `old`: its page is not of this browser, or too old.

    `behind`: there may be two of this passkey. `barred`: it is theirs, and does not count for somebody of their groups.
    """

    empty: bool = False
    old: bool = False
    behind: bool = False
    barred: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing was looked at: too many tries from this address."""

    retry_after: timedelta


def options(idp: Idp, visitor: Visitor, asked: str, session: Session | None) -> str | None:
    """What a browser is asked for where nobody said who they are, for what is `asked`; None where there are none."""
    us = passkeys.relying(idp)
    session_id = begins_as(idp, visitor, now=idp.clock.now()) if session is None else session.id
    if us is None:
        return None
    challenge = passkeys.new_challenge(idp, session_id, passkeys.alone(asked))
    return passkeys.request(us, challenge, must_verify=True)


async def passkey(
    idp: Idp, asked: UUID | Unstored, visitor: Visitor, *, answer: object
) -> ToInteraction | ToClient | NotAccepted | Wait | Gone:
    """Sign in by a passkey that made sure who holds it. Straight to the client where nothing else is asked.

    As with a password, nothing is stored before it is right, and `Gone` is for a cookie that opens nothing any more.
    """
    now = idp.clock.now()
    typed = credentials.parse(answer)
    # WebAuthn 7.2, step 6: who has not said who they are is found by the user handle
    if typed is None or typed.handle is None:
        return NotAccepted(empty=not answer)
    found = await find(idp, asked, visitor, typed.credential_id, now=now)
    if isinstance(found, Gone):
        return await _again(idp, asked, visitor, answer) or found
    loaded, interaction, client = found
    charges = _charges(idp, visitor)
    refused = await rate_limits.spend(idp.db, charges, now=now, waits=False) if charges else None
    if refused is not None:
        assert isinstance(refused, Refused), "this limit does not close"
        return Wait(refused.retry_after)
    account, place = loaded.account, passkeys.alone(str(asked) if isinstance(asked, UUID) else asked.written)
    # Somebody who registers has not come to an end of it yet.
    if account is not None and not account.disabled and account.provisional_until is None:
        theirs = passkeys.open_passkeys(loaded.authenticators)
        match verified(idp, account, theirs, typed, interaction, place, now=now, alone=True):
            case Signed() if Factor.PASSKEY not in idp.policy.of(account.groups).factors:
                return NotAccepted(barred=True)
            case Signed() as signed:
                refunds = Refunds(tuple(Refund(*each) for each in charges), since=now) if charges else None
                begins = isinstance(asked, Unstored)
                onward = await signed_in(
                    idp, visitor, account, loaded, interaction, refunds, evidence=signed, begins=begins
                )
                if onward is None:
                    # Somebody was first: the same form, sent twice at once. What was right costs no try.
                    await give_back(idp.db, charges, now=now)
                    onward = await _again(idp, asked, visitor, answer)
                return onward or NotAccepted(old=True)
            case Wrong(behind=UUID() as which):
                await note_behind(idp, visitor, interaction, account, which, now=now)
                return NotAccepted(behind=True)
            case Wrong():
                pass
    await audits.add(
        idp.db,
        FactorRefused(factor=Factor.PASSKEY, interaction=str(interaction.id), known=loaded.device is not None or None),
        now=now,
        account_id=account.id if account else None,
        client_id=client.id,
    )
    ours = passkeys.is_ours(idp, interaction.session_id, place, typed.challenge, now=now)
    return await _again(idp, asked, visitor, answer) or NotAccepted(old=not ours)


async def _again(idp: Idp, asked: UUID | Unstored, visitor: Visitor, answer: object) -> ToInteraction | ToClient | None:
    """The form once more, with the token that the first one replaced."""
    if visitor.token is None or visitor.session_id is None:
        return None
    id_ = asked if isinstance(asked, UUID) else begun(idp, asked, visitor, now=idp.clock.now()).id
    return await repeat.code(idp, id_, visitor, Factor.PASSKEY, answer)


def _charges(idp: Idp, visitor: Visitor) -> list[tuple[Limit, bytes]]:
    """What an answer costs whoever is at this address; of nobody in particular, for a signature is not guessed."""
    if exempt(idp, visitor):
        return []
    return [(idp.limits.password_address, limits.subject(idp.limits.password_address, address_key(idp, visitor)))]
