"""What a proof uses up and must find unchanged, as CTEs for the one statement that records it. `proofs` runs it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, assert_never
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    and_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
    true,
    update,
)

from idp.model import Factor, Swap
from idp.store.schema import Time, account, authenticator, challenge, interaction, recovery_code, session
from idp.store.spending import proving

_now: ColumnElement[datetime] = bindparam("now", type_=Time)
_one = literal_column("1", Integer)


@dataclass(frozen=True, slots=True)
class Compared:
    """The password: the hash that it was compared with, which must be the person's still."""

    factor: ClassVar[Factor] = Factor.PASSWORD
    authenticator_id: ClassVar[None] = None
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Texted:
    """A code by text message to this phone: that of the question with this nonce."""

    factor: ClassVar[Factor] = Factor.SMS
    authenticator_id: UUID
    nonce: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mailed:
    """A code by e-mail, of the question with this nonce: where it went must be the person's verified address still."""

    factor: ClassVar[Factor] = Factor.EMAIL
    authenticator_id: ClassVar[None] = None
    mailbox: str = field(repr=False)
    nonce: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """A code of this app: that of the time step, which no later proof may use."""

    factor: ClassVar[Factor] = Factor.TOTP
    authenticator_id: UUID
    step: int


@dataclass(frozen=True, slots=True)
class Saved:
    """One of this set of recovery codes, by its hash."""

    factor: ClassVar[Factor] = Factor.RECOVERY
    authenticator_id: UUID
    code_hash: bytes = field(repr=False)


Evidence = Compared | Texted | Mailed | Step | Saved


def evidence_values(evidence: Evidence) -> dict[str, Any]:
    """The values that `locking` and `consuming` bind for it."""
    match evidence:
        case Compared(password_hash):
            return {"compared_hash": password_hash}
        case Texted(_, nonce):
            return {"nonce": nonce}
        case Mailed(mailbox, nonce):
            return {"mailbox": mailbox, "nonce": nonce}
        case Step(_, step):
            return {"step": step}
        case Saved(_, code_hash):
            return {"recovery_hash": code_hash}
        case _:
            assert_never(evidence)


def any_of(cte: CTE) -> ColumnElement[bool]:
    """Whether the CTE found or did anything."""
    return exists(select(_one).select_from(cte))


def _same_password() -> CTE:
    """The person, if the password that was compared is still theirs: who changes it waits, or we wait and look again.

    Before the session, as whoever changes a password and then ends the sessions locks them.
    """
    return (
        select(account.c.id)
        .where(
            account.c.id == bindparam("account_id", type_=Uuid),
            account.c.password_hash == bindparam("compared_hash", type_=Text),
            account.c.disabled_at.is_(None),
        )
        .with_for_update(read=True)
        .cte("same_password")
    )


def _same_mailbox() -> CTE:
    """The person, if the code went to what is still their verified address. Who changes it waits, as for a password."""
    return (
        select(account.c.id)
        .where(
            account.c.id == bindparam("account_id", type_=Uuid),
            account.c.email == bindparam("mailbox", type_=Text),
            account.c.email_verified,
            account.c.disabled_at.is_(None),
        )
        .with_for_update(read=True)
        .cte("same_mailbox")
    )


def _unchanged(factor: Factor) -> ColumnElement[bool]:
    """Whether what the proof was compared with is still the person's."""
    match factor:
        case Factor.PASSWORD:
            return any_of(_same_password())
        case Factor.EMAIL:
            return any_of(_same_mailbox())
        case _:
            return true()


def locking(factor: Factor) -> CTE:
    """The session, if it still has the token the browser showed, and the interaction: both ours until we are done."""
    its_session = (
        select(session.c.id)
        .where(
            session.c.id == bindparam("session_id", type_=Uuid),
            session.c.token_hash == bindparam("old_token", type_=LargeBinary),
            session.c.ended_at.is_(None),
            or_(session.c.account_id.is_(None), session.c.account_id == bindparam("account_id", type_=Uuid)),
            _unchanged(factor),
        )
        .with_for_update()
        .cte("locked_session")
    )
    return (
        select(interaction.c.id)
        .where(
            interaction.c.id == bindparam("interaction_id", type_=Uuid),
            interaction.c.session_id == bindparam("session_id", type_=Uuid),
            interaction.c.finished_at.is_(None),
            interaction.c.expires_at > _now,
            any_of(its_session),
        )
        .with_for_update(key_share=True)
        .cte("locked")
    )


