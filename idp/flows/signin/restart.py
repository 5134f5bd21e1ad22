"""A request that was stored, once more from its beginning; what was finished asks for nothing by itself."""

from dataclasses import dataclass
from uuid import UUID

from idp.flows.idp import OURS, Idp, Visitor
from idp.flows.signin.authorize import Gone, Show, ToClient, ToInteraction, at_once, leads_home
from idp.flows.signin.begin import begin
from idp.model import Account, AuthorizationRequest
from idp.store.signin import facts, sessions


@dataclass(frozen=True, slots=True)
class Finished:
    """It was answered in this very browser, and from its beginning it would ask for something again."""

    request: AuthorizationRequest
    account: Account | None


@dataclass(frozen=True, slots=True)
class Over:
    """It was pushed, and so is good for one answer: its client pushes another one, or nobody does."""

    request: AuthorizationRequest


async def restart(idp: Idp, interaction_id: UUID, visitor: Visitor) -> ToClient | ToInteraction | Gone:
    """The stored request once more, from its beginning, in whatever browser this is. Answered or not: that stays.

    It is what the address of the authorization endpoint would do that the application made.
    """
    request = await stored_request(idp, interaction_id)
    return Gone() if request is None or request.pushed else await _begin(idp, request, visitor)


async def reopen(idp: Idp, interaction_id: UUID, visitor: Visitor) -> ToClient | ToInteraction | Gone | Finished | Over:
    """As `restart`, for who did not ask for that: nobody types a code for what they only came back to."""
    request = await stored_request(idp, interaction_id)
    if request is None:
        return Gone()
    if request.pushed:
        return Over(request)
    if visitor.token_hash is not None:
        now = idp.clock.now()
        loaded = await facts.of_interaction(
            idp.db,
            token_hash=visitor.token_hash,
            interaction_id=interaction_id,
            device=None,
            sessions=idp.policy.sessions,
            now=now,
        )
        if loaded.interaction is not None and loaded.interaction.finished_at is not None:
            answer = await at_once(idp, request, visitor)
            if isinstance(answer, Show):
                return Finished(request, loaded.account)
            if request.client_id not in OURS:
                return answer
    return await _begin(idp, request, visitor)


async def _begin(idp: Idp, request: AuthorizationRequest, visitor: Visitor) -> ToClient | ToInteraction:
    return ToClient(request, ()) if request.client_id in OURS else await begin(idp, request, visitor)


async def stored_request(idp: Idp, interaction_id: UUID) -> AuthorizationRequest | None:
    """The request that `restart` would begin, if there is one."""
    request = await sessions.stored_request(idp.db, interaction_id=interaction_id)
    return request if request is not None and _still_registered(idp, request) else None


def _still_registered(idp: Idp, request: AuthorizationRequest) -> bool:
    client = idp.client(request.client_id)
    if client is None or client.id in OURS:
        return client is not None
    # What was this client's when it asked: its registration may have changed.
    return leads_home(request, client) and client.scopes.issuperset(request.scopes)
