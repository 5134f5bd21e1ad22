"""What a person decides without proving anything: consent, which account, or not at all."""

from datetime import datetime
from uuid import UUID, uuid4

from idp.audit import ConsentGiven
from idp.crypto import digest
from idp.flows.idp import Idp, Visitor, next_token
from idp.flows.signin import repeat
from idp.flows.signin.authorize import Gone, Show, ToClient, ToInteraction, facts_of, find, load, refused, resume
from idp.flows.signin.told import Told, is_told
from idp.model import AuthorizationRequest, Interaction, Session
from idp.oidc import answer
from idp.policy import Ask, Kind, Policy, Reason, Refuse, Why, decide, not_for_this_person
from idp.store.signin import sessions
from idp.store.signin.facts import Loaded
from idp.store.tokens import consents


async def cancel(idp: Idp, interaction_id: UUID, visitor: Visitor) -> ToClient | Gone:
    """The person does not want to: tell the client (RFC 6749 4.1.2.1, access_denied)."""
    now = idp.clock.now()
    found = await find(idp, interaction_id, visitor, now=now)
    if isinstance(found, Gone):
        return found
    loaded, interaction, client = found
    facts = facts_of(idp, loaded, interaction, client, now=now)
    match decide(facts, idp.policy):
        case Refuse() as refuse if is_told(refuse, interaction.request):
            if not await sessions.finish(idp.db, interaction_id=interaction.id, now=now):
                return Gone()
            return refused(idp, interaction.request, refuse)
        case Ask(reason=Reason(why=Why.NOT_IN_GROUP)):
            return await _deny(idp, interaction, not_for_this_person(facts).description, now=now)
        case _:
            return await _deny(idp, interaction, "The person cancelled.", now=now)


async def _deny(idp: Idp, interaction: Interaction, description: str, *, now: datetime) -> ToClient | Gone:
    if not await sessions.finish(idp.db, interaction_id=interaction.id, now=now):
        return Gone()
    return _denied(idp, interaction.request, description)


def cancelled(idp: Idp, request: AuthorizationRequest) -> ToClient:
    """The person does not want to, before anything was stored."""
    return _denied(idp, request, "The person cancelled.")


def _denied(idp: Idp, request: AuthorizationRequest, description: str) -> ToClient:
    refusal = answer.refuse(request, "access_denied", description)
    return ToClient(request, answer.error(refusal, issuer=idp.issuer))


def optional(policy: Policy, scope: str) -> bool:
    """Whether the consent page has a box for this scope. Who allows a request allows what it is about."""
    return scope != "openid" and not policy.is_fresh_scope(scope)


async def consent(
    idp: Idp, interaction_id: UUID, visitor: Visitor, *, allow: bool, ticked: frozenset[str]
) -> ToInteraction | ToClient | Gone:
    """The answer to the consent page. What was not asked cannot be ticked."""
    now = idp.clock.now()
    match await load(idp, interaction_id, visitor, now=now):
        case Gone() as gone:
            return gone
        case Show(ask=Ask(kind=Kind.CONSENT) as ask) as show:
            if not allow:
                return await _deny(idp, show.interaction, "The person did not agree.", now=now)
            assert show.facts.account is not None
            agreed = [scope for scope in ask.scopes if scope in ticked or not optional(idp.policy, scope)]
            answered = await consents.answer(
                idp.db,
                interaction_id=interaction_id,
                session_id=show.interaction.session_id,
                account_id=show.facts.account.id,
                client_id=show.client.id,
                ticked=agreed,
                remember=[scope for scope in agreed if not idp.policy.is_fresh_scope(scope)],
                refuse=[scope for scope in ask.scopes if scope not in agreed],
                audit=ConsentGiven(scopes=agreed),
                now=now,
            )
            return await _on(idp, interaction_id, visitor) if answered else Gone()
        case _:
            return ToInteraction(interaction_id)


async def _on(idp: Idp, interaction_id: UUID, visitor: Visitor) -> ToInteraction | ToClient | Gone:
    """Straight to the client where nothing else is asked, else to the page that asks."""
    found = await resume(idp, interaction_id, visitor)
    return ToInteraction(interaction_id) if isinstance(found, Show | Told) else found


async def choose_account(
    idp: Idp, interaction_id: UUID, visitor: Visitor, *, account: str
) -> ToInteraction | ToClient | Gone:
    """Go on as the person who is signed in, or (with an empty `account`) as somebody else."""
    now = idp.clock.now()
    match await load(idp, interaction_id, visitor, now=now):
        case Gone() as gone:
            return await _left_before(idp, interaction_id, visitor) or gone
        case Show(loaded=Loaded(session=Session() as session), facts=facts) as show:
            if facts.account is not None and account == str(facts.account.id):
                if show.ask.kind is Kind.SELECT_ACCOUNT:
                    await sessions.choose_account(idp.db, interaction_id=interaction_id, session_id=session.id)
                return await _on(idp, interaction_id, visitor)
            return await somebody_else(idp, interaction_id, visitor, session, now=now)
        case _:
            return ToInteraction(interaction_id)


async def somebody_else(
    idp: Idp, interaction_id: UUID, visitor: Visitor, session: Session, *, now: datetime
) -> ToInteraction | Gone:
    """Move the interaction into a fresh anonymous session and end the old one."""
    fresh = Session(uuid4(), None, now, now, visitor.user_agent)
    assert visitor.token is not None
    assert visitor.token_hash is not None
    token = next_token(idp.secrets, visitor.token, fresh.id)
    async with idp.db.transaction() as conn:
        moved = await sessions.replace(
            conn,
            interaction_id=interaction_id,
            old=session.id,
            new=fresh,
            token_hash=digest(token),
            shown=visitor.token_hash,
            now=now,
        )
        if moved:
            await sessions.end(conn, session_id=session.id, now=now)
    if moved:
        return ToInteraction(interaction_id, token)
    return await _left_before(idp, interaction_id, visitor) or Gone()


async def _left_before(idp: Idp, interaction_id: UUID, visitor: Visitor) -> ToInteraction | None:
    """The form once more: the interaction is in its new session already, where nobody has signed in yet."""
    before = await repeat.replaced(idp, interaction_id, visitor)
    if before is None or before.loaded.account is not None:
        return None
    return repeat.onward(idp, visitor, before, interaction_id)