def consuming(factor: Factor, locked: CTE) -> tuple[CTE, ...]:
    """What makes this proof possible once; the first CTE has a row for exactly one caller."""
    ours = and_(
        challenge.c.interaction_id == bindparam("interaction_id", type_=Uuid),
        challenge.c.factor == bindparam("factor", type_=Text),
        challenge.c.account_id == bindparam("account_id", type_=Uuid),
        challenge.c.consumed_at.is_(None),
    )
    match factor:
        case Factor.PASSWORD:
            return (locked,)
        case Factor.EMAIL:
            used = (
                update(challenge)
                .where(
                    ours,
                    challenge.c.nonce == bindparam("nonce", type_=LargeBinary),
                    challenge.c.expires_at > _now,
                    any_of(locked),
                )
                .values(consumed_at=_now)
                .returning(challenge.c.factor, challenge.c.address_places)
                .cte("used")
            )
            return (used,)
        case Factor.SMS:
            used = (
                update(challenge)
                .where(
                    ours,
                    challenge.c.nonce == bindparam("nonce", type_=LargeBinary),
                    challenge.c.authenticator_id == bindparam("authenticator_id", type_=Uuid),
                    challenge.c.expires_at > _now,
                    # Threat 9: it may have become known since the attempt was spent.
                    challenge.c.swap.is_distinct_from(literal_column(f"'{Swap.SWAPPED}'", Text)),
                    _open_authenticator(),
                    any_of(locked),
                )
                .values(consumed_at=_now)
                .returning(challenge.c.authenticator_id, challenge.c.swap, challenge.c.address_places)
                .cte("used")
            )
            touched = (
                update(authenticator)
                .where(authenticator.c.id == bindparam("authenticator_id", type_=Uuid), any_of(used))
                .values(last_used_at=_now)
                .returning(authenticator.c.id)
                .cte("touched")
            )
            # Spending rules 6 and 7: a number that was texted is verified, for the first time.
            return used, touched, proving(when=any_of(used))
        case Factor.TOTP | Factor.RECOVERY:
            used = _step_used(locked) if factor is Factor.TOTP else _saved_code_used(locked)
            answered = (
                update(challenge)
                .where(ours, any_of(used))
                .values(consumed_at=_now)
                .returning(challenge.c.factor)
                .cte("answered")
            )
            return used, answered


def _step_used(locked: CTE) -> CTE:
    # RFC 6238 5.2: a time step is accepted once; design 6: it only grows
    return (
        update(authenticator)
        .where(
            authenticator.c.id == bindparam("authenticator_id", type_=Uuid),
            authenticator.c.account_id == bindparam("account_id", type_=Uuid),
            authenticator.c.confirmed_at.is_not(None),
            authenticator.c.closed_at.is_(None),
            authenticator.c.last_step < bindparam("step", type_=BigInteger),
            any_of(locked),
        )
        .values(last_step=bindparam("step", type_=BigInteger), last_used_at=_now)
        .returning(authenticator.c.id)
        .cte("used")
    )


def _open_authenticator() -> ColumnElement[bool]:
    """It may have been closed since it was looked up: a lost phone, a set of codes that was replaced."""
    return exists(
        select(_one)
        .select_from(authenticator)
        .where(
            authenticator.c.id == bindparam("authenticator_id", type_=Uuid),
            authenticator.c.account_id == bindparam("account_id", type_=Uuid),
            authenticator.c.confirmed_at.is_not(None),
            authenticator.c.closed_at.is_(None),
        )
    )


def _saved_code_used(locked: CTE) -> CTE:
    return (
        update(recovery_code)
        .where(
            recovery_code.c.hash == bindparam("recovery_hash", type_=LargeBinary),
            recovery_code.c.authenticator_id == bindparam("authenticator_id", type_=Uuid),
            recovery_code.c.used_at.is_(None),
            _open_authenticator(),
            any_of(locked),
        )
        .values(used_at=_now)
        .returning(recovery_code.c.hash)
        .cte("used")
    )
