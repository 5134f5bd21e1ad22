"""Who works for the operator by the API: told from an access token, in one statement, as they are at this moment."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp import limits
from idp.crypto import digest
from idp.errors import TooMany
from idp.flows.idp import INTERNAL, Idp
from idp.limits import LimitState
from idp.model import Client, Grant, Holder, Operator
from idp.oidc import tokens
from idp.oidc.errors import Challenged
from idp.oidc.tokens import AccessToken
from idp.policy import OPERATING, recheck, still_fresh
from idp.store.tokens import grants

_CALLERS = 1000  # that are remembered before those who stopped are forgotten


@dataclass(frozen=True, slots=True)
class Caller:
    """An operator, and what their token says beyond what it permits now: `lapsed` scopes take a newer proof."""

    operator: Operator
    lapsed: frozenset[str]


async def caller(idp: Idp, presented: str) -> Caller:
    """Whose token this is, with the role that their groups give them now.

    Raises `Challenged` (RFC 6750 3.1), and `TooMany` for who calls more often than the policy says.

    Nothing of a token is believed that its grant, its client, the policy and the person do not bear out today.
    """
    now = idp.clock.now()
    # A token that was looked at and has to wait costs no other look: by its whole text, so that nobody else waits.
    text = digest(presented)
    if (until := idp.api_waits.get(text)) is not None and until > now:
        raise TooMany(until - now)
    try:
        return await _looked_at(idp, presented, now=now)
    except TooMany as error:
        if len(idp.api_waits) >= _CALLERS:
            idp.api_waits = {}  # who waits is looked at once more
        idp.api_waits[text] = now + error.retry_after
        raise


async def _looked_at(idp: Idp, presented: str, *, now: datetime) -> Caller:
    access = tokens.read_access_token(presented, keys=idp.keys, issuer=idp.issuer, now=now)
    # RFC 9068 4: a token for somebody else's API is not for us
    if idp.issuer not in access.audience:
        raise tokens.invalid_token(detail="not for the API")
    # What is worth nothing any more is counted by itself: whoever stole it slows nobody down who has another.
    whose, stolen = (access.client_id, access.account_id), (access.client_id, access.grant_id)
    for each in (whose, stolen):
        _pace(idp, each, now=now)
    try:
        found = await _borne_out(idp, access, now=now)
    except Challenged:
        _count(idp, stolen, now=now)
        raise
    _count(idp, whose, now=now)
    return found


async def _borne_out(idp: Idp, access: AccessToken, *, now: datetime) -> Caller:
    """What the grant, the client, the policy and the person say of the token today. Raises `Challenged`."""
    found = await grants.held(idp.db, grant_id=access.grant_id)
    client = idp.registered(access.client_id)
    if found is None or found[0].revoked_at is not None or found[0].client_id != access.client_id:
        raise tokens.invalid_token(detail="no such grant, or revoked")
    if client is None or client.disabled or client.id == INTERNAL:
        raise tokens.invalid_token(detail="no such client")
    grant, holder, username = found
    if grant.account_id is None:
        return Caller(_machine(idp, client, grant, access), frozenset())
    if holder is None or username is None or holder.disabled:
        raise tokens.invalid_token(detail="nobody, or kept out")
    asked = access.scopes & OPERATING
    # Promise 2: from the stored proofs, and their age is looked at here, too
    may = frozenset(still_fresh(grant, recheck(grant, client, holder, asked, idp.policy, now), idp.policy, now))
    return Caller(_person(idp, client, holder, username, may), asked & client.scopes - may)


def _pace(idp: Idp, key: tuple[str, UUID | None], *, now: datetime) -> LimitState:
    """What is counted if they ask now. Raises `TooMany`. Counted in this process alone, which costs no statement."""
    limit = idp.limits.api_calls
    match limits.charge(limit, idp.api_calls.get(key), now=now):
        case limits.Charged(state):
            return state
        case limits.Refused(retry_after):
            raise TooMany(retry_after)
        case limits.Closed():
            raise TooMany(limit.span)


def _count(idp: Idp, key: tuple[str, UUID | None], *, now: datetime) -> None:
    """Go on if they may ask already, which others may have used up meanwhile. Raises `TooMany`."""
    idp.api_calls[key] = _pace(idp, key, now=now)
    if len(idp.api_calls) > _CALLERS:
        keep = idp.limits.api_calls.keep
        idp.api_calls = {one: kept for one, kept in idp.api_calls.items() if now - kept.last_at < keep}


def _machine(idp: Idp, client: Client, grant: Grant, access: AccessToken) -> Operator:
    may = access.scopes & frozenset(grant.scopes) & client.scopes & idp.policy.for_machines() & OPERATING
    return Operator(f"client:{client.id}", None, None, client.id, may)


def _person(idp: Idp, client: Client, holder: Holder, username: str, scopes: frozenset[str]) -> Operator:
    role = idp.policy.role_of(holder.groups)
    return Operator(f"person:{username}", role, holder.account_id, client.id, scopes)


def step_up(idp: Idp, scope: str) -> Challenged:
    """The proof behind this scope is too weak or too old: what has to be proved anew (RFC 9470 3)."""
    rule = idp.policy.scopes[scope]
    needed = [f'acr_values="{idp.policy.acr_of(rule.level)}"']
    if rule.fresh is not None:
        needed.append(f"max_age={int(rule.fresh.total_seconds())}")
    said = "A newer or stronger proof of who you are is needed."
    error = f'error="insufficient_user_authentication", error_description="{said}"'
    return Challenged(
        "insufficient_user_authentication",
        said,
        www_authenticate=f'Bearer realm="api", {error}, {", ".join(needed)}, scope="{scope}"',
        status=401,
    )


def insufficient(scope: str) -> Challenged:
    """The token was not given this scope (RFC 6750 3.1)."""
    said = f"The access token lacks the scope {scope}."
    error = f'error="insufficient_scope", error_description="{said}", scope="{scope}"'
    return Challenged("insufficient_scope", said, www_authenticate=f'Bearer realm="api", {error}', status=403)
