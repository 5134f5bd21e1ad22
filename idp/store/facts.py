"""Everything one decision needs, in one statement: the session, its proofs, the person, the paused request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, and_, bindparam, cast, func, literal_column, null, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from idp.model import (
    Account,
    AuthenticationEvent,
    Authenticator,
    AuthorizationRequest,
    Challenge,
    Factor,
    Interaction,
    Session,
    Swap,
)
from idp.store.challenges import SIGN_IN
from idp.store.composed import Statement
from idp.store.engine import Conn, Row
from idp.store.people import (
    ACCOUNT_COLUMNS,
    authenticators_json,
    read_account,
    read_authenticators,
    read_time,
    read_uuid,
)
from idp.store.schema import (
    Time,
    account,
    authentication_event,
    challenge,
    consent,
    interaction,
    session,
)

SESSION_IDLE = timedelta(minutes=60)
SESSION_LIFE = timedelta(hours=24)
FORGIVEN = timedelta(seconds=30)  # as long a form may be sent again with the token before
SEEN_EVERY = timedelta(minutes=1)  # how exactly it is kept when a browser was here: each change costs index entries
CLOSED_COUNTS = timedelta(days=30)  # no hold may be longer


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is known about one browser at one moment. Without a session everything else is empty.

    `challenges` are the questions of the interaction; `elsewhere` those that others of the same session asked to sign
    in, whoever was asked then, and that nobody has answered.
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


NOTHING = Loaded()

_e = authentication_event.alias("e")
_h = challenge.alias("h")
_o = interaction.alias("o")

_SESSION = (session.c.id, session.c.account_id, session.c.created_at, session.c.seen_at, session.c.user_agent)
_INTERACTION = (
    interaction.c.id,
    interaction.c.session_id,
    interaction.c.client_id,
    interaction.c.request,
    interaction.c.started_at,
    interaction.c.expires_at,
    interaction.c.consented,
    interaction.c.account_chosen,
    interaction.c.finished_at,
)


def _events_json() -> ColumnElement[Any]:
    item = func.jsonb_build_array(
        _e.c.factor, _e.c.at, _e.c.account_id, _e.c.client_id, _e.c.interaction_id, _e.c.authenticator_id, _e.c.swap
    )
    return (
        select(func.jsonb_agg(aggregate_order_by(item, _e.c.id)))
        .where(_e.c.session_id == session.c.id)
        .correlate(session)
        .scalar_subquery()
    )


def _challenges_json() -> ColumnElement[Any]:
    """Of this interaction, and what others of the same session asked to sign in and nobody answered yet."""
    item = func.jsonb_build_array(
        _h.c.interaction_id,
        _h.c.factor,
        _h.c.account_id,
        _h.c.authenticator_id,
        _h.c.purpose,
        func.encode(_h.c.nonce, "hex"),
        _h.c.key_id,
        _h.c.created_at,
        _h.c.expires_at,
        _h.c.attempts,
        _h.c.max_attempts,
        _h.c.sends,
        _h.c.consumed_at,
    )
    now = bindparam("now", type_=Time)
    lent = and_(
        _h.c.purpose.like(literal_column(f"'{SIGN_IN}%'")),
        _h.c.consumed_at.is_(None),
        _h.c.expires_at > now,
        _o.c.finished_at.is_(None),
        _o.c.expires_at > now,
    )
    return (
        select(func.jsonb_agg(item))
        .select_from(_o.join(_h, _h.c.interaction_id == _o.c.id))
        .where(_o.c.session_id == session.c.id, or_(_o.c.id == interaction.c.id, lent))
        .correlate(session, interaction)
        .scalar_subquery()
    )


def _select(*, in_interaction: bool, by_username: bool, replaced: bool = False) -> Select[Any]:
    now = bindparam("now", type_=Time)
    who = account.c.username == bindparam("username") if by_username else account.c.id == session.c.account_id
    client = interaction.c.client_id if in_interaction else bindparam("client_id")
    joined = session.outerjoin(account, who)
    if in_interaction:
        joined = joined.join(
            interaction,
            and_(interaction.c.id == bindparam("interaction_id"), interaction.c.session_id == session.c.id),
        )
    joined = joined.outerjoin(consent, and_(consent.c.account_id == account.c.id, consent.c.client_id == client))
    nothing = [null() for _ in _INTERACTION]
    found = (
        select(
            *_SESSION,
            *ACCOUNT_COLUMNS,
            account.c.password_hash if by_username or replaced else cast(null(), Text),
            _events_json(),
            authenticators_json(account.c.id, closed_since=now - CLOSED_COUNTS),
            consent.c.scopes,
            *(_INTERACTION if in_interaction else nothing),
            _challenges_json() if in_interaction else null(),
        )
        .select_from(joined)
        .where(
            session.c.ended_at.is_(None),
            session.c.created_at > now - SESSION_LIFE,
            session.c.seen_at > now - SESSION_IDLE,
        )
    )
    if replaced:
        # Not found by the hash, which has no index, but through the interaction.
        since = session.c.replaced_at > now - FORGIVEN
        more = found.add_columns(session.c.replaced_at, session.c.token_hash)
        return more.where(session.c.previous_hash == bindparam("token_hash"), since)
    return found.where(session.c.token_hash == bindparam("token_hash"))


_OF_SESSION = Statement(_select(in_interaction=False, by_username=False))
_OF_INTERACTION = Statement(_select(in_interaction=True, by_username=False))
_OF_USERNAME = Statement(_select(in_interaction=True, by_username=True))
_OF_REPLACED = Statement(_select(in_interaction=True, by_username=False, replaced=True))


async def of_session(conn: Conn, *, token_hash: bytes, client_id: str, now: datetime) -> Loaded:
    """The browser with this session, about to ask something for this client. `NOTHING` if the session is not live."""
    return _read(await conn.one(_OF_SESSION, token_hash=token_hash, client_id=client_id, now=now))


async def of_interaction(conn: Conn, *, token_hash: bytes, interaction_id: UUID, now: datetime) -> Loaded:
    """The browser with this session inside this interaction. `NOTHING` unless it belongs to the session."""
    return _read(await conn.one(_OF_INTERACTION, token_hash=token_hash, interaction_id=interaction_id, now=now))


async def of_username(conn: Conn, *, token_hash: bytes, interaction_id: UUID, username: str, now: datetime) -> Loaded:
    """As `of_interaction`, but the account, its hash, authenticators and consent are those of the typed username."""
    return _read(
        await conn.one(_OF_USERNAME, token_hash=token_hash, interaction_id=interaction_id, username=username, now=now)
    )


@dataclass(frozen=True, slots=True)
class Replaced:
    """What the browser's token opened until `at`, as it is now; `token_hash` is of the token that came then."""

    loaded: Loaded
    at: datetime
    token_hash: bytes = field(repr=False)


