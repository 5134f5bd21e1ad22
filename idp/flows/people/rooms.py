"""The rooms of a signed-in person: what each asks for, and who may come in. The same `decide` as for every client."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID, uuid4

from idp import limits, policy
from idp.audit import GrantRevoked
from idp.flows.idp import ACCOUNT_PATH, INTERNAL, Idp, Visitor, device_key
from idp.flows.signin.authorize import ToClient, ToInteraction, facts_of
from idp.flows.signin.begin import begin
from idp.flows.signin.first import begins_as
from idp.limits import Closed, Refused
from idp.model import SEEN_EVERY, Account, AuthorizationRequest, Change, Interaction, Session
from idp.policy import UNMET, Ask, Ends, Facts, Kind, May, Proceed, Refuse, decide
from idp.store import rate_limits, refunds
from idp.store.engine import Conn, Connection
from idp.store.people import accounts
from idp.store.signin import facts as store_facts
from idp.store.signin import sessions
from idp.store.signin.facts import Loaded
from idp.store.tokens import grants

PASSWORD_PATH = f"{ACCOUNT_PATH}/password"
AUTHENTICATORS_PATH = f"{ACCOUNT_PATH}/authenticators"
ENROL_PATH = f"{AUTHENTICATORS_PATH}/new"
PHONES_PATH = f"{ACCOUNT_PATH}/phones"
NEW_PHONE_PATH = f"{PHONES_PATH}/new"
PASSKEY_PATH = f"{ACCOUNT_PATH}/passkeys/new"
PROFILE_PATH = f"{ACCOUNT_PATH}/profile"
EMAIL_PATH = f"{ACCOUNT_PATH}/email"
REMOVE_EMAIL_PATH = f"{EMAIL_PATH}/remove"
RECOVERY_PATH = f"{ACCOUNT_PATH}/recovery-codes"
SIGN_IN_PATH = f"{ACCOUNT_PATH}/sign-in"
CANCELLED_PATH = f"{ACCOUNT_PATH}/cancelled"


@dataclass(frozen=True, slots=True)
class Barred:
    """Nothing that this person can prove opens the room; `refuse` is what the policy says of it."""

    refuse: Refuse
    account: Account | None


@dataclass(frozen=True, slots=True)
class SignIn:
    """Whoever wants in here signs in first, at the account's door; then they come back to this path."""

    path: str


Outside = ToInteraction | ToClient | Barred | SignIn


def _room(path: str, *scopes: str, change: Change | None = None, target: UUID | None = None) -> AuthorizationRequest:
    return AuthorizationRequest(
        client_id=INTERNAL, redirect_uri=path, scopes=("openid", *scopes), change=change, target=target
    )


HOME = _room(ACCOUNT_PATH)
PASSWORD = _room(PASSWORD_PATH, "password:write")
# For who has no app, or only one on hold: at the price that the row of the table says.
_PASSWORD_FOR_LESS = _room(PASSWORD_PATH, change=Change.CHANGE_PASSWORD)
ENROL = _room(ENROL_PATH, "authenticators:write", change=Change.ADD_APP)
NEW_PHONE = _room(NEW_PHONE_PATH, "authenticators:write", change=Change.ADD_PHONE)
PASSKEY = _room(PASSKEY_PATH, "authenticators:write", change=Change.ADD_APP)
EMAIL = _room(EMAIL_PATH, "authenticators:write", change=Change.CHANGE_EMAIL)
REMOVE_EMAIL = _room(REMOVE_EMAIL_PATH, "authenticators:write", change=Change.REMOVE_EMAIL)
RECOVERY = _room(RECOVERY_PATH, "authenticators:write", change=Change.RENEW_CODES)


def authenticator(authenticator_id: UUID) -> AuthorizationRequest:
    """The room of one authenticator app, where it can be removed: whoever may not do that may not rename it either."""
    path = f"{AUTHENTICATORS_PATH}/{authenticator_id}"
    return _room(path, "authenticators:write", change=Change.REMOVE_APP, target=authenticator_id)


def phone(phone_id: UUID) -> AuthorizationRequest:
    """The room of one phone, where it can be named, put first and removed."""
    return _room(f"{PHONES_PATH}/{phone_id}", "authenticators:write", change=Change.REMOVE_PHONE, target=phone_id)


