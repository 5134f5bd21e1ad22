"""The second factor: send a code, compare an answer, spend the attempt, record the proof. Told is nobody before."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from idp import limits
from idp.audit import CodeSent, FactorRefused, FactorVerified
from idp.crypto import digest
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp, Visitor, device_cookie, next_token
from idp.flows.language import message_language
from idp.flows.signin import approving, devices, repeat, strange
from idp.flows.signin.authorize import Gone, Show, ToClient, ToInteraction, load
from idp.flows.signin.destinations import charges, destination, pace, refunds
from idp.flows.signin.judge import judge, parse
from idp.flows.signin.outcomes import DeadCode, Malformed, NotOffered, Paused, SecondFactor, WrongCode
from idp.flows.signin.questions import asked_phone, question, waiting
from idp.flows.signin.refusals import note_behind, note_wrong_code
from idp.flows.signin.signed import Wrong
from idp.limits import Closed, Refused
from idp.model import SENT, Account, AuthenticationEvent, Factor, Notice, Swap
from idp.policy import Kind
from idp.store import audits
from idp.store.engine import Conn
from idp.store.refunds import Refund
from idp.store.signin import attempts, challenges, proofs
from idp.store.signin.approving import Unapproved
from idp.store.signin.attempts import Attempt, Dead, Spent
from idp.store.signin.consuming import Evidence, Saved, is_both
from idp.store.signin.proofs import Proof, Rotation


def _failures(idp: Idp, account: Account, factor: Factor) -> bytes:
    return limits.subject(idp.limits.code_failures, account.id, factor.value)


async def _asked(
    idp: Idp, interaction_id: UUID, visitor: Visitor, factor: Factor, *, now: datetime
) -> Show | ToInteraction | NotOffered | Gone:
    match await load(idp, interaction_id, visitor, now=now):
        case Gone() as gone:
            return gone
        case Show(ask=ask) as show if ask.kind is Kind.SECOND_FACTOR:
            return show if factor in ask.factors else NotOffered()
        case _:
            return ToInteraction(interaction_id)


def _asked_in(idp: Idp, show: Show, factor: Factor) -> UUID:
    """The interaction whose question this page shows: its own, or that of another tab (see `waiting`)."""
    question = waiting(show, factor, idp.policy)
    return show.interaction.id if question is None else question.interaction_id


def _back(outcome: SecondFactor, interaction_id: UUID) -> SecondFactor:
    """What became of another tab's question, on the page where the person is."""
    return replace(outcome, interaction_id=interaction_id) if isinstance(outcome, ToInteraction) else outcome


async def send(
    idp: Idp, interaction_id: UUID, visitor: Visitor, factor: Factor, *, phone_id: UUID | None = None
) -> SecondFactor:
    """Ask for a code, or for another try with an app or a saved code. A live code is sent again unchanged.

    To another phone of theirs goes another code, and the one before dies.
    """
    now = idp.clock.now()
    show = await _asked(idp, interaction_id, visitor, factor, now=now)
    if not isinstance(show, Show):
        return show
    if (asked_in := _asked_in(idp, show, factor)) != interaction_id:
        return _back(await send(idp, asked_in, visitor, factor, phone_id=phone_id), interaction_id)
    account = show.facts.account
    assert account is not None
    to = destination(
        idp, factor, account, show.loaded.authenticators, phone_id=phone_id or asked_phone(show, factor, idp.policy)
    )
    if factor in SENT and to is None:
        return NotOffered()
    locale = message_language(idp, visitor, account, ui_locales=show.interaction.request.ui_locales)
    asked = await challenges.ask(
        idp.db,
        question(idp, show.interaction, account, factor, to, locale=locale, now=now),
        charges=charges(idp, visitor, to, show.loaded.device) if to else [],
        audit=to.sent(interaction_id) if to else CodeSent(interaction=str(interaction_id)),
        client_id=show.client.id,
        now=now,
    )
    match asked:
        case None:
            # Back to the page that was left, and not to that of the way which comes first.
            return ToInteraction(interaction_id, factor=None if factor is show.ask.factors[0] else factor)
        case Closed():
            return Paused(show, factor, None, sending=True)
        case Refused(retry_after):
            return Paused(show, factor, retry_after, sending=True)