async def of_replaced(conn: Conn, *, token_hash: bytes, interaction_id: UUID, now: datetime) -> Replaced | None:
    """As `of_interaction`, with the person's password hash, for a token that another replaced and nobody used yet."""
    row = await conn.one(_OF_REPLACED, token_hash=token_hash, interaction_id=interaction_id, now=now)
    return None if row is None else Replaced(_read(row), row["replaced_at"], row["token_hash"])


def _read(row: Row | None) -> Loaded:
    if row is None:
        return NOTHING
    password_hash, events, authenticators, consented, *paused, asked = row[16:30]
    challenges = [_challenge(each) for each in asked or ()]
    return Loaded(
        session=Session(*row[:5]),
        account=read_account(row),
        password_hash=password_hash,
        events=tuple(_event(item) for item in events or ()),
        authenticators=read_authenticators(row["person_id"], authenticators),
        consented=frozenset(consented or ()),
        interaction=_interaction(paused),
        challenges={each.factor: each for each in challenges if each.interaction_id == paused[0]},
        elsewhere=tuple(each for each in challenges if each.interaction_id != paused[0]),
    )


def _event(item: Sequence[Any]) -> AuthenticationEvent:
    factor, at, account_id, client_id, interaction_id, authenticator_id, swap = item
    return AuthenticationEvent(
        factor=Factor(factor),
        at=datetime.fromisoformat(at),
        account_id=UUID(account_id),
        client_id=client_id,
        interaction_id=read_uuid(interaction_id),
        authenticator_id=read_uuid(authenticator_id),
        swap=None if swap is None else Swap(swap),
    )


def _interaction(columns: Sequence[Any]) -> Interaction | None:
    id_, session_id, client_id, request, started_at, expires_at, consented, account_chosen, finished_at = columns
    if id_ is None:
        return None
    return Interaction(
        id=id_,
        session_id=session_id,
        client_id=client_id,
        request=AuthorizationRequest.from_json(request),
        started_at=started_at,
        expires_at=expires_at,
        consented=None if consented is None else frozenset(consented),
        account_chosen=account_chosen,
        finished_at=finished_at,
    )


def _challenge(item: Sequence[Any]) -> Challenge:
    asked_in, factor, account_id, authenticator_id, purpose, nonce, key_id, *rest = item
    created, expires, attempts, most, sends, used = rest
    return Challenge(
        interaction_id=UUID(asked_in),
        factor=Factor(factor),
        account_id=UUID(account_id),
        authenticator_id=read_uuid(authenticator_id),
        purpose=purpose,
        nonce=bytes.fromhex(nonce),
        key_id=key_id,
        created_at=datetime.fromisoformat(created),
        expires_at=datetime.fromisoformat(expires),
        attempts=attempts,
        max_attempts=most,
        sends=sends,
        consumed_at=read_time(used),
    )
