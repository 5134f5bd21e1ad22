"""The rooms of the administrators' console: what each asks for, and whether somebody has a role. No page is here."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from idp.flows.idp import CONSOLE, CONSOLE_PATH, Idp, Visitor
from idp.flows.people import rooms
from idp.flows.people.rooms import Inside, Outside
from idp.model import OPERATOR, AuthorizationRequest, Operator
from idp.policy import RIGHTS, Act, denied, operating

PEOPLE_PATH = f"{CONSOLE_PATH}/people"
CLIENTS_PATH = f"{CONSOLE_PATH}/applications"
NEW_CLIENT_PATH = f"{CLIENTS_PATH}/-new"  # no client id begins so
POLICY_PATH = f"{CONSOLE_PATH}/policy"
TRY_PATH, KEYS_PATH = f"{POLICY_PATH}/try", f"{POLICY_PATH}/keys"
EXPLAIN_PATH = f"{POLICY_PATH}/explain"
MESSAGES_PATH = f"{CONSOLE_PATH}/messages"
SPENDING_PATH, NUMBER_PATH = f"{MESSAGES_PATH}/spending", f"{MESSAGES_PATH}/number"
OPEN_NUMBER_PATH = f"{NUMBER_PATH}/open"
AUDIT_PATH = f"{CONSOLE_PATH}/audit"
CHECKUP_PATH = f"{CONSOLE_PATH}/doctor"
LONGEST = 6000  # of an address, with a form that waits for a proof
_ONE = "/[A-Za-z0-9._~-]{1,64}"
_CHANGE = "/[a-z-]{1,40}"
# The first that fits says which scopes open a page. What changes something asks for the scope of its act.
_ROOMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (CONSOLE_PATH, (operating.PEOPLE_READ, operating.SENDING_READ, operating.AUDIT_READ, operating.POLICY_READ)),
    (CHECKUP_PATH, (operating.POLICY_READ,)),
    (f"{PEOPLE_PATH}/(invite|add)", (operating.PEOPLE_WRITE, operating.FACTORS_WRITE)),
    (rf"{PEOPLE_PATH}(\.csv|{_ONE})?", (operating.PEOPLE_READ,)),
    (f"{PEOPLE_PATH}{_ONE}/edit", (operating.PEOPLE_WRITE, operating.FACTORS_WRITE)),  # an address is a way in
    (f"{PEOPLE_PATH}{_ONE}/(reset|recover|confirm|authenticator|password|app|phone|codes)", (operating.FACTORS_WRITE,)),
    (f"{PEOPLE_PATH}{_ONE}{_CHANGE}", (operating.PEOPLE_WRITE,)),
    (NEW_CLIENT_PATH, (operating.CLIENTS_WRITE,)),
    (rf"{CLIENTS_PATH}(\.csv|{_ONE})?", (operating.CLIENTS_READ,)),
    (f"{CLIENTS_PATH}{_ONE}{_CHANGE}", (operating.CLIENTS_WRITE,)),
    (KEYS_PATH, (operating.POLICY_READ, operating.KEYS_WRITE)),
    (TRY_PATH, (operating.POLICY_READ, operating.CLIENTS_READ)),  # it says what applications would lose
    (EXPLAIN_PATH, (operating.POLICY_READ, operating.PEOPLE_READ, operating.CLIENTS_READ)),
    (POLICY_PATH, (operating.POLICY_READ,)),
    (f"{SPENDING_PATH}/[0-9a-f]{{1,128}}", (operating.SENDING_WRITE,)),  # one closed block of numbers
    (OPEN_NUMBER_PATH, (operating.SENDING_WRITE,)),
    (f"{SPENDING_PATH}|{NUMBER_PATH}", (operating.SENDING_READ,)),
    (rf"{MESSAGES_PATH}(\.csv)?", (operating.SENDING_READ,)),
    (rf"{AUDIT_PATH}(\.csv|/[0-9]{{1,18}})?", (operating.AUDIT_READ,)),
)
_QUERY = re.compile(r"[A-Za-z0-9._~%+&=-]*")
_DOOR = AuthorizationRequest(client_id=CONSOLE, redirect_uri=CONSOLE_PATH, scopes=("openid",))


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody with a role who has proved what the room asks for."""

    inside: Inside
    operator: Operator

    def may(self, idp: Idp, act: Act, *, on: Collection[str] | None = None, into: Collection[str] = ()) -> bool:
        """Whether their role lets them do this, whatever they have to prove first."""
        whole = replace(self.operator, scopes=frozenset(RIGHTS[act].scopes))
        return denied(whole, act, idp.policy, on=on, into=into) is None


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody without a role: for them there is nothing here."""


def room_at(address: str) -> AuthorizationRequest | None:
    """The room of the page at this path, with its query, where they come back to after a proof. None: no such page."""
    path, _, query = address.partition("?")
    if len(address) > LONGEST or not _QUERY.fullmatch(query):
        return None
    scopes = next((scopes for pattern, scopes in _ROOMS if re.fullmatch(pattern, path)), None)
    if scopes is None:
        return None
    return AuthorizationRequest(client_id=CONSOLE, redirect_uri=address, scopes=("openid", *scopes))


def offered_on(address: str) -> str | None:
    """The page that the change at this address is offered on, where who does not prove themselves for it is led.

    None where it is no change of the console: a page that is looked at would only ask again.
    """
    path = address.partition("?")[0]
    room, above = room_at(path), path.rpartition("/")[0]
    if room is None or room_at(above) is None or room.scopes[-1].endswith(":read"):
        return None
    return above


async def known(idp: Idp, visitor: Visitor) -> Staff | None:
    """Who is signed in here and has a role, whatever they proved it for. They may look at nothing but their own words.

    None for everybody else. In one statement.
    """
    now = idp.clock.now()
    inside = rooms.judge(idp, await rooms.look(idp.db, idp, visitor, client_id=CONSOLE, now=now), _DOOR, now=now)
    role = idp.policy.role_of(inside.account.groups) if isinstance(inside, Inside) else None
    if not isinstance(inside, Inside) or role is None:
        return None
    return Staff(inside, Operator(f"person:{inside.account.username}", role, inside.account.id, CONSOLE, frozenset()))


async def enter(idp: Idp, visitor: Visitor, room: AuthorizationRequest) -> Staff | Stranger | Outside:
    """Let an operator in, or begin to ask for what is missing. The role is the one that they have at this moment.

    In one statement. From here on what is done in this request is done by them. Nobody hears whether somebody has a
    role who has not proved two factors.
    """
    now = idp.clock.now()
    loaded = await rooms.look(idp.db, idp, visitor, client_id=CONSOLE, now=now)
    at_door = rooms.judge(idp, loaded, _DOOR, now=now)
    if isinstance(at_door, Inside) and idp.policy.role_of(at_door.account.groups) is None:
        return Stranger()
    inside = await rooms.enter(idp, visitor, room, loaded=loaded)
    if not isinstance(inside, Inside):
        return inside
    account = inside.account
    operator = Operator(
        name=f"person:{account.username}",
        role=idp.policy.role_of(account.groups),
        account_id=account.id,
        client_id=CONSOLE,
        scopes=frozenset(room.scopes),
    )
    OPERATOR.set(operator)
    return Staff(inside, operator)
