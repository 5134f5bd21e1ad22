"""A proof made: consume what was used, add the authentication event, change the session's token. All or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from idp.audit import Event
from idp.limits import Limit
from idp.model import SENT
from idp.store.audits import AUDITED, audit_values
from idp.store.challenges import ASKED, HELD, QUEUED, Charges, Question, ask_values
from idp.store.consuming import Evidence, Use, use_of
from idp.store.engine import Conn
from idp.store.messages import waking
from idp.store.rate_limits import FORGIVE, charged
from idp.store.refunds import Refunds, Shape, refunded
from idp.store.sql import Sql


@dataclass(frozen=True, slots=True)
class Rotation:
    """The session a proof is made in: its id, the token it must still have, the token it gets.

    `shown` is the token that the browser came with, where that is another: it opened the session before this one.
    """

    session_id: UUID
    old_token: bytes
    new_token: bytes
    shown: bytes | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The authentication event to add, and what it uses up."""

    evidence: Evidence
    account_id: UUID
    client_id: str
    interaction_id: UUID


@lru_cache(maxsize=64)
def _statement(use: Use, limits: tuple[Limit, ...] | None, refunds: Shape, *, sent: bool = False) -> Sql:
    taken = "(SELECT address_places FROM used)" if sent else None
    then, woken = ("", "") if limits is None else (_then(limits), f", {waking('queued')}")
    return Sql(f"""
-- Locks in one order everywhere: session, interaction, challenge, the limits of a person, those of an address.
WITH same AS ({use.same}),
-- The session, if it still has the token the browser showed, and the interaction: both ours until we are done.
locked_session AS (
    SELECT FROM session
    WHERE id = :session_id AND token_hash = :old_token AND ended_at IS NULL
      AND (account_id IS NULL OR account_id = :account_id) AND EXISTS (SELECT FROM same)
    FOR UPDATE
),
locked AS (
    SELECT FROM interaction
    WHERE id = :interaction_id AND session_id = :session_id AND finished_at IS NULL AND expires_at > :now
      AND EXISTS (SELECT FROM locked_session)
    FOR NO KEY UPDATE
),
{use.used},
rotated AS (
    UPDATE session SET token_hash = :new_token, account_id = :account_id, seen_at = :now,
                       previous_hash = :shown_token, replaced_at = :now
    WHERE id = :session_id AND EXISTS (SELECT FROM used)
    RETURNING id, account_id
),
event AS (
    INSERT INTO authentication_event (session_id, account_id, factor, at, client_id, interaction_id, authenticator_id,
                                      swap)
    SELECT id, account_id, :factor, :now, :client_id, :interaction_id, :authenticator_id, (SELECT swap FROM used)
    FROM rotated
    RETURNING id
),
forgiven AS ({FORGIVE} AND EXISTS (SELECT FROM event) RETURNING key),
-- The trail tells what was known of the SIM; nothing where nobody was asked.
audited AS (
    {AUDITED}::jsonb || jsonb_strip_nulls(jsonb_build_object('sim_swap', (SELECT swap FROM used))) FROM event
),
{refunded(refunds, when="EXISTS (SELECT FROM event) AND (SELECT count(*) FROM forgiven) >= 0", of_address=taken)}
{then}
SELECT EXISTS (SELECT FROM event) AS proved{woken}""")


def _then(limits: tuple[Limit, ...]) -> str:
    return f""",
held AS ({HELD} AND EXISTS (SELECT FROM event) FOR UPDATE),
-- The count is known only once the question is locked.
{charged(limits, when="EXISTS (SELECT FROM event) AND (SELECT count(*) FROM held) >= 0")},
asked AS ({ASKED}),
queued AS ({QUEUED}),
sent AS ({AUDITED.replace(":audit_", ":sent_")} WHERE EXISTS (SELECT FROM queued))"""


@dataclass(frozen=True, slots=True)
class NextQuestion:
    """The question to ask together with the proof (a text message after the password), and its charges."""

    question: Question
    charges: Charges
    audit: Event


async def record(
    conn: Conn,
    proof: Proof,
    *,
    rotation: Rotation,
    audit: Event,
    now: datetime,
    forgive: Sequence[bytes] = (),
    refunds: Refunds | None = None,
    then: NextQuestion | None = None,
) -> bool:
    """True for exactly one caller per one-time thing, ever; then the proof counts and the session has its new token.

    False: somebody was first (the code, the step, or the session's token was already used, or the password that was
    compared or the address that the code went to is no longer theirs), and nothing changed.
    Whether `then` was asked shows when the interaction is loaded again.
    """
    account_id, client_id = proof.account_id, proof.client_id
    use, values = use_of(proof.evidence)
    limits = None
    if refunds is not None:
        values |= refunds.values()
    if then is not None:
        limits = tuple(limit for limit, _ in then.charges)
        values |= ask_values(then.question, then.charges)
        values |= audit_values(then.audit, account_id=account_id, client_id=client_id, prefix="sent")
    factor = proof.evidence.factor
    statement = _statement(use, limits, () if refunds is None else refunds.shape, sent=factor in SENT)
    return bool(
        await conn.value(
            statement,
            session_id=rotation.session_id,
            old_token=rotation.old_token,
            new_token=rotation.new_token,
            shown_token=rotation.shown or rotation.old_token,
            interaction_id=proof.interaction_id,
            factor=factor.value,
            authenticator_id=proof.evidence.authenticator_id,
            forgive_keys=forgive,
            now=now,
            account_id=account_id,
            client_id=client_id,
            **audit_values(audit, account_id=account_id, client_id=client_id),
            **values,
        )
    )