def new_number(phone_id: UUID) -> AuthorizationRequest:
    """The room where another phone takes the place of this one."""
    return _room(
        f"{PHONES_PATH}/{phone_id}/number", "authenticators:write", change=Change.REPLACE_PHONE, target=phone_id
    )


_BY_PATH = {
    room.redirect_uri: room for room in (HOME, PASSWORD, ENROL, PASSKEY, NEW_PHONE, EMAIL, REMOVE_EMAIL, RECOVERY)
}
_OF_ONE = (authenticator, phone, new_number)


def room_at(path: str) -> AuthorizationRequest | None:
    """The room that has this path."""
    if path in _BY_PATH:
        return _BY_PATH[path]
    for part in path.split("/"):
        try:
            rooms = [room(UUID(part)) for room in _OF_ONE]
        except ValueError:
            continue
        return next((room for room in rooms if room.redirect_uri == path), None)
    return None


@dataclass(frozen=True, slots=True)
class Inside:
    """Somebody who has proved what the room asks for."""

    now: datetime
    account: Account
    session: Session
    loaded: Loaded
    facts: Facts


async def enter(
    idp: Idp, visitor: Visitor, room: AuthorizationRequest, *, noting: bool = True, loaded: Loaded | None = None
) -> Inside | Outside:
    """Let somebody in, or begin to ask for what is missing; they come back to the room's path. Changes nothing else.

    Without `noting` it is for the caller to note that the browser was here. `loaded` is what `look` found just now.
    """
    now = idp.clock.now()
    if loaded is None:
        loaded = await look(idp.db, idp, visitor, client_id=room.client_id, now=now)
    room = possible(idp, loaded, room, now=now)
    match judge(idp, loaded, room, now=now):
        case Inside() as inside:
            if noting and inside.session.seen_at < now - SEEN_EVERY:
                await sessions.touch(idp.db, session_id=inside.session.id, not_since=now - SEEN_EVERY, now=now)
            return inside
        case Refuse() as refuse:
            return Barred(refuse, loaded.account)
        case Ask(kind=Kind.PASSWORD):
            return SignIn(room.redirect_uri)
        case Ask():
            return await begin(idp, room, visitor)


async def still(
    conn: Connection,
    idp: Idp,
    visitor: Visitor,
    room: AuthorizationRequest,
    *,
    account_id: UUID,
    as_of: datetime | None = None,
) -> Inside | None:
    """Decide once more inside the transaction that changes something; one change at a time for each person.

    None if it is refused now: send them to the room's door again. `as_of` counts the age of proofs to an earlier
    moment: of an enrolment, its beginning.
    """
    now = idp.clock.now()
    await accounts.lock(conn, account_id=account_id)
    loaded = await look(conn, idp, visitor, client_id=room.client_id, now=now)
    found = judge(idp, loaded, possible(idp, loaded, room, now=now), now=now, as_of=as_of)
    return found if isinstance(found, Inside) and found.account.id == account_id else None


async def here(
    conn: Connection, idp: Idp, visitor: Visitor, room: AuthorizationRequest, *, as_of: datetime
) -> Inside | None:
    """As `still`, for the person of this session, whoever that is."""
    now = idp.clock.now()
    if visitor.token_hash is None:
        return None
    await accounts.lock_of_session(conn, token_hash=visitor.token_hash)
    found = judge(idp, await look(conn, idp, visitor, client_id=room.client_id, now=now), room, now=now, as_of=as_of)
    return found if isinstance(found, Inside) else None


async def look(conn: Conn, idp: Idp, visitor: Visitor, *, client_id: str, now: datetime) -> Loaded:
    """Who is at the door, with what was proved for this client of ours, in one statement."""
    if visitor.token_hash is None:
        return store_facts.NOTHING
    return await store_facts.of_session(
        conn,
        token_hash=visitor.token_hash,
        session_id=begins_as(idp, visitor, now=now),
        client_id=client_id,
        device=device_key(idp, visitor),
        sessions=idp.policy.sessions,
        now=now,
    )


