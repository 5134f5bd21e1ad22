"""What a right first factor brings: the proof, the session's next token, and what comes next where nothing is asked."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from idp.audit import FactorVerified
from idp.crypto import digest, random_token
from idp.flows.idp import Idp, Visitor, device_cookie, next_token
from idp.flows.language import message_language
from idp.flows.signin import devices, strange
from idp.flows.signin.authorize import Show, ToClient, ToInteraction, facts_of, issue
from idp.flows.signin.destinations import charges as sending_charges
from idp.flows.signin.destinations import destination
from idp.flows.signin.questions import question
from idp.model import Account, AuthenticationEvent, Interaction, Session
from idp.policy import Ask, Kind, Proceed, Reason, Refuse, Why, decide, unasked
from idp.store.engine import Conn
from idp.store.people.devices import Browser
from idp.store.refunds import Refunds
from idp.store.signin import proofs, sessions
from idp.store.signin.consuming import Compared, Signed, is_both
from idp.store.signin.facts import Loaded
from idp.store.signin.proofs import Beginning, NextQuestion, Proof, Rotation


async def signed_in(
    idp: Idp,
    visitor: Visitor,
    account: Account,
    loaded: Loaded,
    interaction: Interaction,
    refunds: Refunds | None,
    *,
    evidence: Compared | Signed,
    begins: bool,
) -> ToInteraction | ToClient | None:
    """The password, or the passkey that needs none, is recorded, and the session has the next token.

    The client is answered where a passkey was all that it asks. None: somebody was first.
    """
    now = idp.clock.now()
    session, shown = loaded.session, visitor.token_hash
    assert shown is not None
    assert visitor.token is not None
    if session is None or (session.link is None and session.account_id in {None, account.id}):
        token = next_token(idp.secrets, visitor.token, interaction.session_id)
        rotation = Rotation(interaction.session_id, shown, digest(token))
        beginning = Beginning(interaction, session is None, visitor.user_agent) if begins else None
        step = _next(idp, visitor, account, loaded, interaction, evidence, now=now)
        recorded = await _record(idp, idp.db, step, rotation=rotation, refunds=refunds, beginning=beginning, now=now)
        return await _onward(idp, step, token, now=now) if recorded else None
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
        step = _next(idp, visitor, account, loaded, moved, evidence, now=now)
        recorded = await _record(idp, conn, step, rotation=rotation, refunds=refunds, beginning=beginning, now=now)
        if begins and not recorded:
            return None
        await sessions.end(conn, session_id=session.id, now=now)
    return await _onward(idp, step, token, now=now) if recorded else ToInteraction(interaction.id)


@dataclass(frozen=True, slots=True)
class _Step:
    """The proof about to be recorded, and what the policy asks after it."""

    visitor: Visitor
    evidence: Compared | Signed
    show: Show
    decision: Ask | Proceed | Refuse
    device: str | None

    @property
    def proceed(self) -> Proceed | None:
        """What the client is answered at once: after a passkey. A password goes on at the page of its request."""
        return self.decision if isinstance(self.decision, Proceed) and isinstance(self.evidence, Signed) else None


def _next(
    idp: Idp,
    visitor: Visitor,
    account: Account,
    loaded: Loaded,
    interaction: Interaction,
    evidence: Compared | Signed,
    *,
    now: datetime,
) -> _Step:
    client = idp.client(interaction.client_id)
    assert client is not None
    by, both = evidence.authenticator_id, is_both(evidence)
    event = AuthenticationEvent(evidence.factor, now, account.id, client.id, interaction.id, by, verified=both)
    generation = 0 if loaded.session is None else loaded.session.generation
    session = Session(interaction.session_id, account.id, now, now, generation=generation)
    signed_in = replace(loaded, account=account, session=session, events=(*loaded.events, event))
    facts = facts_of(idp, signed_in, interaction, client, now=now)
    decision = decide(facts, idp.policy)
    ask = decision if isinstance(decision, Ask) else Ask(Kind.PASSWORD, Reason(Why.SIGN_IN))
    device = device_cookie(idp, visitor) if isinstance(evidence, Signed) else None
    return _Step(visitor, evidence, Show(ask, facts, signed_in, interaction, client), decision, device)


async def _record(
    idp: Idp,
    conn: Conn,
    step: _Step,
    *,
    rotation: Rotation,
    refunds: Refunds | None,
    beginning: Beginning | None,
    now: datetime,
) -> bool:
    show, evidence, by = step.show, step.evidence, step.evidence.authenticator_id
    account = show.facts.account
    assert account is not None
    finishes = step.proceed is not None
    if beginning is not None and finishes:
        beginning = replace(beginning, started=replace(beginning.started, finished_at=now))
    before = replace(show, loaded=replace(show.loaded, events=show.loaded.events[:-1]))
    return await proofs.record(
        conn,
        Proof(evidence, account.id, show.client.id, show.interaction.id),
        rotation=rotation,
        audit=FactorVerified(
            factor=evidence.factor,
            interaction=str(show.interaction.id),
            authenticator=None if by is None else str(by),
            for_client=None if by is None else show.client.id,
        ),
        refunds=refunds,
        then=_next_question(idp, step, now=now),
        beginning=beginning,
        finishes=finishes,
        browser=_browser(idp, step, now=now),
        new_browser=None if by is None else strange.browser(idp, before, step.visitor, now=now),
        now=now,
    )


def _browser(idp: Idp, step: _Step, *, now: datetime) -> Browser | None:
    if step.device is None:
        return None
    return devices.browser(idp, step.visitor, step.device, step.evidence.factor, now=now)


async def _onward(idp: Idp, step: _Step, token: str, *, now: datetime) -> ToInteraction | ToClient:
    show, device = step.show, step.device
    if step.proceed is None:
        return ToInteraction(show.interaction.id, token, device)
    told = await issue(idp, step.proceed, show.interaction.request, show.loaded, show.client, now=now)
    return replace(told, token=token, device=device)


def _next_question(idp: Idp, step: _Step, *, now: datetime) -> NextQuestion | None:
    """The code to send together with recording the password, if that is what comes next and nothing better is there."""
    decision, interaction, loaded = step.decision, step.show.interaction, step.show.loaded
    account, visitor = step.show.facts.account, step.visitor
    assert account is not None
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
