"""What a grant still permits when its code is redeemed or its refresh token used. Pure; revoking is elsewhere."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from idp.model import TRAITS, AssuranceLevel, Client, Factor, Grant, Holder
from idp.policy.lifetimes import LONGEST_INTERACTION
from idp.policy.table import Policy, ScopeRule

LONGEST_CODE = timedelta(minutes=10)
"""A fresh scope is handed out this long after the person proved it at most (RFC 6749 4.1.2: a code's longest life)."""


def recheck(
    grant: Grant,
    client: Client,
    holder: Holder,
    scopes: Iterable[str],
    policy: Policy,
    now: datetime,
    *,
    refreshing: bool = False,
) -> tuple[str, ...]:
    """Those of `scopes` that this grant permits now, from its stored proofs; never more than was granted.

    Empty when nothing is: a disabled or another account, a revoked grant, fewer than two factors, less than the
    person's groups or the client's registration need today, or a client that is for other groups. Without what the
    client is no longer registered for and, with `refreshing`, without the scopes a refresh token may not carry.
    """
    policy = policy.of(holder.groups)
    if _is_stopped(grant, client, holder, policy):
        return ()
    kept = []
    for scope in scopes:
        rule = policy.scope_rule(scope)
        if (
            rule is None
            or not rule.people
            or scope not in client.scopes
            or scope not in grant.scopes
            or (refreshing and not rule.refresh)
        ):
            continue
        if _is_proved(grant, rule.level, holder, policy) and _is_fresh(grant, rule, now):
            kept.append(scope)
    return tuple(kept)


def _by_what_counts(grant: Grant, policy: Policy) -> bool:
    """Whether the second factor is one that counts for the person's groups today, as far as the grant names it.

    What `amr` does not name was a saved code, or something on hold (RFC 8176; `assurance.Proof.in_full`).
    """
    named = set(grant.amr).difference(TRAITS[Factor.PASSWORD].amr, ("mfa",))
    if not named:
        return any(TRAITS[factor].once or TRAITS[factor].strong for factor in policy.factors)
    return any(not named.isdisjoint(TRAITS[factor].amr) for factor in policy.factors)


def still_approved(grant: Grant, client: Client, holder: Holder, policy: Policy, now: datetime) -> bool:
    """Whether what was approved may be told to its client now, by the proof that it took; true where nothing was."""
    approved = grant.approved
    if approved is None:
        return True
    policy = policy.of(holder.groups)
    if _is_stopped(grant, client, holder, policy) or now - grant.created_at > LONGEST_CODE:
        return False
    if holder.closed_until is not None and grant.created_at < holder.closed_until:
        return False
    known = all(name in client.details_types and name in policy.details for name in approved.types)
    return known and grant.level >= approved.level and _is_proved(grant, approved.level, holder, policy)


def _is_stopped(grant: Grant, client: Client, holder: Holder, policy: Policy) -> bool:
    ended = holder.disabled or grant.revoked_at is not None or grant.account_id != holder.account_id
    if ended or grant.level < policy.floor_of(holder.groups) or not is_for(client, holder.groups):
        return True
    if not _is_proved(grant, client.level, holder, policy):
        return True
    return not holder.groups.isdisjoint(policy.only) and not _by_what_counts(grant, policy)


def is_for(client: Client, groups: frozenset[str]) -> bool:
    """Whether a member of these groups may use the client at all."""
    return not client.groups or not client.groups.isdisjoint(groups)


def _is_proved(grant: Grant, level: AssuranceLevel, holder: Holder, policy: Policy) -> bool:
    """Whether the level was reached, and for a strong one by an authenticator the person still has."""
    if level <= AssuranceLevel.TWO_FACTOR:
        return True
    strong_at = grant.strong_at
    if grant.level < level or strong_at is None:
        return False
    if holder.closed_until is not None and strong_at < holder.closed_until:
        return False
    # No factor gives more by itself: that its key is bound to hardware is said of one passkey, and stands in the grant.
    least = min(level, AssuranceLevel.PHISHING_RESISTANT)
    return any(
        since <= strong_at
        for factor, since in holder.trusted.items()
        if policy.factors.get(factor, AssuranceLevel.NONE) >= least
    )


def still_fresh(grant: Grant, scopes: Iterable[str], policy: Policy, now: datetime) -> tuple[str, ...]:
    """Those of `scopes` whose proof is at this moment no older than their rows say, as our own API looks at it.

    What has to be proved in one request ("always") is fresh as long as its token lives.
    """
    kept = []
    for scope in scopes:
        rule = policy.scope_rule(scope)
        if rule is None:
            continue
        proved_at = grant.strong_at if rule.level > AssuranceLevel.TWO_FACTOR else grant.fresh_at
        if not rule.fresh or (proved_at is not None and now - proved_at <= rule.fresh):
            kept.append(scope)
    return tuple(kept)


def _is_fresh(grant: Grant, rule: ScopeRule, now: datetime) -> bool:
    """Whether the proof was fresh when the scope was granted, and the grant is no older than a code can be."""
    if rule.fresh is None:
        return True
    proved_at = grant.strong_at if rule.level > AssuranceLevel.TWO_FACTOR else grant.fresh_at
    if proved_at is None or now - grant.created_at > LONGEST_CODE:
        return False
    return grant.created_at - proved_at <= (rule.fresh or LONGEST_INTERACTION)