def possible(idp: Idp, loaded: Loaded, room: AuthorizationRequest, *, now: datetime) -> AuthorizationRequest:
    """The same room, by what this person could prove for it: who can never reach its level may pay for that."""
    if room is not PASSWORD:
        return room
    match judge(idp, loaded, room, now=now):
        case Refuse(error=error, barrier=None) if error == UNMET:
            return _PASSWORD_FOR_LESS
        case _:
            return room


def judge(
    idp: Idp, loaded: Loaded, room: AuthorizationRequest, *, now: datetime, as_of: datetime | None = None
) -> Inside | Ask | Refuse:
    """What `decide` says about a browser at the door of a room."""
    started = Interaction(
        id=uuid4(),
        session_id=loaded.session.id if loaded.session else uuid4(),
        client_id=room.client_id,
        request=room,
        started_at=now,
        expires_at=now + idp.policy.interaction.ttl,
    )
    client = idp.client(room.client_id)
    assert client is not None, "a room is of our own pages"
    facts = facts_of(idp, loaded, started, client, now=as_of or now)
    match decide(facts, idp.policy):
        case Proceed():
            assert loaded.session is not None
            assert facts.account is not None
            return Inside(now, facts.account, loaded.session, loaded, facts)
        case otherwise:
            return otherwise


@dataclass(frozen=True, slots=True)
class TooOften:
    """Nothing was changed; again after `retry_after`."""

    retry_after: timedelta
    account: Account


async def charge(idp: Idp, inside: Inside) -> TooOften | None:
    """Count one change of how this person signs in, before it is made: each sends text messages, so there is an end."""
    key = limits.subject(idp.limits.enrolments, inside.account.id)
    match await rate_limits.spend(idp.db, [(idp.limits.enrolments, key)], now=inside.now):
        case None:
            return None
        case Closed():
            return TooOften(limits.FOR_EVER, inside.account)
        case Refused(retry_after):
            return TooOften(retry_after, inside.account)


async def give_back(conn: Conn, idp: Idp, inside: Inside) -> None:
    """What `charge` counted was no change after all."""
    limit = idp.limits.enrolments
    await refunds.give_back(conn, [(limit, limits.subject(limit, inside.account.id))], now=inside.now)


def permission(idp: Idp, inside: Inside) -> May:
    """On what terms somebody inside a room may make its change: what the table of the policy says."""
    request = inside.facts.request
    if inside.facts.invited_at is not None:
        invites = Change.OPERATOR_INVITES
        granted = policy.permission(inside.facts, idp.policy, change=invites, vouched=policy.Vouched.OPERATOR)
        assert isinstance(granted, May), "an operator vouches"
        return granted
    if request.change is None:  # the password, by what its own scope asks for
        return May(ends=Ends.OTHERS)
    granted = policy.permission(inside.facts, idp.policy, change=request.change, target=request.target)
    assert isinstance(granted, May), "decide lets nobody else in"
    return granted


async def settle(conn: Connection, inside: Inside, may: May, *, why: str) -> None:
    """What follows from a change on these terms beside what it changes: in the transaction that makes it."""
    match may.ends:
        case Ends.NOTHING:
            pass
        case Ends.OTHERS | Ends.EVERYTHING:
            await end_elsewhere(conn, inside, why=why, here_too=True)
        case _:
            assert_never(may.ends)
    if may.closed:
        await accounts.close_strong(conn, account_id=inside.account.id, until=inside.now + may.closed)


async def end_elsewhere(conn: Connection, inside: Inside, *, why: str, here_too: bool) -> int:
    """End every other session of the person and every grant that was not made in this one; how many sessions.

    With `here_too` the grants of this one end as well: an application gets a new one when the person signs in again,
    and may hold the old one for somebody else (SES-06).
    """
    ended = await sessions.end_others(conn, account_id=inside.account.id, keep=inside.session.id, now=inside.now)
    if here_too:
        await sessions.new_generation(conn, session_id=inside.session.id)
    await grants.revoke_of_account(
        conn,
        account_id=inside.account.id,
        except_session=None if here_too else inside.session.id,
        audit=GrantRevoked(why=why),
        now=inside.now,
    )
    return ended