async def answer(
    idp: Idp,
    interaction_id: UUID,
    visitor: Visitor,
    factor: Factor,
    typed: object,
    *,
    here: UUID | None = None,
    approves: str = "",
    ticked: frozenset[str] = frozenset(),
) -> SecondFactor:
    """Judge a code. Nothing is told before the attempt is spent for good; a right code works exactly once.

    `here` is the interaction whose page it was typed into, where that is another. A page with details says in
    `approves` which ones it showed; `ticked` are the scopes ticked on it.
    """
    now = idp.clock.now()
    show = await _asked(idp, interaction_id, visitor, factor, now=now)
    if isinstance(show, Gone):
        return await repeat.code(idp, interaction_id, visitor, factor, typed) or show
    if not isinstance(show, Show):
        return show
    if show.interaction.request.details is not None and approves != show.interaction.request.approves.hex():
        return NotOffered()
    if (asked_in := _asked_in(idp, show, factor)) != interaction_id:
        return _back(await answer(idp, asked_in, visitor, factor, typed, here=interaction_id), interaction_id)
    return await _answered(idp, show, visitor, factor, typed, here=here or interaction_id, ticked=ticked, now=now)


async def _answered(
    idp: Idp,
    show: Show,
    visitor: Visitor,
    factor: Factor,
    typed: object,
    *,
    here: UUID,
    ticked: frozenset[str],
    now: datetime,
) -> SecondFactor:
    interaction_id = show.interaction.id
    account = show.facts.account
    assert account is not None
    parsed = parse(factor, typed, show.loaded.authenticators)
    if parsed is None:
        return Malformed(show, factor, empty=not typed)
    session = show.loaded.session
    assert session is not None
    assert visitor.token_hash is not None
    failures = (idp.limits.code_failures, _failures(idp, account, factor))
    asked = question(idp, show.interaction, account, factor, None, locale=None, now=now)
    attempt = Attempt(asked, [failures], session.id, visitor.token_hash)
    found = judge(idp, show, account, factor, parsed, now=now)
    spent: ToInteraction | ToClient | Spent | Dead | Refused | Closed | None
    if isinstance(found, Wrong):
        spent = await attempts.spend(idp.db, attempt, now=now)
    else:
        spent = await _right(idp, show, visitor, found, attempt, here=here, ticked=ticked, now=now)
    match spent:
        case ToInteraction() | ToClient():
            return spent
        case Dead():
            return await repeat.code(idp, interaction_id, visitor, factor, typed) or DeadCode(show, factor)
        case Closed():
            return Paused(show, factor, None, sending=False)
        case Refused(retry_after):
            return Paused(show, factor, retry_after, sending=False)
        case Spent() | None:
            pass
    used = isinstance(found, Wrong) and found.used
    behind = found.behind if isinstance(found, Wrong) else None
    if used or not isinstance(found, Wrong):
        # Somebody was first: another tab of the same browser, or the same code twice. Look again.
        again = await repeat.code(idp, interaction_id, visitor, factor, typed)
        if again is None and not isinstance(found, Wrong | Saved):
            again = ToInteraction(interaction_id)
        if again is not None:
            return again
    left = 0 if spent is None else spent.attempts_left
    if (used or behind) and spent is not None:
        # Whoever has it knows the code, so this tells a guesser nothing; it never opens anything again.
        await attempts.give_back(idp.db, asked, nonce=spent.nonce, refund=Refund(*failures), now=now)
    if behind is not None:
        await note_behind(idp, visitor, show.interaction, account, behind, now=now)
        return WrongCode(show, factor, left + 1, behind=True)
    return await _wrong(idp, visitor, show, account, factor, attempts_left=left + used, used=used, now=now)


