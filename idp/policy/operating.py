"""What an operator may do, and on whom: acts, roles and scopes as one table. Pure. See docs/administration.md."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from idp.model import Operator, Role
from idp.policy.table import OURS, Policy
from idp.sentences import mark, sentence

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

    SEE_PEOPLE = mark("look at people")
    ADD_PERSON = mark("add a person")
    VOUCH = mark("say how somebody new proves themselves")
    EDIT_PERSON = mark("change what is known of a person")
    SET_GROUPS = mark("change somebody's groups")
    UNLOCK = mark("let somebody try again")
    END_SESSIONS = mark("sign somebody out")
    FREEZE = mark("close an account")
    DISABLE = mark("keep somebody out")
    REMOVE_PERSON = mark("remove a person")
    INVITE = mark("invite somebody")
    RESET = mark("give a link for another password")
    SET_PASSWORD = mark("set a password")
    RECOVER = mark("recover an account")
    GIVE_AUTHENTICATOR = mark("give somebody an authenticator")
    REMOVE_AUTHENTICATOR = mark("remove an authenticator")
    SEE_CLIENTS = mark("look at applications")
    CHANGE_CLIENTS = mark("change applications")
    SEE_POLICY = mark("look at the policy")
    CHANGE_KEYS = mark("change signing keys")
    SEE_SENDING = mark("look at messages and money")
    CHANGE_SENDING = mark("open a number again")
    SEE_AUDIT = mark("read the audit trail")
    IMPORT = mark("import people and applications")
    EXPORT = mark("export everything")


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
    right, role, what = RIGHTS[act], operator.role, sentence(act.value)
    # For a machine its row in the policy is the operator's word, as the role is for a person.
    if not operator.is_machine:
        if operator.account_id is None or role is None:
            return Denied(
                sentence(
                    "You have no role that may %(act)s: an administrator gives one, by a group of the policy.", act=what
                )
            )
        if role < right.role:
            return Denied(
                sentence(
                    "The role %(role)s may not %(act)s: it takes %(other)s.",
                    role=role.name.lower(),
                    act=what,
                    other=right.role.name.lower(),
                )
            )
    if operator.scopes.isdisjoint(right.scopes):
        needed = right.scopes[0] if right.scopes else sentence("a shell on the provider's own machine")
        return Denied(sentence("To %(act)s needs %(needed)s.", act=what, needed=needed), right.scopes)
    if act in _READS:
        return None
    if operator.is_machine and (ours := sorted(scope for scope in scopes if scope.startswith(OURS))):
        return Denied(
            sentence(
                "No machine may %(act)s that may ask for %(scopes)s: an administrator does.",
                act=what,
                scopes=" ".join(ours),
            )
        )
    for groups, whom in (
        (on or (), mark("Only an administrator may %(act)s: it is for somebody who has the role %(role)s.")),
        (into, mark("Only an administrator may %(act)s: it is for a group that gives the role %(role)s.")),
    ):
        theirs = policy.role_of(groups)
        if theirs is not None and role is not Role.ADMIN:
            return Denied(sentence(whom, act=what, role=theirs.name.lower()))
    return None
