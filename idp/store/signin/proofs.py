"""A proof made: consume what was used, add the authentication event, change the session's token. All or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from idp.audit import Event, FactorVerified
from idp.limits import Closed, Limit, Refused
from idp.model import Factor, Interaction
from idp.store.audits import AUDITED, audit_values
from idp.store.delivery.messages import Telling, noticed, waking
from idp.store.engine import Conn
from idp.store.people.devices import REMEMBERED, Browser
from idp.store.rate_limits import FORGIVE, charge_values, charged
from idp.store.refunds import Refunds, Shape, refunded
from idp.store.signin.approving import FINISHED, Approval, Unapproved, approved
from idp.store.signin.attempts import LOCKED, LOCKED_SESSION, TOLD, Attempt, Dead, Spent, attempted, outcome
from idp.store.signin.challenges import ASKED, HELD, QUEUED, Charges, Question, ask_values
from idp.store.signin.consuming import Evidence, Use, use_of
from idp.store.signin.sessions import BEGUN, started_values
from idp.store.sql import Sql

STRANGE = "strange"


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


@dataclass(frozen=True, slots=True)
class Beginning:
    """A request of which nothing is stored before its password, and whether its session is another one that is."""

    started: Interaction
    new_session: bool
    user_agent: str

    def values(self) -> dict[str, Any]:
        """The values of it."""
        return {**started_values(self.started), "user_agent": self.user_agent}


_ROTATED = """
    UPDATE session SET token_hash = :new_token, account_id = :account_id, seen_at = :now,
                       previous_hash = :shown_token, replaced_at = :now,
                       device_key = coalesce(:device_key, device_key)
    WHERE id = :session_id AND EXISTS (SELECT FROM used)
    RETURNING id, account_id"""

# In place of `LOCKED`, whoever is first with it. The interaction waits for the session, and cannot be there before,
# unless it was pushed and is another browser's.
_BEGINS = f"locked AS ({BEGUN} WHERE EXISTS (SELECT FROM locked_session) ON CONFLICT DO NOTHING RETURNING id)"
_NEW_SESSION = """locked_session AS (
    INSERT INTO session (id, account_id, token_hash, created_at, seen_at, user_agent, previous_hash, replaced_at,
                         device_key)
    SELECT :session_id, :account_id, :new_token, :now, :now, :user_agent, :shown_token, :now, :device_key
    WHERE EXISTS (SELECT FROM same) AND NOT EXISTS (SELECT FROM interaction WHERE id = :interaction_id)
    ON CONFLICT DO NOTHING
    RETURNING id, account_id
)"""
_BEGAN = "SELECT id, account_id FROM locked_session WHERE EXISTS (SELECT FROM used)"


# A browser that this person never finished a sign-in in. The first one ever tells nobody anything new.
def _strange(limit: Limit) -> str:
    before = f"name = '{FactorVerified.name}' AND fields ->> 'factor' <> '{Factor.PASSWORD}'"
    came = f"EXISTS (SELECT FROM audit_event WHERE account_id = :account_id AND {before})"
    return f""",
{charged((limit,), when=f"EXISTS (SELECT FROM event) AND {came}", name=STRANGE)},
{noticed(f"EXISTS (SELECT FROM {STRANGE})")}"""


@lru_cache(maxsize=64)
def _statement(
    use: Use,
    refunds: Shape,
    *,
    then: tuple[Limit, ...] | None = None,
    attempt: tuple[Limit, ...] | None = None,
    asked: bool = False,
    begins: bool = False,
    new_session: bool = False,
    strange: Limit | None = None,
    remembers: bool = False,
    charging: bool | None = None,
) -> Sql:
    taken = "(SELECT address_places FROM used)" if asked else None
    attempting, asking, told, of = "", "", "", ""
    remembered = f"remembered AS ({REMEMBERED})," if remembers else ""
    locked, rotated = LOCKED, _ROTATED
    if begins:
        locked = f"{LOCKED_SESSION},\n{_BEGINS}"
    if new_session:
        locked, rotated = f"{_NEW_SESSION},\n{_BEGINS}", _BEGAN
    if attempt is not None:
        attempting = f"{attempted(attempt, asked=asked, right=use.right)},"
        told = f", {TOLD}, NULL::int AS attempts"
        if not asked:
            told, of = f", {TOLD}, spent.*", " FROM (SELECT) AS always LEFT JOIN spent ON true"
    if then is not None:
        asking, told = _then(then), f", {waking('queued')}"
    if strange is not None:
        asking, told = asking + _strange(strange), f"{told}, {waking('noticed')}"
    finished = FINISHED
    if charging is not None:
        finished, told = approved("event", charged=charging), f"{told}, EXISTS (SELECT FROM approved) AS approved"
    return Sql(f"""
