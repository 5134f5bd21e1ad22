"""Everything one decision needs, in one statement: the session, its proofs, the person, the paused request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from idp.model import (
    Account,
    AuthenticationEvent,
    Authenticator,
    AuthorizationRequest,
    Challenge,
    Device,
    Factor,
    Interaction,
    Session,
    Swap,
)
from idp.policy import LONGEST_HOLD, Sessions, Sums
from idp.store.engine import Conn, Row
from idp.store.people.columns import (
    ACCOUNT,
    AUTHENTICATORS,
    DEVICE,
    read_account,
    read_authenticators,
    read_device,
    read_time,
    read_uuid,
)
from idp.store.signin.challenges import SIGN_IN
from idp.store.signin.sums import read_sums, sums_of
from idp.store.sql import Sql


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is known about one browser at one moment. Without a session everything else is empty.

    `challenges` are the questions of the interaction; `elsewhere` those that others of the same session asked to sign
    in, whoever was asked then, and that nobody has answered. `client_gone`: no such client is registered and enabled;
    always true of our own account pages. `taken`: the token names a session that there is, but does not open it.
    `device`: the browser is one that this person signed in from before.
    `sums` are what the person approved in the last 24 hours by rows that take less, where the request has details.
    """

    session: Session | None = None
    account: Account | None = None
    password_hash: str | None = field(default=None, repr=False)
    events: tuple[AuthenticationEvent, ...] = ()
    authenticators: tuple[Authenticator, ...] = ()
    consented: frozenset[str] = frozenset()
    interaction: Interaction | None = None
    challenges: Mapping[Factor, Challenge] = field(default_factory=dict)
    elsewhere: Sequence[Challenge] = ()
    client_gone: bool = False
    taken: bool = False
    device: Device | None = None
    sums: Sums = field(default_factory=dict)


NOTHING = Loaded()

# Of the session `s`.
SESSION = """s.id AS session_id, s.account_id, s.created_at, s.seen_at, s.user_agent, s.generation, s.link,
    s.previous_hash IS NOT NULL AS forgiving"""
_SESSION = ("session_id", "account_id", "created_at", "seen_at", "user_agent", "generation", "forgiving", "link")
LIVE = "s.ended_at IS NULL AND s.created_at > :begun_since AND s.seen_at > :seen_since"

PROOFS = """(
    SELECT jsonb_agg(jsonb_build_array(
        e.factor, e.at, e.account_id, e.client_id, e.interaction_id, e.authenticator_id, e.swap,
        e.verified) ORDER BY e.id)
    FROM authentication_event e
    WHERE e.session_id = s.id
) AS proofs"""

# Of the interaction `i`, and what others of the same session asked to sign in and nobody answered yet.
_QUESTIONS = f"""(
    SELECT jsonb_agg(jsonb_build_array(
        q.interaction_id, q.factor, q.account_id, q.authenticator_id, q.purpose, encode(q.nonce, 'hex'), q.key_id,
        q.created_at, q.expires_at, q.attempts, q.max_attempts, q.sends, q.consumed_at))
    FROM interaction o JOIN challenge q ON q.interaction_id = o.id
    WHERE o.session_id = s.id AND (o.id = i.id OR (
        q.purpose LIKE '{SIGN_IN}%' AND q.consumed_at IS NULL AND q.expires_at > :now
        AND o.finished_at IS NULL AND o.expires_at > :now))
) AS questions"""

# What this process knows of clients by heart may be old; the row decides.
_GONE = "(SELECT k.disabled_at IS NULL FROM client k WHERE k.id = {}) IS NOT TRUE AS client_gone"

KNOWN = f"{SESSION}, {ACCOUNT}, {PROOFS}, {AUTHENTICATORS}, {DEVICE}, c.scopes AS remembered"
PAUSED = f"""i.id AS interaction_id, i.client_id, i.request, i.started_at, i.expires_at, i.consented, i.account_chosen,
    i.finished_at, {_QUESTIONS}, {_GONE.format("i.client_id")}, {sums_of("i.request")} AS sums"""

# One row, whether or not the token opens a session; without the person `p` and the consent `c`.
AT_THE_DOOR = f"""{KNOWN}, {_GONE.format(":client_id")}, always.taken AND s.id IS NULL AS taken
FROM (SELECT EXISTS (SELECT FROM session WHERE id = :session_id) AS taken) AS always
LEFT JOIN session s ON s.token_hash = :token_hash AND {LIVE}"""

_OF_SESSION = Sql(f"""
SELECT {AT_THE_DOOR}
LEFT JOIN account p ON p.id = s.account_id
LEFT JOIN consent c ON c.account_id = p.id AND c.client_id = :client_id""")

