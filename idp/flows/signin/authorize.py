"""An authorization request from its first look to its answer. Nothing stores the next step: `decide` runs each time."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from idp.flows.idp import INTERNAL, OURS, Idp, Visitor, device_key, is_stored
from idp.flows.signin.first import begins_as
from idp.flows.signin.told import Told, is_told
from idp.flows.tokens import codes
from idp.flows.tokens.codes import Carried
from idp.model import AuthorizationCode, AuthorizationRequest, Change, Client, Factor, Grant, Interaction, Session
from idp.model.links import INVITES, LinkFor
from idp.oidc import answer, claims, details
from idp.oidc.errors import PageError
from idp.oidc.redirects import is_registered
from idp.policy import UNMET, Ask, Facts, Proceed, Refuse, decide, site_of
from idp.store.signin import facts as store_facts
from idp.store.signin import sessions
from idp.store.signin.facts import Loaded


@dataclass(frozen=True, slots=True)
class ToClient:
    """Answer the client: these parameters to its redirect URI. Our own account pages get a path and no parameters.

    `token` and `device` are new cookies, None to keep those there are.
    """

    request: AuthorizationRequest
    parameters: Sequence[tuple[str, str]] = field(repr=False)
    token: str | None = field(default=None, repr=False)
    device: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ToInteraction:
    """Go on at the page of this interaction; `token` is a new session cookie, None to keep the one there is.

    `factor` is the way that the person chose among those offered; None for the first.
    """

    interaction_id: UUID
    token: str | None = field(default=None, repr=False)
    device: str | None = field(default=None, repr=False)
    factor: Factor | None = None


@dataclass(frozen=True, slots=True)
class Show:
    """Show the page that asks. `facts` and `loaded` are what it was decided from.

    `token` is a new session cookie, None to keep the one there is.
    """

    ask: Ask
    facts: Facts
    loaded: Loaded
    interaction: Interaction
    client: Client
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unstored:
    """A request of which nothing is stored before a right password: its address is its page.

    `written` is its parameters as that address has them. Of one that was pushed there is an interaction to begin with
    this id, until then; else both are None.
    """

    request: AuthorizationRequest
    written: str
    interaction_id: UUID | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such interaction in this browser: expired, finished, somebody else's, or the cookie is missing."""

    other_browser: bool = False
    ui_locales: tuple[str, ...] = ()


def facts_of(idp: Idp, loaded: Loaded, interaction: Interaction, client: Client, *, now: datetime) -> Facts:
    """What `decide` looks at, for one browser inside one request."""
    account = loaded.account if _is_theirs(loaded.session, interaction.request) else None
    return Facts(
        now=now,
        client=client,
        request=interaction.request,
        started_at=interaction.started_at,
        interaction_id=interaction.id,
        account=account,
        events=() if account is None else loaded.events,
        authenticators=loaded.authenticators,
        consented=loaded.consented,
        consented_here=interaction.consented,
        account_chosen=interaction.account_chosen,
        internal=client.id in OURS,
        guards=site_of(client.id) is not None,
        numbers_checked=idp.intel is not None,
        used_here=None if loaded.device is None else loaded.device.factor,
        sums=loaded.sums,
        invited_at=loaded.session.created_at if loaded.session and loaded.session.link in INVITES else None,
    )


def _is_theirs(session: Session | None, request: AuthorizationRequest) -> bool:
    """Whether the session is somebody's for this request: one that a link opened is for what the link is for alone."""
    resets = request.change is Change.RESET_PASSWORD
    if session is None or session.account_id is None:
        return False
    if session.link in INVITES:
        return request.client_id == INTERNAL and not resets
    return session.link == (LinkFor.RESET if resets else None)


async def at_once(idp: Idp, request: AuthorizationRequest, visitor: Visitor) -> ToClient | Show:
    """The answer to a request about which nothing has to be asked; nothing is stored of one that has to be.

    Raises `PageError` for a client that is gone, although this process has not heard of it.
    """
    now = idp.clock.now()
    client = idp.client(request.client_id)
    assert client is not None, "a parsed request names a client"
    loaded = store_facts.NOTHING
    if visitor.token_hash is not None:
        loaded = await store_facts.of_session(
            idp.db,
            token_hash=visitor.token_hash,
            session_id=begins_as(idp, visitor, now=now),
            client_id=client.id,
            device=device_key(idp, visitor),
            sessions=idp.policy.sessions,
            now=now,
        )
    check_client(client, loaded)
    started = paused(idp, request, uuid4(), loaded.session.id if loaded.session else uuid4(), now=now)
    facts = replace(facts_of(idp, loaded, started, client, now=now), interaction_id=None)
    match decide(facts, idp.policy):
        case Proceed() as proceed:
            await _arrived(idp, loaded)
            return await issue(idp, proceed, request, loaded, client, now=now)
        case Refuse() as refuse:
            return refused(idp, request, refuse)
        case Ask() as ask:
            return Show(ask, facts, loaded, started, client)


def check_client(client: Client, loaded: Loaded) -> None:
    """Raises `PageError` for a client that is gone, although this process has not heard of it."""
    if loaded.client_gone and is_stored(client.id):
        raise PageError("invalid_request", "client_id names no client of this provider.", detail="gone")


def paused(idp: Idp, request: AuthorizationRequest, id_: UUID, session_id: UUID, *, now: datetime) -> Interaction:
    """A request that begins now to be asked about in this session."""
    expires_at = now + idp.policy.interaction.ttl
    return Interaction(id_, session_id, request.client_id, request, started_at=now, expires_at=expires_at)


