"""Pushed authorization requests (RFC 9126): kept for a client, and what a browser finds that comes with one."""

from dataclasses import dataclass, replace
from uuid import uuid4

from idp.crypto import digest, random_token
from idp.flows.idp import Idp, Visitor, device_key
from idp.flows.signin.authorize import (
    Show,
    ToClient,
    Unstored,
    check_client,
    facts_of,
    issue,
    leads_home,
    paused,
    refused,
)
from idp.flows.signin.begin import charge, with_cookie
from idp.flows.signin.first import begins_as
from idp.flows.signin.told import Told, is_told
from idp.flows.tokens.clients import authenticate
from idp.model import AuthMethod, Client
from idp.oidc import client_auth, metadata
from idp.oidc import pushed as judging
from idp.oidc.params import Params
from idp.oidc.pushed import Kept
from idp.policy import Ask, Refuse, decide
from idp.store.signin import facts as store_facts
from idp.store.signin import pushed as store
from idp.store.signin import sessions
from idp.store.signin.pushed import Pushed


@dataclass(frozen=True, slots=True)
class Unknown:
    """No request is to be had here: there never was one, or it is another client's, used, too late or elsewhere."""


async def push(idp: Idp, authorization: str | None, params: Params, visitor: Visitor) -> Kept:
    """Keep a request for the client that proves who it is. Raises `OAuthError` (RFC 9126 2.3).

    Also `TooMany`, where one address pushes more in the name of a public client than anybody needs.
    """
    client = await authenticate(idp, authorization, params, visitor, also_for=idp.issuer + metadata.PAR)
    request = judging.parse(
        params,
        client=client,
        issuer=idp.issuer,
        known_scopes=idp.policy.for_people(),
        acr_supported=idp.policy.levels.values(),
        keys=idp.keys,
        details_rules=idp.policy.details,
    )
    now, token = idp.clock.now(), random_token()
    if client.auth_method is AuthMethod.NONE:
        await charge(idp, visitor, now=now)  # whose id anybody knows, so that anybody could fill the table in its name
    kept = await store.push(
        idp.db,
        request_hash=digest(token),
        request=request,
        use_by=now + idp.policy.tokens.pushed,
        expires_at=now + idp.policy.interaction.ttl,
    )
    if not kept:
        raise client_auth.invalid_client("removed or disabled")
    return Kept(judging.URN + token, idp.policy.tokens.pushed)


async def find(idp: Idp, client: Client, token: str, written: str) -> Unstored | Unknown:
    """A pushed request for the forms of a page that nothing is stored for yet."""
    found = await store.look(idp.db, request_hash=digest(token), client_id=client.id, now=idp.clock.now())
    return Unknown() if found is None or not leads_home(found.request, client) else _unstored(found, token, written)


def _unstored(found: Pushed, token: str, written: str) -> Unstored:
    return Unstored(found.request, written, store.id_of(digest(token)), found.expires_at)


async def open_(idp: Idp, client: Client, token: str, visitor: Visitor) -> Show | ToClient | Told | Unknown:
    """What a browser finds that comes with a pushed request: a question about it, or its answer.

    Where somebody is signed in, `Show` is of its interaction, which is stored; else it asks for the password at the
    request's own address. Raises `PageError` as `at_once`.
    """
    now, loaded = idp.clock.now(), store_facts.NOTHING
    if visitor.token_hash is None:
        found = await store.look(idp.db, request_hash=digest(token), client_id=client.id, now=now)
        begun = False
    else:
        opened = await store.open_(
            idp.db,
            request_hash=digest(token),
            client_id=client.id,
            token_hash=visitor.token_hash,
            session_id=begins_as(idp, visitor, now=now),
            device=device_key(idp, visitor),
            sessions=idp.policy.sessions,
            now=now,
        )
        if opened is None:
            return Unknown()
        found, loaded, begun = opened.pushed, opened.loaded, opened.begun
    if found is None or not leads_home(found.request, client):
        return Unknown()
    check_client(client, loaded)
    interaction = loaded.interaction
    if interaction is None:
        session_id = loaded.session.id if loaded.session else uuid4()
        interaction = replace(
            paused(idp, found.request, store.id_of(digest(token)), session_id, now=now), expires_at=found.expires_at
        )
    facts = facts_of(idp, loaded, interaction, client, now=now)
    decision = decide(facts, idp.policy)
    if isinstance(decision, Ask):
        show = Show(decision, facts, loaded, interaction, client)
        return show if begun else with_cookie(idp, show, visitor)
    if isinstance(decision, Refuse) and begun and is_told(decision, found.request):
        return Told(decision, interaction.id, found.request, client, loaded.account)
    if begun:
        answered = await sessions.finish(idp.db, interaction_id=interaction.id, now=now)
    else:
        answered = await store.close(idp.db, request_hash=digest(token), client_id=client.id, now=now)
    if not answered:
        return Unknown()
    if isinstance(decision, Refuse):
        return refused(idp, found.request, decision)
    return await issue(idp, decision, found.request, loaded, client, now=now)


async def cancel(idp: Idp, client: Client, token: str, written: str) -> Unstored | Unknown:
    """The person does not want to, before anything was stored; the request is good for nothing any more."""
    found = await find(idp, client, token, written)
    closed = await store.close(idp.db, request_hash=digest(token), client_id=client.id, now=idp.clock.now())
    return found if closed else Unknown()
