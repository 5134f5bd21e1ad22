"""What the proofs of a session amount to. Pure: no clock, no database, no HTTP, and no rule about what is needed."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from idp.model import (
    SECOND,
    TRAITS,
    AssuranceLevel,
    AuthenticationContext,
    AuthenticationEvent,
    Authenticator,
    Factor,
)


class Proof(NamedTuple):
    """An event that counts, and the level it gives on top of what came before.

    `amr` are its names for clients. `in_full`: it gives all that its factor can give. Only then a client hears them:
    whoever looks for `otp` in `amr` must not find an app that its `acr` does not count, of another client's step-up or
    on hold.
    """

    event: AuthenticationEvent
    level: AssuranceLevel
    in_full: bool = True
    amr: tuple[str, ...] = ()


def is_both(event: AuthenticationEvent) -> bool:
    """Whether this one proof is two factors: something that one has, which asked for what one knows or is."""
    return event.factor is Factor.PASSKEY and event.verified


def is_trusted(authenticator: Authenticator, *, at: datetime) -> bool:
    """Whether a proof by this authenticator at that time has its full weight: confirmed, open and past its hold."""
    if authenticator.confirmed_at is None or authenticator.closed_at is not None:
        return False
    return authenticator.trusted_at is not None and authenticator.trusted_at <= at


def lift(
    factor: Factor,
    authenticator: Authenticator | None,
    *,
    at: datetime,
    lifts: Mapping[Factor, AssuranceLevel],
    proved_in: UUID | None,
    deciding: UUID | None,
    closed_until: datetime | None = None,
) -> AssuranceLevel:
    """What one second factor gives at `at`, proved inside `proved_in`, to the interaction `deciding`.

    `NONE` from an authenticator enrolled inside `deciding`; never above `TWO_FACTOR` from one that is gone, closed,
    on hold, or was enrolled in the very interaction of the proof (design 5, the enrolment hole), nor before
    `closed_until` of the account.
    """
    level = lifts.get(factor, AssuranceLevel.NONE)
    if authenticator is not None and authenticator.enrolled_in is not None and authenticator.enrolled_in == deciding:
        return AssuranceLevel.NONE
    if level <= AssuranceLevel.TWO_FACTOR:
        return level
    if (
        authenticator is None
        or not is_trusted(authenticator, at=at)
        or (closed_until is not None and at < closed_until)
    ):
        return AssuranceLevel.TWO_FACTOR
    if authenticator.enrolled_in is not None and authenticator.enrolled_in == proved_in:
        return AssuranceLevel.TWO_FACTOR
    if level is AssuranceLevel.PHISHING_RESISTANT and _is_attested(authenticator):
        return AssuranceLevel.HARDWARE_BOUND
    return level


def _is_attested(authenticator: Authenticator) -> bool:
    return authenticator.passkey is not None and authenticator.passkey.attested


def _amr(factor: Factor, authenticator: Authenticator | None) -> tuple[str, ...]:
    # RFC 8176 2: `hwk` where a maker that the operator named says so; of others nobody knows, and `swk` says less
    names = TRAITS[factor].amr
    if authenticator is None or not _is_attested(authenticator):
        return names
    return tuple("hwk" if name == "swk" else name for name in names)


def weigh(
    events: Iterable[AuthenticationEvent],
    authenticators: Iterable[Authenticator],
    *,
    account_id: UUID,
    client_id: str,
    interaction_id: UUID | None,
    lifts: Mapping[Factor, AssuranceLevel],
    closed_until: datetime | None = None,
) -> tuple[Proof, ...]:
    """The proofs of one person that count for one client, oldest first.

    A second factor counts only after a password, or by itself where it is both. Made for another client it counts, but
    not above `TWO_FACTOR`: signing in is shared between applications, elevation is not (promise 4).
    """
    enrolled = {authenticator.id: authenticator for authenticator in authenticators}
    proofs: list[Proof] = []
    for event in sorted(events, key=attrgetter("at")):
        if event.account_id != account_id:
            continue
        if event.factor is Factor.PASSWORD:
            proofs.append(Proof(event, AssuranceLevel.ONE_FACTOR, amr=_amr(event.factor, None)))
        elif proofs or is_both(event):
            by = None if event.authenticator_id is None else enrolled.get(event.authenticator_id)
            level = lift(
                event.factor,
                by,
                at=event.at,
                lifts=lifts,
                proved_in=event.interaction_id,
                deciding=interaction_id,
                closed_until=closed_until,
            )
            if event.client_id != client_id:
                level = min(level, AssuranceLevel.TWO_FACTOR)
            if level is not AssuranceLevel.NONE:
                in_full = level >= lifts[event.factor]
                proofs.append(Proof(event, level, in_full, _amr(event.factor, by)))
    return tuple(proofs)


def amount_to(
    proofs: tuple[Proof, ...], acrs: Mapping[AssuranceLevel, str], *, asserted: AssuranceLevel | None = None
) -> AuthenticationContext | None:
    """The context that weighed proofs make, None without any. `acr` is the level's own, empty below `TWO_FACTOR`.

    `asserted` is the level that the client is told, at most the one reached; without it, that one. `amr` and
    `auth_time` are those of two proofs, the last password (or what needs none) and the last that gives what is
    asserted, and no others: everything that `amr` names was proved at `auth_time` or later (promise 10).
    """
    if not proofs:
        return None
    level = max(proof.level for proof in proofs)
    told = level if asserted is None else asserted
    passwords = [proof for proof in proofs if proof.event.factor is Factor.PASSWORD]
    first = (passwords or [proof for proof in proofs if is_both(proof.event)])[-1]
    giving = next(proof for proof in reversed(proofs) if proof.level >= told)
    named = {proof.event.factor: proof.amr for proof in (first, giving) if proof.in_full}
    amr = [name for factor in Factor for name in named.get(factor, ())]
    if told >= AssuranceLevel.TWO_FACTOR:
        amr.append("mfa")
    strong = [proof.event.at for proof in proofs if proof.level >= AssuranceLevel.STRONG]
    return AuthenticationContext(
        level=level,
        acr=_acr(told, acrs),
        amr=tuple(amr),
        # OIDC Core 2, RFC 9470 6.2: the client measures the age of what `acr` says by it
        auth_time=min(first.event.at, giving.event.at),
        strong_at=strong[-1] if strong else None,
        proofs=tuple(proof.event for proof in proofs),
    )


def _acr(told: AssuranceLevel, acrs: Mapping[AssuranceLevel, str]) -> str:
    """The name of the level, or of the next one below that has a name."""
    return acrs[max(named)] if (named := [level for level in acrs if level <= told]) else ""


def context_of(
    events: Iterable[AuthenticationEvent],
    authenticators: Iterable[Authenticator],
    *,
    account_id: UUID,
    client_id: str,
    interaction_id: UUID | None,
    lifts: Mapping[Factor, AssuranceLevel],
    acrs: Mapping[AssuranceLevel, str],
) -> AuthenticationContext | None:
    """What these events amount to for one person, client and interaction; None before a password."""
    proofs = weigh(
        events,
        authenticators,
        account_id=account_id,
        client_id=client_id,
        interaction_id=interaction_id,
        lifts=lifts,
    )
    return amount_to(proofs, acrs)


def within_reach(
    authenticators: Iterable[Authenticator],
    *,
    interaction_id: UUID | None,
    lifts: Mapping[Factor, AssuranceLevel],
    now: datetime,
    mailbox: bool = False,
    closed_until: datetime | None = None,
) -> dict[Factor, AssuranceLevel]:
    """What a person could prove right now and what it would give: by text message, by app, by e-mail, by a saved code.

    A code by e-mail is for who has a verified address (`mailbox`). What comes first on a page is the policy's business.
    """
    found: dict[Factor, AssuranceLevel] = {}
    if mailbox and Factor.EMAIL in lifts:
        found[Factor.EMAIL] = lifts[Factor.EMAIL]
    for authenticator in authenticators:
        if authenticator.confirmed_at is None or authenticator.closed_at is not None or authenticator.remaining == 0:
            continue
        factor = authenticator.factor
        level = lift(
            factor,
            authenticator,
            at=now,
            lifts=lifts,
            proved_in=interaction_id,
            deciding=interaction_id,
            closed_until=closed_until,
        )
        if level > found.get(factor, AssuranceLevel.NONE):
            found[factor] = level
    return {factor: found[factor] for factor in SECOND if factor in found}