def leads_home(request: AuthorizationRequest, client: Client) -> bool:
    """Whether the answer goes to an address that is this client's still."""
    return client.id in OURS or is_registered(request.redirect_uri, client.redirect_uris, native=client.native)


async def load(idp: Idp, interaction_id: UUID, visitor: Visitor, *, now: datetime) -> Show | Proceed | Refuse | Gone:
    """Where an interaction stands for this browser. `Proceed` and `Refuse` are not yet carried out."""
    found = await find(idp, interaction_id, visitor, now=now)
    if isinstance(found, Gone):
        return found
    loaded, interaction, client = found
    facts = facts_of(idp, loaded, interaction, client, now=now)
    match decide(facts, idp.policy):
        case Ask() as ask:
            return Show(ask, facts, loaded, interaction, client)
        case outcome:
            return outcome


async def find(
    idp: Idp, interaction_id: UUID, visitor: Visitor, *, now: datetime
) -> tuple[Loaded, Interaction, Client] | Gone:
    """The interaction of this browser, with all that is known about it, if it may still go on."""
    if visitor.token_hash is None:
        return Gone(other_browser=True)
    loaded = await store_facts.of_interaction(
        idp.db,
        token_hash=visitor.token_hash,
        interaction_id=interaction_id,
        device=device_key(idp, visitor),
        sessions=idp.policy.sessions,
        now=now,
    )
    return opened(idp, loaded, now=now)


def opened(idp: Idp, loaded: Loaded, *, now: datetime) -> tuple[Loaded, Interaction, Client] | Gone:
    """The interaction of what was loaded, if it may still go on."""
    interaction = loaded.interaction
    if interaction is None:
        return Gone(other_browser=True)
    if interaction.finished_at is not None or interaction.expires_at <= now:
        return Gone(ui_locales=interaction.request.ui_locales)
    client = idp.client(interaction.client_id)
    if client is None or (loaded.client_gone and is_stored(client.id)) or not leads_home(interaction.request, client):
        return Gone()  # an operator took it away, and not without a reason
    return loaded, interaction, client


async def resume(idp: Idp, interaction_id: UUID, visitor: Visitor) -> Show | ToClient | Told | Gone:
    """Decide again from the proofs so far, and carry the decision out: a page, a code, or an error for the client."""
    now = idp.clock.now()
    found = await find(idp, interaction_id, visitor, now=now)
    if isinstance(found, Gone):
        return found
    loaded, interaction, client = found
    facts = facts_of(idp, loaded, interaction, client, now=now)
    decision = decide(facts, idp.policy)
    if isinstance(decision, Ask):
        await _arrived(idp, loaded)
        return Show(decision, facts, loaded, interaction, client)
    if isinstance(decision, Refuse) and is_told(decision, interaction.request):
        return Told(decision, interaction.id, interaction.request, client, loaded.account)
    if not await sessions.finish(idp.db, interaction_id=interaction.id, now=now):
        return Gone(ui_locales=interaction.request.ui_locales)
    if isinstance(decision, Refuse):
        return refused(idp, interaction.request, decision)
    return await issue(idp, decision, interaction.request, loaded, client, now=now)


async def _arrived(idp: Idp, loaded: Loaded) -> None:
    """The browser has the token that its last proof brought: the one before is forgiven no more (see `repeat`).

    Nothing is written while a password is all there is: whoever repeats it with the token before gains what the
    password gives to anybody.
    """
    if loaded.session is None or not loaded.session.forgiving:
        return
    if all(event.factor is Factor.PASSWORD for event in loaded.events):
        return
    await sessions.forget_previous(idp.db, session_id=loaded.session.id)


def refused(idp: Idp, request: AuthorizationRequest, refuse: Refuse) -> ToClient:
    """A refusal as the client hears it."""
    refusal = answer.refuse(request, refuse.error, refuse.description, detail=refuse.detail)
    told, why = answer.error(refusal, issuer=idp.issuer), refuse.barrier or refuse.missing
    # Our own parameter beside a standard error: what helps differs (docs/approvals.md)
    return ToClient(request, told if why is None or refuse.error != UNMET else [*told, ("unmet", why.value)])


async def issue(
    idp: Idp,
    proceed: Proceed,
    request: AuthorizationRequest,
    loaded: Loaded,
    client: Client,
    *,
    now: datetime,
    approval: tuple[UUID, datetime] | None = None,
) -> ToClient:
    """Answer with a code. Nothing is stored of it: its exchange looks again whether all that it rests on still is.

    `approval` is the interaction in which details were approved, and when: its grant has that id, so one approval
    brings one grant, however often it is answered.
    """
    context = proceed.context
    if client.id in OURS:
        return ToClient(request, ())
    assert loaded.account is not None
    assert loaded.session is not None
    approved = None
    if request.details is not None:
        assert approval is not None, "details are approved in an interaction"
        approved = details.approved(request.details, *approval, level=max(each.level for each in proceed.dues))
    grant = Grant(
        id=uuid4() if approval is None or approved is None else approval[0],
        client_id=client.id,
        scopes=proceed.scopes,
        created_at=now,
        account_id=loaded.account.id,
        session_id=loaded.session.id,
        level=context.level,
        acr=context.acr,
        amr=context.amr,
        auth_time=context.auth_time,
        strong_at=context.strong_at,
        fresh_at=context.fresh_at,
        claims=claims.within(request.claims, proceed.told),
        approved=approved,
    )
    code = AuthorizationCode(
        grant, request.redirect_uri, request.code_challenge, request.nonce, now + idp.policy.tokens.code
    )
    carried = Carried(code, loaded.session.generation)
    return ToClient(request, answer.success(request, await codes.make(idp, carried, request), issuer=idp.issuer))