WITH same AS ({use.same}),
{locked},
{attempting}
{use.used},
rotated AS ({rotated}),
event AS (
    INSERT INTO authentication_event (session_id, account_id, factor, at, client_id, interaction_id, authenticator_id,
                                      swap, verified)
    SELECT id, account_id, :factor, :now, :client_id, :interaction_id, :authenticator_id, (SELECT swap FROM used),
           (SELECT verified FROM used)
    FROM rotated
    RETURNING id
),
{remembered}
forgiven AS ({FORGIVE} AND EXISTS (SELECT FROM event) RETURNING key),
-- The trail tells what was known of the SIM; nothing where nobody was asked.
audited AS (
    {AUDITED}::jsonb || jsonb_strip_nulls(jsonb_build_object('sim_swap', (SELECT swap FROM used))) FROM event
),
{refunded(refunds, when="EXISTS (SELECT FROM event) AND (SELECT count(*) FROM forgiven) >= 0", of_address=taken)},
{finished}
{asking}
SELECT EXISTS (SELECT FROM event) AS proved{told}{of}""")


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


@dataclass(frozen=True, slots=True)
class NewBrowser:
    """What a person is told of a sign-in in a browser that they never finished one in, as often as the limit lets."""

    telling: Telling
    limit: Limit
    key: bytes

    def values(self) -> dict[str, Any]:
        """The values of it."""
        return {**self.telling.values(), **charge_values([self.key], name=STRANGE)}


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
    beginning: Beginning | None = None,
    finishes: bool = False,
    browser: Browser | None = None,
    new_browser: NewBrowser | None = None,
) -> bool:
    """True if the password that was compared is the person's still; then it counts and the session has its new token.

    So it is with a passkey that needs none, with which `browser`, `finishes` and `new_browser` are as of `answer`.
    With `beginning` the request is paused by this, and the session begun if it is new.
    False: the session's token was already used, or the password changed, and nothing changed here.
    Whether `then` was asked shows when the interaction is loaded again.
    """
    use, values = use_of(proof.evidence)
    limits = None
    if then is not None:
        limits = tuple(limit for limit, _ in then.charges)
        values |= ask_values(then.question, then.charges)
        values |= audit_values(then.audit, account_id=proof.account_id, client_id=proof.client_id, prefix="sent")
    statement = _statement(
        use,
        () if refunds is None else refunds.shape,
        then=limits,
        begins=beginning is not None,
        new_session=beginning is not None and beginning.new_session,
        strange=None if new_browser is None else new_browser.limit,
        remembers=browser is not None,
    )
    values |= _values(proof, rotation, audit, forgive, refunds)
    values |= {"device_key": None} if browser is None else browser.values()
    values |= {} if new_browser is None else new_browser.values()
    if beginning is not None:
        values |= beginning.values()
    return bool(await conn.value(statement, **values, finishes=finishes, now=now))


async def answer(
    conn: Conn,
    proof: Proof,
    *,
    attempt: Attempt,
    rotation: Rotation,
    browser: Browser | None,
    finishes: bool,
    audit: Event,
    now: datetime,
    forgive: Sequence[bytes] = (),
    refunds: Refunds | None = None,
    new_browser: NewBrowser | None = None,
    approval: Approval | None = None,
) -> bool | Unapproved | Spent | Dead | Refused | Closed:
    """Spend an attempt for a right answer and record it. True for exactly one caller per one-time thing, ever.

    Then the session has its new token, the `browser` is known to be the person's and, with `finishes`, the interaction
    has its answer; of a `new_browser` the person is told, unless it is the first they ever signed in with. Else nothing
    was proved: False or `Spent` when somebody was first, or where the code went is not theirs any more, or when there
    is no such saved code. With an `approval` it is given by this and the request finished, whatever `finishes` says, or
    `Unapproved`.
    """
    use, values = use_of(proof.evidence)
    shape = () if refunds is None else refunds.shape
    values |= attempt.values() | _values(proof, rotation, audit, forgive, refunds)
    values |= {"device_key": None} if browser is None else browser.values()
    strange, charging = None, None
    if new_browser is not None:
        strange, values = new_browser.limit, values | new_browser.values()
    if approval is not None:
        charging, values = approval.charge is not None, values | approval.values(proof.account_id, proof.client_id)
    statement = _statement(
        use,
        shape,
        attempt=attempt.limits,
        asked=attempt.asked,
        strange=strange,
        remembers=browser is not None,
        charging=charging,
    )
    row = await conn.one(statement, **values, finishes=finishes, now=now)
    assert row is not None
    if approval is not None and row["proved"] and not row["approved"]:
        return Unapproved()
    if row["proved"] or (attempt.asked and row["charged"]):
        return bool(row["proved"])
    return await outcome(conn, attempt, row, now=now)


def _values(
    proof: Proof, rotation: Rotation, audit: Event, forgive: Sequence[bytes], refunds: Refunds | None
) -> dict[str, Any]:
    return {
        "session_id": rotation.session_id,
        "old_token": rotation.old_token,
        "new_token": rotation.new_token,
        "shown_token": rotation.shown or rotation.old_token,
        "interaction_id": proof.interaction_id,
        "factor": proof.evidence.factor.value,
        "authenticator_id": proof.evidence.authenticator_id,
        "forgive_keys": forgive,
        "account_id": proof.account_id,
        "client_id": proof.client_id,
        **audit_values(audit, account_id=proof.account_id, client_id=proof.client_id),
        **({} if refunds is None else refunds.values()),
    }
