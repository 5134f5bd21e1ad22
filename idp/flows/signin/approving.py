"""Approving what a request is about (RFC 9396): with the proof on its page, with a button, or not at all."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from idp.audit import ApprovalGiven, ApprovalRefused
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp, Visitor, device_key
from idp.flows.language import message_language
from idp.flows.signin.authorize import Gone, Show, ToClient, ToInteraction, facts_of, issue, load, opened, refused
from idp.flows.signin.choices import optional
from idp.model import AuthenticationEvent, Details, Notice
from idp.policy import Ask, Kind, Proceed, Refuse, amount_of, charge_of, decide
from idp.store import audits
from idp.store.signin import approving, sessions
from idp.store.signin import facts as store_facts
from idp.store.signin.approving import Approval, InSession

_REFUSED = Refuse("access_denied", "The person did not ask for this", "refused as not theirs")


def agreed(idp: Idp, show: Show, ticked: frozenset[str]) -> frozenset[str] | None:
    """Of the scopes on this page, those that answering it agrees to; None where it agrees to nothing."""
    if show.interaction.request.details is None and not show.ask.scopes:
        return None
    return frozenset(scope for scope in show.ask.scopes if scope in ticked or not optional(idp.policy, scope))


def decided(
    idp: Idp, show: Show, ticked: frozenset[str], event: AuthenticationEvent | None
) -> tuple[Proceed | None, Approval | None]:
    """What follows from approving this page, with the proof that was made on it, if any; None: more is asked."""
    scopes, details = agreed(idp, show, ticked), show.interaction.request.details
    facts = show.facts if event is None else replace(show.facts, events=(*show.facts.events, event))
    if scopes is not None:
        facts = replace(facts, approved_here=details is not None, consented_here=scopes)
    decision = decide(facts, idp.policy)
    if not isinstance(decision, Proceed):
        return None, None
    return decision, None if scopes is None or details is None else _approval(idp, show, details, decision, scopes)


def _approval(idp: Idp, show: Show, details: Details, proceed: Proceed, scopes: frozenset[str]) -> Approval:
    amounts = [amount_of(told, each.rule) for told, each in zip(details.objects, proceed.dues, strict=True)]
    money = next((each for each in amounts if each is not None), None)
    return Approval(
        ticked=sorted(scopes),
        remember=sorted(scope for scope in scopes if not idp.policy.is_fresh_scope(scope)),
        refuse=sorted(set(show.ask.scopes) - scopes),
        charge=charge_of(proceed.dues),
        audit=ApprovalGiven(
            transaction=str(show.interaction.id),
            types=[each.type for each in proceed.dues],
            digest=details.digest.hex(),
            level=max(each.level for each in proceed.dues).name.lower(),
            amount=None if money is None else f"{money.amount} {money.currency}",
        ),
    )


async def by_button(
    idp: Idp, interaction_id: UUID, visitor: Visitor, *, digest: str, ticked: frozenset[str]
) -> ToInteraction | ToClient | Gone | None:
    """The button of a page that asks for no code; pressed again, the client is answered again.

    None: the page was another, or the sum has no room any more.
    """
    now = idp.clock.now()
    match await load(idp, interaction_id, visitor, now=now):
        case Gone() as gone:
            return await _pressed_again(idp, interaction_id, visitor, digest=digest, now=now) or gone
        case Show(ask=Ask(kind=Kind.APPROVAL)) as show if digest == show.interaction.request.approves.hex():
            proceed, approval = decided(idp, show, ticked, None)
            assert show.facts.account is not None
            assert visitor.token_hash is not None
            if proceed is None or approval is None:
                return ToInteraction(interaction_id)
            given = await approving.approve(
                idp.db,
                approval,
                here=InSession(show.interaction.session_id, visitor.token_hash),
                interaction_id=interaction_id,
                account_id=show.facts.account.id,
                client_id=show.client.id,
                now=now,
            )
            if given:
                return await answered(idp, show, proceed, now=now)
            pressed = await _pressed_again(idp, interaction_id, visitor, digest=digest, now=now)
            return pressed or ToInteraction(interaction_id)
        case _:
            return None


async def _pressed_again(
    idp: Idp, interaction_id: UUID, visitor: Visitor, *, digest: str, now: datetime
) -> ToClient | None:
    """The answer to what this button approved just now: the first one may be lost. It is for the very same grant."""
    found = await store_facts.of_interaction(
        idp.db,
        token_hash=visitor.token_hash or b"",
        interaction_id=interaction_id,
        device=device_key(idp, visitor),
        sessions=idp.policy.sessions,
        now=now,
    )
    interaction = found.interaction
    # Only approving stores what was agreed to beside it: what was cancelled or not theirs has nothing.
    if interaction is None or interaction.finished_at is None or interaction.consented is None:
        return None
    if interaction.request.details is None or digest != interaction.request.approves.hex():
        return None
    at, consented = interaction.finished_at, interaction.consented
    again = opened(idp, replace(found, interaction=replace(interaction, finished_at=None, consented=None)), now=now)
    if at + idp.policy.sessions.forgiven <= now or isinstance(again, Gone):
        return None
    loaded, asked, client = again
    # By the sums before it, as it was approved: this very one is in them now.
    facts = replace(facts_of(idp, loaded, asked, client, now=now), sums={})
    if not isinstance(ask := decide(facts, idp.policy), Ask) or ask.kind is not Kind.APPROVAL:
        return None
    proceed = decide(replace(facts, approved_here=True, consented_here=consented), idp.policy)
    if not isinstance(proceed, Proceed):
        return None
    return await issue(idp, proceed, asked.request, loaded, client, now=now, approval=(asked.id, at))


async def answered(idp: Idp, show: Show, proceed: Proceed, *, now: datetime) -> ToClient:
    """The client's answer, for what was approved now, if it was."""
    approval = (show.interaction.id, now)
    return await issue(idp, proceed, show.interaction.request, show.loaded, show.client, now=now, approval=approval)


async def not_mine(idp: Idp, interaction_id: UUID, visitor: Visitor) -> ToClient | ToInteraction | Gone:
    """The person never asked for this: it ends, the client hears access_denied, and they are told on every channel."""
    now = idp.clock.now()
    match await load(idp, interaction_id, visitor, now=now):
        case Gone() as gone:
            return gone
        case Show(interaction=interaction) as show if interaction.request.details is not None:
            account = show.facts.account
            async with idp.db.transaction() as conn:
                if not await sessions.finish(conn, interaction_id=interaction_id, now=now):
                    return Gone()
                event = ApprovalRefused(transaction=str(interaction_id), digest=interaction.request.approves.hex())
                person = None if account is None else account.id
                await audits.add(conn, event, now=now, account_id=person, client_id=show.client.id)
                if account is not None:
                    locale = message_language(idp, visitor, account, ui_locales=interaction.request.ui_locales)
                    await tell(idp, conn, account, Notice.APPROVAL_REFUSED, locale=locale, now=now)
            return refused(idp, interaction.request, _REFUSED)
        case _:
            return ToInteraction(interaction_id)
