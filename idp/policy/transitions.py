"""Every change by which what a person can prove grows, shrinks or is reset: one table, which the flows execute.

Each row closes holes of the threats: 1 (a new app), 2 (replacing and removing), 4 (recovery), 8 (phones and addresses)
and 11 (lock-out as a weapon: no row closes anything for a stranger). `idp policy audit` searches this very table.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from idp.assurance import Proof
from idp.model import AssuranceLevel, Authenticator, Change, Factor
from idp.policy.changes import (
    Case,
    Condition,
    Counts,
    Ends,
    Guard,
    May,
    NeedsProof,
    Transition,
    Vouched,
    Way,
    permitted,
)
from idp.policy.facts import Facts, Refuse, shut
from idp.policy.table import Policy
from idp.policy.view import is_fresh

LONGER = 2
"""Holds of what a phone or an address brings with less than it takes to replace an app (threat 8: a longer hold)."""


def _enabled(case: Case) -> Refuse | None:
    if not case.account.disabled:
        return None
    return Refuse("access_denied", "This account cannot sign in", f"account {case.account.id} is disabled")


def _open(case: Case) -> Refuse | None:
    return shut(case.account, case.now)


ENABLED = Guard("the account is not disabled", _enabled)
OPEN = Guard("the account is not frozen, nor closed after a recovery", _open)


def _fresh(case: Case, proof: Proof) -> bool:
    return is_fresh(proof.event, case.age, case.facts)


def _sure(case: Case, proof: Proof) -> bool:
    return not case.is_doubted(proof)


def _theirs(case: Case, proof: Proof) -> bool:
    return proof.event.factor is Factor.PASSWORD or case.by(proof) is not None


FRESHLY = Counts("proved on our own pages, as freshly as the scope says", _fresh)
SURELY = Counts("no text message whose SIM is in doubt", _sure)
STILL_THEIRS = Counts("by an authenticator that is still there, so never by e-mail", _theirs)
PROVED = (FRESHLY, SURELY, STILL_THEIRS)


def _made_by(case: Case, factor: Factor) -> list[tuple[Proof, Authenticator]]:
    return [(proof, by) for proof in case.proofs if (by := case.by(proof)) is not None and by.factor is factor]


def _second(case: Case) -> bool:
    return any(proof.event.factor is not Factor.PASSWORD for proof in case.proofs)


def _strong(case: Case) -> bool:
    return any(
        proof.level >= AssuranceLevel.STRONG and (by := case.by(proof)) is not None and case.trusted(by, proof.event.at)
        for proof in case.proofs
    )


def _held(case: Case, of: frozenset[UUID]) -> bool:
    return any((by := case.by(proof)) is not None and by.id in case.strong & of for proof in case.proofs)


def _code(case: Case) -> bool:
    return any(case.trusted(by, proof.event.at) for proof, by in _made_by(case, Factor.RECOVERY))


def _phone(case: Case) -> bool:
    return any(case.trusted(by, proof.event.at) for proof, by in _made_by(case, Factor.SMS))


def _password(case: Case) -> bool:
    return any(proof.event.factor is Factor.PASSWORD for proof in case.proofs)


def _none_lately(case: Case) -> bool:
    """One that was there lately counts as there: removing it with a saved code must not end the hold that follows."""
    return not any(
        case.is_strong(each) and (each.closed_at is None or _follows(case, each, each.closed_at))
        for each in case.facts.authenticators
    )


def _follows(case: Case, removed: Authenticator, closed_at: datetime) -> bool:
    """Whether a removed one still holds up what follows it: for the hold, and that from when its owner was told."""
    told = removed.trusted_at is not None and removed.trusted_at <= case.now
    return closed_at > case.now - case.policy.enrolment.hold or not told


BY_STRONG = Condition("a trusted app", _strong)
BY_SECOND = Condition("any second factor", _second)
BY_CODE = Condition("a trusted saved code", _code)
BY_HELD = Condition("an app on hold", lambda case: _held(case, case.strong))
BY_ITSELF = Condition("that app itself", lambda case: case.target is not None and _held(case, frozenset({case.target})))
PASSWORD = Condition("the password", _password)
PHONE = Condition("a trusted phone", _phone)
NO_APP = Condition("there is no app", lambda case: not case.strong)
NO_APP_LATELY = Condition("there was no app lately", _none_lately)
MAILBOX = Condition("a link that was mailed", lambda case: case.vouched is Vouched.MAILBOX)
LASTING = Condition("its address past its hold", lambda case: case.account.lasting(case.now))
OPERATOR = Condition("an operator", lambda case: case.vouched is Vouched.OPERATOR)

_BEST = (Way((BY_STRONG,)), Way((PASSWORD, PHONE, BY_CODE, NO_APP_LATELY)))


def _else(holds: int, *, closes: bool = False) -> tuple[Way, ...]:
    """What a person has who has less: any second factor while there is no app; then a saved code, or an app on hold."""
    return tuple(Way(when, holds, closes) for when in ((NO_APP, BY_SECOND), (BY_CODE,), (BY_HELD,)))


_ADDS = (*_BEST, *_else(1))
_BINDS = (*_BEST, *_else(LONGER))
_REMOVES = tuple(Way(when, 1) for when in ((BY_STRONG,), (NO_APP, BY_SECOND), (BY_CODE,), (BY_ITSELF,)))
_HERE = (OPEN,)  # nobody gets to our own pages whose account is disabled

TRANSITIONS: Mapping[Change, Transition] = MappingProxyType(
    {
        Change.ADD_APP: Transition("adding an authenticator app", _ADDS, _HERE, PROVED),
        Change.REMOVE_APP: Transition("removing an authenticator app", _REMOVES, _HERE, PROVED, Ends.OTHERS),
        Change.RENEW_CODES: Transition("making new recovery codes", _ADDS, _HERE, PROVED, Ends.OTHERS),
        Change.ADD_PHONE: Transition("adding a phone", _BINDS, _HERE, PROVED),
        Change.REPLACE_PHONE: Transition("replacing a phone", _BINDS, _HERE, PROVED, Ends.OTHERS),
        Change.REMOVE_PHONE: Transition("removing a phone", _BINDS, _HERE, PROVED, Ends.OTHERS),
        Change.CHANGE_EMAIL: Transition("changing the e-mail address", _BINDS, _HERE, PROVED),
        Change.VERIFY_EMAIL: Transition("verifying an e-mail address", (Way((MAILBOX,)),), (ENABLED, OPEN)),
        Change.REMOVE_EMAIL: Transition("removing the e-mail address", _BINDS, _HERE, PROVED),
        Change.CHANGE_PASSWORD: Transition(
            "changing the password",
            (Way((BY_STRONG,)), *_else(0, closes=True)),
            _HERE,
            PROVED,
            Ends.OTHERS,
            scope="password:write",
        ),
        Change.RESET_PASSWORD: Transition(
            "resetting a forgotten password",
            (
                Way((MAILBOX, BY_STRONG)),
                *(
                    Way((MAILBOX, LASTING, *when), closes=True)
                    for when in ((NO_APP, BY_SECOND), (BY_CODE,), (BY_HELD,))
                ),
            ),
            (ENABLED,),
            PROVED,
            Ends.EVERYTHING,
            recovers=True,
        ),
        Change.FREEZE: Transition(
            "freezing an account", (Way((MAILBOX,)), Way((OPERATOR,))), ends=Ends.EVERYTHING, freezes=True
        ),
        Change.OPERATOR_ADDS: Transition("an operator adds an authenticator", (Way((OPERATOR,)),)),
        Change.OPERATOR_REPLACES: Transition(
            "an operator replaces an authenticator", (Way((OPERATOR,)),), ends=Ends.EVERYTHING
        ),
        Change.OPERATOR_REMOVES: Transition(
            "an operator removes an authenticator", (Way((OPERATOR,)),), ends=Ends.EVERYTHING
        ),
        Change.OPERATOR_SETS_PASSWORD: Transition(
            "an operator sets or resets the password", (Way((OPERATOR,)),), ends=Ends.EVERYTHING
        ),
        Change.OPERATOR_INVITES: Transition("an operator invites", (Way((OPERATOR,)),)),
        Change.OPERATOR_RECOVERS: Transition(
            "an operator recovers an account", (Way((OPERATOR,), closes=True),), ends=Ends.EVERYTHING, recovers=True
        ),
    }
)


def permission(
    facts: Facts,
    policy: Policy,
    *,
    change: Change,
    target: UUID | None = None,
    vouched: Vouched = Vouched.NOBODY,
) -> May | NeedsProof | Refuse:
    """What the table says; see `changes.permitted`."""
    return permitted(TRANSITIONS, facts, policy, change=change, target=target, vouched=vouched)
