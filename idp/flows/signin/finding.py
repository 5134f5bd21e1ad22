"""Whom the first step of a sign-in is about, and the request that it belongs to. Nothing is judged here."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from idp.flows.idp import Idp, Visitor, device_key, interaction_id
from idp.flows.signin.authorize import Gone, Unstored, check_client, opened, paused
from idp.flows.signin.first import begins_as
from idp.model import Client, Interaction, Session
from idp.store.signin import signers
from idp.store.signin.facts import Loaded
from idp.store.signin.signers import Whose


async def find(
    idp: Idp, asked: UUID | Unstored, visitor: Visitor, whose: Whose, *, now: datetime
) -> tuple[Loaded, Interaction, Client] | Gone:
    """What is known of this person and this browser, and what is `asked`; `Gone` where the cookie opens nothing."""
    if visitor.token is None or visitor.token_hash is None or visitor.session_id is None:
        return Gone(other_browser=True)
    device, sessions = device_key(idp, visitor), idp.policy.sessions
    if isinstance(asked, UUID):
        stored = await signers.inside(
            idp.db,
            whose,
            token_hash=visitor.token_hash,
            interaction_id=asked,
            device=device,
            sessions=sessions,
            now=now,
        )
        return opened(idp, stored, now=now)
    client = idp.client(asked.request.client_id)
    assert client is not None, "a parsed request names a client"
    loaded = await signers.at_the_door(
        idp.db,
        whose,
        token_hash=visitor.token_hash,
        session_id=begins_as(idp, visitor, now=now),
        client_id=client.id,
        device=device,
        sessions=sessions,
        now=now,
    )
    check_client(client, loaded)
    if loaded.session is None and (loaded.taken or not visitor.untried):
        return Gone()
    return loaded, begun(idp, asked, visitor, now=now, session=loaded.session), client


def begun(idp: Idp, asked: Unstored, visitor: Visitor, *, now: datetime, session: Session | None = None) -> Interaction:
    """What a right answer stores of the request; the same form has the same id in whatever process.

    In the `session` that the browser has, if it has one.
    """
    assert visitor.token is not None
    session_id = begins_as(idp, visitor, now=now) if session is None else session.id
    assert session_id is not None
    id_ = asked.interaction_id or interaction_id(visitor.token, asked.written)
    begun = paused(idp, asked.request, id_, session_id, now=now)
    return begun if asked.expires_at is None else replace(begun, expires_at=asked.expires_at)