_OF_INTERACTION = Sql(f"""
SELECT {KNOWN}, {PAUSED}, NULL::text AS password_hash
FROM session s
JOIN interaction i ON i.id = :interaction_id AND i.session_id = s.id
LEFT JOIN account p ON p.id = s.account_id
LEFT JOIN consent c ON c.account_id = p.id AND c.client_id = i.client_id
WHERE s.token_hash = :token_hash AND {LIVE}""")


def moments(sessions: Sessions, now: datetime) -> dict[str, datetime]:
    """The values of `LIVE`, `KNOWN` and `PAUSED`, besides `device`."""
    return {
        "now": now,
        "begun_since": now - sessions.life,
        "seen_since": now - sessions.idle,
        "closed_since": now - LONGEST_HOLD,
    }


async def of_session(
    conn: Conn,
    *,
    token_hash: bytes,
    session_id: UUID | None,
    client_id: str,
    device: bytes | None,
    sessions: Sessions,
    now: datetime,
) -> Loaded:
    """The browser with this token, about to ask something for this client. No session if it opens none that is live.

    `session_id` is that of the token, whatever it opens; `device` the key of the browser's cookie, if it has one.
    """
    row = await conn.one(
        _OF_SESSION,
        token_hash=token_hash,
        session_id=session_id,
        client_id=client_id,
        device=device,
        **moments(sessions, now),
    )
    assert row is not None
    return Loaded(**known(row), taken=row["taken"])


async def of_interaction(
    conn: Conn,
    *,
    token_hash: bytes,
    interaction_id: UUID,
    device: bytes | None,
    sessions: Sessions,
    now: datetime,
) -> Loaded:
    """The browser with this session inside this interaction. `NOTHING` unless it belongs to the session."""
    row = await conn.one(
        _OF_INTERACTION, token_hash=token_hash, interaction_id=interaction_id, device=device, **moments(sessions, now)
    )
    return NOTHING if row is None else read(row)


def known(row: Row) -> dict[str, Any]:
    """What `Loaded` holds whether or not there is an interaction."""
    return {
        "session": None if row["session_id"] is None else Session(*(row[name] for name in _SESSION)),
        "account": read_account(row),
        "events": tuple(_event(item) for item in row["proofs"] or ()),
        "authenticators": read_authenticators(row["person_id"], row["authenticators"]),
        "consented": frozenset(row["remembered"] or ()),
        "client_gone": row["client_gone"],
        "device": read_device(row["device"]),
    }


def read(row: Row) -> Loaded:
    """What is known inside an interaction, from `KNOWN` and `PAUSED`."""
    id_, consented = row["interaction_id"], row["consented"]
    questions = [_challenge(item) for item in row["questions"] or ()]
    return Loaded(
        **known(row),
        password_hash=row["password_hash"],
        interaction=Interaction(
            id=id_,
            session_id=row["session_id"],
            client_id=row["client_id"],
            request=AuthorizationRequest.from_json(row["request"]),
            started_at=row["started_at"],
            expires_at=row["expires_at"],
            consented=None if consented is None else frozenset(consented),
            account_chosen=row["account_chosen"],
            finished_at=row["finished_at"],
        ),
        challenges={each.factor: each for each in questions if each.interaction_id == id_},
        elsewhere=tuple(each for each in questions if each.interaction_id != id_),
        sums=read_sums(row["sums"]),
    )


def _event(item: Sequence[Any]) -> AuthenticationEvent:
    factor, at, account_id, client_id, interaction_id, authenticator_id, swap, verified = item  # as in `PROOFS`
    return AuthenticationEvent(
        factor=Factor(factor),
        at=datetime.fromisoformat(at),
        account_id=UUID(account_id),
        client_id=client_id,
        interaction_id=read_uuid(interaction_id),
        authenticator_id=read_uuid(authenticator_id),
        swap=None if swap is None else Swap(swap),
        verified=bool(verified),
    )


def _challenge(item: Sequence[Any]) -> Challenge:
    asked_in, factor, account_id, authenticator_id, purpose, nonce, key_id, *rest = item  # as in `_QUESTIONS`
    created_at, expires_at, attempts, max_attempts, sends, consumed_at = rest
    return Challenge(
        interaction_id=UUID(asked_in),
        factor=Factor(factor),
        account_id=UUID(account_id),
        authenticator_id=read_uuid(authenticator_id),
        purpose=purpose,
        nonce=bytes.fromhex(nonce),
        key_id=key_id,
        created_at=datetime.fromisoformat(created_at),
        expires_at=datetime.fromisoformat(expires_at),
        attempts=attempts,
        max_attempts=max_attempts,
        sends=sends,
        consumed_at=read_time(consumed_at),
    )