async def _wrong(
    idp: Idp,
    visitor: Visitor,
    show: Show,
    account: Account,
    factor: Factor,
    *,
    attempts_left: int,
    used: bool,
    now: datetime,
) -> WrongCode:
    """Write it down, and tell the person when there were several. A code that was used is no guess."""
    refused = FactorRefused(
        factor=factor,
        interaction=str(show.interaction.id),
        attempts_left=attempts_left,
        known=None if show.loaded.device is None else True,
    )
    if used:
        await audits.add(idp.db, refused, now=now, account_id=account.id, client_id=show.client.id)
    else:
        failures = _failures(idp, account, factor)
        locale = message_language(idp, visitor, account, ui_locales=show.interaction.request.ui_locales)
        await note_wrong_code(
            idp, account, refused, failures=failures, client_id=show.client.id, locale=locale, now=now
        )
    return WrongCode(show, factor, attempts_left, used)


async def _right(
    idp: Idp,
    show: Show,
    visitor: Visitor,
    found: Evidence,
    attempt: Attempt,
    *,
    here: UUID,
    ticked: frozenset[str],
    now: datetime,
) -> ToInteraction | ToClient | Spent | Dead | Refused | Closed | None:
    """Record the proof, and answer the client where nothing else is asked here. None when somebody was first."""
    account, loaded, interaction = show.facts.account, show.loaded, show.interaction
    assert account is not None
    assert visitor.token is not None
    factor, by = found.factor, found.authenticator_id
    event = AuthenticationEvent(factor, now, account.id, show.client.id, interaction.id, by, verified=is_both(found))
    proceed, approval = approving.decided(idp, show, ticked, event)
    if interaction.id != here:
        proceed = None
    token = next_token(idp.secrets, visitor.token, attempt.session_id)
    signs_in = loaded.session is None or loaded.session.link is None  # a link that was opened is no sign-in
    device = device_cookie(idp, visitor) if signs_in else None
    to = destination(idp, factor, account, [each for each in loaded.authenticators if each.id == by])
    refunded = None if to is None else refunds(idp, visitor, to, loaded.challenges.get(factor), loaded.device)

    async def recorded(conn: Conn) -> bool | Unapproved | Spent | Dead | Refused | Closed:
        return await proofs.answer(
            conn,
            Proof(found, account.id, show.client.id, interaction.id),
            attempt=attempt,
            rotation=Rotation(attempt.session_id, attempt.token, digest(token)),
            finishes=proceed is not None,
            audit=FactorVerified(
                factor=factor,
                interaction=str(interaction.id),
                authenticator=None if by is None else str(by),
                for_client=show.client.id,
                # In the trail unless more was known: what is written on the question goes over it.
                sim_swap=Swap.UNKNOWN if factor is Factor.SMS and idp.intel is not None else None,
            ),
            forgive=[] if to is None else [pace(to, loaded.device)],
            refunds=refunded,
            browser=None if device is None else devices.browser(idp, visitor, device, factor, now=now),
            approval=approval,
            new_browser=None if isinstance(found, Saved) else strange.browser(idp, show, visitor, now=now),
            now=now,
        )

    if isinstance(found, Saved):
        # Who used a saved code is told, in the same transaction: it may not have been them.
        async with idp.db.transaction() as conn:
            done = await recorded(conn)
            if done is True or isinstance(done, Unapproved):
                locale = message_language(idp, visitor, account, ui_locales=interaction.request.ui_locales)
                await tell(idp, conn, account, Notice.RECOVERY_USED, locale=locale, now=now)
    else:
        done = await recorded(idp.db)
    if not isinstance(done, bool | Unapproved):
        return done
    if done is False:
        return None
    if proceed is None or isinstance(done, Unapproved):
        return ToInteraction(interaction.id, token, device)
    told = await approving.answered(idp, show, proceed, now=now)
    return replace(told, token=token, device=device)
