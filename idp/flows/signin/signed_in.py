"""What a right password brings: the proof, the session's next token, and the next question where it leaves unasked."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from idp.audit import FactorVerified
from idp.crypto import digest, random_token
from idp.flows.idp import Idp, Visitor, next_token
from idp.flows.language import message_language
from idp.flows.signin.authorize import ToInteraction, facts_of
from idp.flows.signin.destinations import charges as sending_charges
from idp.flows.signin.destinations import destination
from idp.flows.signin.questions import question
from idp.model import Account, AuthenticationEvent, Client, Factor, Interaction, Session
from idp.policy import Ask, Kind, decide, unasked
from idp.store.engine import Conn
from idp.store.refunds import Refunds
from idp.store.signin import proofs, sessions
from idp.store.signin.consuming import Compared
from idp.store.signin.facts import Loaded
from idp.store.signin.proofs import Beginning, NextQuestion, Proof, Rotation


async def signed_in(
    idp: Idp,
    visitor: Visitor,
    account: Account,
    loaded: Loaded,
    interaction: Interaction,
    refunds: Refunds,
    *,
    begins: bool,
) -> ToInteraction | None:
    """The password is recorded, and the session has the next token. None: somebody was first."""
    now = idp.clock.now()
    session, shown = loaded.session, visitor.token_hash
    assert shown is not None
    assert visitor.token is not None
    if session is None or (session.link is None and session.account_id in {None, account.id}):
        token = next_token(idp.secrets, visitor.token, interaction.session_id)
        rotation = Rotation(interaction.session_id, shown, digest(token))
        beginning = Beginning(interaction, session is None, visitor.user_agent) if begins else None
        recorded = await _record(
            idp,
            idp.db,
            visitor,
            account,
            loaded,
            interaction,
            rotation=rotation,
            refunds=refunds,
            beginning=beginning,
            now=now,
        )
        return ToInteraction(interaction.id, token) if recorded else None
    # Another person in the same browser, or a session that a link opened: nothing of that one may carry over.
    fresh = Session(uuid4(), None, now, now, visitor.user_agent)
    token, unused = next_token(idp.secrets, visitor.token, fresh.id), digest(random_token())
    moved = replace(interaction, session_id=fresh.id, consented=None, account_chosen=False)
    rotation = Rotation(fresh.id, unused, digest(token), shown)
    beginning = Beginning(moved, new_session=True, user_agent=visitor.user_agent) if begins else None
    async with idp.db.transaction() as conn:
        if begins:
            mine = await sessions.hold(conn, session_id=session.id, token_hash=shown)
        else:
            mine = await sessions.replace(
                conn, interaction_id=interaction.id, old=session.id, new=fresh, token_hash=unused, shown=shown, now=now
            )
        if not mine:
            return None
        loaded = replace(loaded, session=fresh, events=())
        recorded = await _record(
            idp,
            conn,
            visitor,
            account,
            loaded,
            moved,
            rotation=rotation,
            refunds=refunds,
            beginning=beginning,
            now=now,
        )
        if begins and not recorded:
            return None
        await sessions.end(conn, session_id=session.id, now=now)
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
    beginning: Beginning | None,
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
        beginning=beginning,
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
        charges=sending_charges(idp, visitor, to, loaded.device),
        audit=to.sent(interaction.id),
    )
