"""The same form sent twice: the button pressed again, or the first answer lost. Who knows the answer goes on.

The first one replaced the session's token, and the second still comes with the one before. For half a minute, while
nobody has used the new token, the same right answer, checked again, is given the same new token. Everybody else who
holds the old one (a planted or stolen cookie) gains nothing, and one wrong answer ends it.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from idp import limits
from idp.audit import FactorRefused
from idp.crypto import equal
from idp.flows.idp import Idp, Visitor, device_cookie, device_key, next_tokens
from idp.flows.signin.authorize import ToClient, ToInteraction, facts_of, issue, leads_home
from idp.flows.signin.judge import parse, was_accepted
from idp.model import AuthenticationEvent, Factor, Interaction
from idp.policy import Proceed, decide
from idp.store import audits, rate_limits
from idp.store.engine import Conn, Connection
from idp.store.refunds import give_back
from idp.store.signin import attempts, sessions
from idp.store.signin import replaced as store_replaced
from idp.store.signin.replaced import Replaced


async def replaced(idp: Idp, interaction_id: UUID, visitor: Visitor) -> Replaced | None:
    """What the visitor's token opened until it was replaced, if it can be forgiven."""
    if visitor.token_hash is None:
        return None
    return await store_replaced.of_replaced(
        idp.db,
        token_hash=visitor.token_hash,
        interaction_id=interaction_id,
        device=device_key(idp, visitor),
        sessions=idp.policy.sessions,
        now=idp.clock.now(),
    )


async def left(idp: Idp, started: Interaction, visitor: Visitor) -> Replaced | None:
    """As `replaced`, for a request that its own form may have stored or not, and so for any that this browser asks."""
    if visitor.token_hash is None:
        return None
    return await store_replaced.of_left(
        idp.db,
        token_hash=visitor.token_hash,
        session_id=visitor.session_id,
        interaction_id=started.id,
        client_id=started.client_id,
        device=device_key(idp, visitor),
        sessions=idp.policy.sessions,
        now=idp.clock.now(),
    )


def proof_of(before: Replaced, interaction_id: UUID | None, factor: Factor) -> AuthenticationEvent | None:
    """The proof that replaced the token, if it was one of this factor in this interaction; with None, in any."""
    account, events = before.loaded.account, before.loaded.events
    if account is None or account.disabled or not events:
        return None
    last = events[-1]
    ours = (last.at, last.factor, last.account_id) == (before.at, factor, account.id)
    return last if ours and interaction_id in {None, last.interaction_id} else None


def onward(
    idp: Idp, visitor: Visitor, before: Replaced, interaction_id: UUID, *, device: str | None = None
) -> ToInteraction | None:
    """To where the first one is, with the cookie that it set. None when somebody else has made that."""
    session = before.loaded.session
    assert session is not None
    assert visitor.token is not None
    made = next_tokens(idp.secrets, visitor.token, session.id)
    token = next((each for each in made if equal(_hash(each), before.token_hash)), None)
    return None if token is None else ToInteraction(interaction_id, token, device)


def _hash(token: str) -> bytes:
    return Visitor("", token).token_hash or b""


async def wrong(idp: Idp, conn: Conn, visitor: Visitor, before: Replaced, asked: Interaction, factor: Factor) -> None:
    """Whoever holds the old token does not know the answer: it is forgiven no more."""
    session, account = before.loaded.session, before.loaded.account
    assert session is not None
    assert account is not None
    assert visitor.token_hash is not None
    await sessions.forget_previous(conn, session_id=session.id, shown=visitor.token_hash)
    await audits.add(
        conn,
        FactorRefused(factor=factor, interaction=str(asked.id)),
        now=idp.clock.now(),
        account_id=account.id,
        client_id=asked.client_id,
    )


async def code(
    idp: Idp, interaction_id: UUID, visitor: Visitor, factor: Factor, typed: object
) -> ToInteraction | ToClient | None:
    """On, for who sends the very code that was accepted; None for everybody else. The answer costs a try if wrong.

    Where that code was the last thing asked, the client is answered once more: the first answer may be lost.
    """
    here, before = interaction_id, await replaced(idp, interaction_id, visitor)
    if before is None:
        return None
    if (asked_in := _proved_in(before)) not in {None, interaction_id}:
        # the question that was answered is another tab's
        assert asked_in is not None
        interaction_id, before = asked_in, await replaced(idp, asked_in, visitor)
        if before is None:
            return None
    event, account, asked = proof_of(before, interaction_id, factor), before.loaded.account, before.loaded.interaction
    parsed = parse(factor, typed, before.loaded.authenticators)
    if event is None or account is None or asked is None or parsed is None:
        return None
    now = idp.clock.now()
    charges = [(idp.limits.code_failures, limits.subject(idp.limits.code_failures, account.id, factor.value))]
    if await rate_limits.spend(idp.db, charges, now=now) is not None:
        return None
    async with idp.db.transaction() as conn:
        held = await _held(conn, visitor, before)
        right = held and await was_accepted(idp, conn, before, event, parsed)
        if held and not right:
            await wrong(idp, conn, visitor, before, asked, factor)
    if held and not right:
        return None
    await give_back(idp.db, charges, now=now)
    if not held:
        return None
    signs_in = before.loaded.session is None or before.loaded.session.link is None
    device = device_cookie(idp, visitor) if signs_in else None
    next_ = onward(idp, visitor, before, here, device=device)
    answer = None if next_ is None or interaction_id != here else await _told_again(idp, before, now=now)
    return next_ if next_ is None or answer is None else replace(answer, token=next_.token, device=device)


async def _told_again(idp: Idp, before: Replaced, *, now: datetime) -> ToClient | None:
    """The answer to an interaction that this very proof finished; another code, for the one before may have arrived."""
    loaded, interaction = before.loaded, before.loaded.interaction
    assert interaction is not None
    client = idp.client(interaction.client_id)
    if interaction.finished_at != before.at or client is None or not leads_home(interaction.request, client):
        return None
    facts = facts_of(idp, loaded, interaction, client, now=now)
    if interaction.consented is None:
        # Nothing was asked on a page of its own: what the proof's page named was agreed to by it.
        facts = replace(facts, consented_here=frozenset(interaction.request.scopes))
    if interaction.request.details is not None:
        # By the sums before it, as it was approved: this very one is in them now.
        facts = replace(facts, approved_here=True, sums={})
    decision = decide(facts, idp.policy)
    if not isinstance(decision, Proceed):
        return None
    approval = (interaction.id, before.at)
    return await issue(idp, decision, interaction.request, loaded, client, now=now, approval=approval)


def _proved_in(before: Replaced) -> UUID | None:
    return before.loaded.events[-1].interaction_id if before.loaded.events else None


async def _held(conn: Connection, visitor: Visitor, before: Replaced) -> bool:
    """Whether it is forgiven still. Whoever waited here for somebody who was wrong finds that it is not (promise 5)."""
    session = before.loaded.session
    assert session is not None
    assert visitor.token_hash is not None
    return await attempts.hold_repeat(conn, session_id=session.id, shown=visitor.token_hash)
