"""The password: charge, verify, record. Everything wrong has the same face (promise 9)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from idp import limits
from idp.audit import FactorRefused, FactorVerified
from idp.crypto import digest, random_token
from idp.factors import password as passwords
from idp.factors import recovery
from idp.flows.idp import Idp, Visitor, address_key, exempt, known_device, next_token
from idp.flows.language import message_language
from idp.flows.signin import repeat
from idp.flows.signin.authorize import Gone, ToInteraction, facts_of, opened
from idp.flows.signin.destinations import charges as sending_charges
from idp.flows.signin.destinations import destination
from idp.flows.signin.questions import question
from idp.limits import Closed, Limit, Refused
from idp.model import Account, AuthenticationEvent, Client, Factor, Interaction, Session
from idp.policy import Ask, Kind, decide, unasked
from idp.store import audits, rate_limits
from idp.store.engine import Conn
from idp.store.people import accounts, recovery_codes
from idp.store.refunds import Refund, Refunds, give_back
from idp.store.signin import facts as store_facts
from idp.store.signin import proofs, sessions
from idp.store.signin.consuming import Compared
from idp.store.signin.facts import Loaded
from idp.store.signin.proofs import NextQuestion, Proof, Rotation
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
    interaction_id: UUID,
    visitor: Visitor,
    *,
    username: str,
    typed: passwords.Password,
    saved: object = None,
) -> ToInteraction | WrongPassword | Wait | Gone:
    """Check a password. On success the session has a new token, and a text message is on its way if one is due.

    A recovery code (`saved`) makes any browser a known one for this try, and is not used up by it.
    """
    now = idp.clock.now()
    if visitor.token_hash is None:
        return Gone(other_browser=True)
    name = fold(username)
    loaded = await store_facts.of_username(
        idp.db,
        token_hash=visitor.token_hash,
        interaction_id=interaction_id,
        username=name,
        sessions=idp.policy.sessions,
        now=now,
    )
    found = opened(idp, loaded, now=now)
    if isinstance(found, Gone):
        return await _again(idp, interaction_id, visitor, name, typed, saved) or found
    _, interaction, client = found
    account = loaded.account
    device = await _known(idp, visitor, loaded, saved)
    charges = _charges(idp, visitor, name, device)
    if (refused := await rate_limits.spend(idp.db, charges, now=now)) is not None:
        return _wait(refused, device)
    right = await idp.passwords.verify(typed, hashed=loaded.password_hash)
    if not right or account is None or account.disabled or not _has_second_factor(idp, account, loaded, now):
        refused_event = FactorRefused(factor=Factor.PASSWORD, interaction=str(interaction.id))
        await audits.add(
            idp.db, refused_event, now=now, account_id=account.id if account else None, client_id=client.id
        )
        return WrongPassword()
    onward = await _signed_in(idp, visitor, account, loaded, interaction, _harmless(idp, charges, charged_at=now))
    if onward is None:
        # Somebody was first: the same form, sent twice at once. What was right costs no try.
        await give_back(idp.db, charges, now=now)
        return await _again(idp, interaction_id, visitor, name, typed, saved) or ToInteraction(interaction_id)
    await _rehash(idp, account, typed, loaded.password_hash)
    return onward


async def _again(
    idp: Idp, interaction_id: UUID, visitor: Visitor, name: str, typed: passwords.Password, saved: object
) -> ToInteraction | Wait | None:
    """The form once more, with the token that the first one replaced: the same password goes on where that is."""
    before = await repeat.replaced(idp, interaction_id, visitor)
    if before is None or repeat.proof_of(before, interaction_id, Factor.PASSWORD) is None:
        return None
    account, now = before.loaded.account, idp.clock.now()
    if account is None or account.username != name:
        return None
    device = await _known(idp, visitor, before.loaded, saved)
    charges = _charges(idp, visitor, name, device)
    if (refused := await rate_limits.spend(idp.db, charges, now=now)) is not None:
        return _wait(refused, device)
    if not await idp.passwords.verify(typed, hashed=before.loaded.password_hash):
        await repeat.wrong(idp, idp.db, visitor, before, interaction_id, Factor.PASSWORD)
        return None
    await give_back(idp.db, charges, now=now)
    return repeat.onward(idp, visitor, before, interaction_id)


async def _known(idp: Idp, visitor: Visitor, loaded: Loaded, saved: object) -> str | None:
    """What tells this browser from strangers' ones: its own mark, or the set of an unused recovery code.

    Nobody guesses 80 bits, so a right one is the owner or who has the paper, and that one waits as a browser does. The
    same is done for a name that nobody has.
    """
    account = loaded.account
    device = None if account is None else known_device(idp, visitor, account.id)
    if device is not None or (code := recovery.normalise_answer(saved)) is None:
        return device
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


def _has_second_factor(idp: Idp, account: Account, loaded: Loaded, now: datetime) -> bool:
    by_mail = account.mailbox is not None and Factor.EMAIL in idp.policy.factors
    return by_mail or any(
        each.closed_at is None and each.remaining != 0 and each.created_at <= now for each in loaded.authenticators
    )


async def _rehash(idp: Idp, account: Account, typed: passwords.Password, old: str | None) -> None:
    if old is not None and passwords.needs_rehash(old):
        new = await idp.passwords.hash_password(typed)
        await accounts.rehash(idp.db, account_id=account.id, old_hash=old, new_hash=new)


async def _signed_in(
    idp: Idp,
    visitor: Visitor,
    account: Account,
    loaded: Loaded,
    interaction: Interaction,
    refunds: Refunds,
) -> ToInteraction | None:
    """The password is recorded, and the session has the next token. None: somebody was first."""
    now = idp.clock.now()
    session, shown = loaded.session, visitor.token_hash
    assert session is not None
    assert shown is not None
    assert visitor.token is not None
    if session.account_id is None or session.account_id == account.id:
        token = next_token(idp.secrets, visitor.token, session.id)
        rotation = Rotation(session.id, shown, digest(token))
        recorded = await _record(
            idp, idp.db, visitor, account, loaded, interaction, rotation=rotation, refunds=refunds, now=now
        )
        return ToInteraction(interaction.id, token) if recorded else None
    # Another person in the same browser: nothing of the first one's session may carry over.
    fresh = Session(uuid4(), None, now, now, visitor.user_agent)
    token, unused = next_token(idp.secrets, visitor.token, fresh.id), digest(random_token())
    moved = replace(interaction, session_id=fresh.id, consented=None, account_chosen=False)
    rotation = Rotation(fresh.id, unused, digest(token), shown)
    async with idp.db.transaction() as conn:
        if not await sessions.replace(
            conn, interaction_id=interaction.id, old=session.id, new=fresh, token_hash=unused, shown=shown, now=now
        ):
            return None
        await sessions.end(conn, session_id=session.id, now=now)
        loaded = replace(loaded, session=fresh, events=())
        recorded = await _record(
            idp, conn, visitor, account, loaded, moved, rotation=rotation, refunds=refunds, now=now
        )
    return ToInteraction(interaction.id, token if recorded else None)


async def _record(
    idp: Idp,
    conn: Conn,
    visitor: Visitor,
    account: Account,
    loaded: Loaded,
    interaction: Interaction,
    *,
    rotation: Rotation,
    refunds: Refunds,
    now: datetime,
) -> bool:
    client = idp.client(interaction.client_id)
    assert client is not None
    assert loaded.password_hash is not None
    event = AuthenticationEvent(Factor.PASSWORD, now, account.id, client.id, interaction.id)
    return await proofs.record(
        conn,
        Proof(Compared(loaded.password_hash), account.id, client.id, interaction.id),
        rotation=rotation,
        audit=FactorVerified(factor=Factor.PASSWORD, interaction=str(interaction.id)),
        refunds=refunds,
        then=_next_question(idp, visitor, account, loaded, interaction, client, event, now=now),
        now=now,
    )


def _next_question(
    idp: Idp,
    visitor: Visitor,
    account: Account,
    loaded: Loaded,
    interaction: Interaction,
    client: Client,
    event: AuthenticationEvent,
    *,
    now: datetime,
) -> NextQuestion | None:
    """The code to send together with recording the password, if that is what comes next and nothing better is there."""
    signed_in = replace(
        loaded,
        session=Session(interaction.session_id, account.id, now, now),
        events=(*loaded.events, event),
    )
    decision = decide(facts_of(idp, signed_in, interaction, client, now=now), idp.policy)
    if not isinstance(decision, Ask) or decision.kind is not Kind.SECOND_FACTOR:
        return None
    factor = unasked(decision.factors, idp.policy)
    to = None if factor is None else destination(idp, factor, account, loaded.authenticators)
    if factor is None or to is None:
        return None
    locale = message_language(idp, visitor, account, ui_locales=interaction.request.ui_locales)
    return NextQuestion(
        question=question(idp, interaction, account, factor, to, locale=locale, now=now),
        charges=sending_charges(idp, visitor, to),
        audit=to.sent(interaction.id),
    )
