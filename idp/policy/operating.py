"""What an operator may do, and on whom: acts, roles and scopes as one table. Pure. See docs/administration.md."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from idp.model import Operator, Role
from idp.policy.table import OURS, Policy

PEOPLE_READ = "stile:people:read"
PEOPLE_WRITE = "stile:people:write"
FACTORS_WRITE = "stile:factors:write"
CLIENTS_READ = "stile:clients:read"
CLIENTS_WRITE = "stile:clients:write"
POLICY_READ = "stile:policy:read"
KEYS_WRITE = "stile:keys:write"
SENDING_READ = "stile:sending:read"
SENDING_WRITE = "stile:sending:write"
AUDIT_READ = "stile:audit:read"
OPERATING = frozenset({
    PEOPLE_READ,
    PEOPLE_WRITE,
    FACTORS_WRITE,
    CLIENTS_READ,
    CLIENTS_WRITE,
    POLICY_READ,
    KEYS_WRITE,
    SENDING_READ,
    SENDING_WRITE,
    AUDIT_READ,
})  # fmt: skip


class Act(StrEnum):
    """One thing that an operator does, by the name that it has in sentences."""

    SEE_PEOPLE = "look at people"
    ADD_PERSON = "add a person"
    VOUCH = "say how somebody new proves themselves"
    EDIT_PERSON = "change what is known of a person"
    SET_GROUPS = "change somebody's groups"
    UNLOCK = "let somebody try again"
    END_SESSIONS = "sign somebody out"
    FREEZE = "close an account"
    DISABLE = "keep somebody out"
    REMOVE_PERSON = "remove a person"
    INVITE = "invite somebody"
    RESET = "give a link for another password"
    SET_PASSWORD = "set a password"
    RECOVER = "recover an account"
    GIVE_AUTHENTICATOR = "give somebody an authenticator"
    REMOVE_AUTHENTICATOR = "remove an authenticator"
    SEE_CLIENTS = "look at applications"
    CHANGE_CLIENTS = "change applications"
    SEE_POLICY = "look at the policy"
    CHANGE_KEYS = "change signing keys"
    SEE_SENDING = "look at messages and money"
    CHANGE_SENDING = "open a number again"
    SEE_AUDIT = "read the audit trail"
    IMPORT = "import people and applications"
    EXPORT = "export everything"


@dataclass(frozen=True, slots=True)
class Right:
    """Who may do one thing: people of at least this role, and whoever came with one of these scopes."""

    role: Role
    scopes: tuple[str, ...]


RIGHTS: Mapping[Act, Right] = MappingProxyType({
    Act.SEE_PEOPLE: Right(Role.AUDITOR, (PEOPLE_READ, PEOPLE_WRITE, FACTORS_WRITE)),
    Act.ADD_PERSON: Right(Role.HELPDESK, (PEOPLE_WRITE,)),
    Act.VOUCH: Right(Role.HELPDESK, (FACTORS_WRITE,)),
    Act.EDIT_PERSON: Right(Role.HELPDESK, (PEOPLE_WRITE,)),
    Act.SET_GROUPS: Right(Role.ADMIN, (PEOPLE_WRITE,)),
    Act.UNLOCK: Right(Role.HELPDESK, (PEOPLE_WRITE,)),
    Act.END_SESSIONS: Right(Role.HELPDESK, (PEOPLE_WRITE,)),
    Act.FREEZE: Right(Role.HELPDESK, (PEOPLE_WRITE,)),
    Act.DISABLE: Right(Role.HELPDESK, (PEOPLE_WRITE,)),
    Act.REMOVE_PERSON: Right(Role.ADMIN, (PEOPLE_WRITE,)),
    Act.INVITE: Right(Role.HELPDESK, (PEOPLE_WRITE,)),
    Act.RESET: Right(Role.HELPDESK, (FACTORS_WRITE,)),
    Act.SET_PASSWORD: Right(Role.ADMIN, (FACTORS_WRITE,)),
    Act.RECOVER: Right(Role.HELPDESK, (FACTORS_WRITE,)),
    Act.GIVE_AUTHENTICATOR: Right(Role.ADMIN, (FACTORS_WRITE,)),
    Act.REMOVE_AUTHENTICATOR: Right(Role.HELPDESK, (FACTORS_WRITE,)),
    Act.SEE_CLIENTS: Right(Role.AUDITOR, (CLIENTS_READ, CLIENTS_WRITE)),
    Act.CHANGE_CLIENTS: Right(Role.ADMIN, (CLIENTS_WRITE,)),
    Act.SEE_POLICY: Right(Role.AUDITOR, (POLICY_READ,)),
    Act.CHANGE_KEYS: Right(Role.ADMIN, (KEYS_WRITE,)),
    Act.SEE_SENDING: Right(Role.AUDITOR, (SENDING_READ, SENDING_WRITE)),
    Act.CHANGE_SENDING: Right(Role.HELPDESK, (SENDING_WRITE,)),
    Act.SEE_AUDIT: Right(Role.AUDITOR, (AUDIT_READ,)),
    # Whoever brings or takes password hashes in bulk is at a shell.
    Act.IMPORT: Right(Role.ADMIN, ()),
    Act.EXPORT: Right(Role.ADMIN, ()),
})  # fmt: skip

_READS = frozenset({
    Act.SEE_PEOPLE,
    Act.SEE_CLIENTS,
    Act.SEE_POLICY,
    Act.SEE_SENDING,
    Act.SEE_AUDIT,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Denied:
    """Why an operator may not do it, in a sentence for them. `scopes`: with one of these they might."""

    why: str
    scopes: tuple[str, ...] = ()


def denied(
    operator: Operator,
    act: Act,
    policy: Policy,
    *,
    on: Collection[str] | None = None,
    into: Collection[str] = (),
    scopes: Collection[str] = (),
) -> Denied | None:
    """Why this operator may not do this; None if they may.

    `on`: the groups of whom it is done to, if it is done to somebody; `into`: groups that it puts them into. Nobody but
    an administrator changes somebody who has a role, or gives one: a helpdesk that could do so would have every role.
    `scopes` are those that an application has or gets, to which it is done: no machine gives itself what it lacks.
    """
    if operator.scopes is None:
        return None
    right, role = RIGHTS[act], operator.role
    # For a machine its row in the policy is the operator's word, as the role is for a person.
    if not operator.is_machine:
        if operator.account_id is None or role is None:
            return Denied(f"You have no role that may {act}: an administrator gives one, by a group of the policy.")
        if role < right.role:
            return Denied(f"The role {role.name.lower()} may not {act}: it takes {right.role.name.lower()}.")
    if operator.scopes.isdisjoint(right.scopes):
        needed = " or ".join(right.scopes[:1]) or "a shell on the provider's own machine"
        return Denied(f"To {act} needs {needed}.", right.scopes)
    if act in _READS:
        return None
    if operator.is_machine and (ours := sorted(scope for scope in scopes if scope.startswith(OURS))):
        return Denied(f"No machine may {act} that may ask for {' '.join(ours)}: an administrator does.")
    for groups, what in ((on or (), "somebody who has the role"), (into, "a group that gives the role")):
        theirs = policy.role_of(groups)
        if theirs is not None and role is not Role.ADMIN:
            return Denied(f"Only an administrator may {act}: it is for {what} {theirs.name.lower()}.")
    return None
