"""Who does an operator's work: somebody at a shell, a person with a role, or a machine. What each may is policy."""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID


class Role(IntEnum):
    """What members of a group may do for others, least first."""

    AUDITOR = 1
    HELPDESK = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Operator:
    """Who does an operator's work. `name` stands in the audit row of everything that is done.

    A person has an `account_id` and, while a group gives them one, a `role`; a machine only the `client_id` by which a
    person comes too. `scopes` are what was granted or proved for this work; None is a shell of the provider's own
    machine, where nothing could be forbidden.
    """

    name: str | None = None
    role: Role | None = None
    account_id: UUID | None = None
    client_id: str | None = None
    scopes: frozenset[str] | None = frozenset()

    @property
    def key(self) -> str | None:
        """Who it is, whatever they are called by then; None of a shell."""
        if self.account_id is not None:
            return f"person:{self.account_id}"
        return None if self.client_id is None else f"client:{self.client_id}"

    @property
    def is_machine(self) -> bool:
        """Whether a client works for itself, with no person."""
        return self.scopes is not None and self.account_id is None and self.client_id is not None


SHELL = Operator(scopes=None)
NOBODY = Operator()

# A process of the provider's own machine works for its operator; whoever is at the door of the network is nobody, until
# a room of theirs says who it is.
OPERATOR: ContextVar[Operator] = ContextVar("operator", default=SHELL)
