"""The token endpoint: codes and refresh tokens become tokens, each exactly once."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

from idp.audit import Authorized, GrantRevoked, TokensIssued
from idp.crypto import digest, random_token
from idp.errors import OAuthError
from idp.flows.idp import Idp, Visitor
from idp.flows.tokens import codes
from idp.flows.tokens.bearer import phone_of
from idp.flows.tokens.clients import authenticate
from idp.model import Client, Grant, Holder
from idp.oidc import claims, client_auth, tokens, userinfo
from idp.oidc import grants as judging
from idp.oidc.grants import GrantType, Reused
from idp.oidc.params import Params
from idp.policy import LONGEST_ACCESS, recheck, still_approved
from idp.store.tokens import codes as stored_codes
from idp.store.tokens import grants, refresh_tokens
from idp.store.tokens.refresh_tokens import OFFLINE


async def token(idp: Idp, authorization: str | None, params: Params, visitor: Visitor) -> dict[str, Any]:
    """The JSON body of a successful token answer. Raises `OAuthError` (RFC 6749 5.2)."""
    client = await authenticate(idp, authorization, params, visitor)
    kind = judging.grant_type(params, client=client, issuer=idp.issuer)
    now = idp.clock.now()
    match kind:
        case GrantType.AUTHORIZATION_CODE:
            return await _redeem(idp, client, params, now=now)
        case GrantType.REFRESH_TOKEN:
            return await _refresh(idp, client, params, now=now)
        case GrantType.CLIENT_CREDENTIALS:
            return await _machine(idp, client, params, now=now)


async def _revoke_reused(idp: Idp, grant: Grant, *, now: datetime) -> OAuthError:
    await grants.revoke(idp.db, grant, audit=GrantRevoked(why="reuse", grant=str(grant.id)), now=now)
    return judging.invalid_grant("used again")


async def _redeem(idp: Idp, client: Client, params: Params, *, now: datetime) -> dict[str, Any]:
    carried = await codes.read(idp, judging.secret_of(params, GrantType.AUTHORIZATION_CODE))
    if carried is None:
        raise judging.invalid_grant("unknown code")
    try:
        grant = judging.check_code(carried.code, client=client, params=params, now=now)
    except OAuthError:
        await _end_if_redeemed(idp, client, carried.code.grant, now=now)
        raise
    refresh_token = random_token() if "refresh_token" in client.grant_types else None
    refreshable = refresh_token is not None and OFFLINE in grant.scopes
    holder = await stored_codes.redeem(
        idp.db,
        grant,
        generation=carried.generation,
        grant_expires_at=now + (idp.policy.tokens.refresh_max if refreshable else LONGEST_ACCESS),
        refresh_hash=None if refresh_token is None else digest(refresh_token),
        refresh_expires_at=now + idp.policy.tokens.refresh,
        audits=(
            Authorized(grant=str(grant.id), scopes=list(grant.scopes), acr=grant.acr or ""),
            TokensIssued(grant=str(grant.id), grant_type="authorization_code", scopes=list(grant.scopes)),
        ),
        now=now,
    )
    if holder is None:
        await _end_if_redeemed(idp, client, grant, now=now)
        raise judging.invalid_grant("the session, its generation or the client has ended")
    async with _ending(idp, grant, now=now):
        # Promise 2: from the proofs it carries, again
        scopes = _permitted(idp, client, grant, holder, grant.scopes, refreshing=False, now=now)
    person = await _in_id_token(idp, grant, client, scopes)
    refresh = refresh_token if OFFLINE in scopes else None
    return _issued(idp, grant, client, scopes, nonce=carried.code.nonce, refresh=refresh, person=person, now=now)


async def _end_if_redeemed(idp: Idp, client: Client, grant: Grant, *, now: datetime) -> None:
    """A second use, however late and with whatever, ends what the first one brought. Raises (RFC 6749 4.1.2)."""
    found = None if grant.client_id != client.id else await grants.load(idp.db, grant_id=grant.id)
    if found is not None:
        raise await _revoke_reused(idp, found[0], now=now)


@asynccontextmanager
async def _ending(idp: Idp, grant: Grant, *, now: datetime) -> AsyncIterator[None]:
    """What is refused after its code or token was used up ends with everything of its family."""
    try:
        yield
    except OAuthError:
        await grants.revoke(idp.db, grant, audit=GrantRevoked(why="policy", grant=str(grant.id)), now=now)
        raise


def _permitted(
    idp: Idp,
    client: Client,
    grant: Grant,
    holder: Holder | None,
    scopes: tuple[str, ...],
    *,
    refreshing: bool,
    now: datetime,
) -> tuple[str, ...]:
    if holder is None:
        raise judging.invalid_grant("nobody holds this grant")
    permitted = recheck(grant, client, holder, scopes, idp.policy, now, refreshing=refreshing)
    if not still_approved(grant, client, holder, idp.policy, now):
        raise judging.invalid_grant("what was approved is not permitted any more")
    if (not permitted and grant.approved is None) or ("openid" in scopes and "openid" not in permitted):
        raise judging.invalid_grant("the stored proofs are not enough any more")
    return permitted


async def _in_id_token(idp: Idp, grant: Grant, client: Client, scopes: tuple[str, ...]) -> Mapping[str, Any]:
    """What is to be seen of the person there: few clients want it, so only then the person is looked up."""
    names = userinfo.in_id_token(grant, client=client, scopes=scopes)
    if not names:
        return {}
    found = await grants.load(idp.db, grant_id=grant.id)
    if found is None or found[1].account is None:
        return {}
    phone = phone_of(idp, found[1]) if names & {"phone_number", "phone_number_verified"} else None
    return claims.about(found[1].account, names, phone_number=phone)


def _issued(
    idp: Idp,
    grant: Grant,
    client: Client,
    scopes: tuple[str, ...],
    *,
    now: datetime,
    nonce: str | None = None,
    refresh: str | None = None,
    person: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return tokens.issue(
        grant,
        client=client,
        scopes=scopes,
        issuer=idp.issuer,
        keys=idp.keys,
        now=now,
        access_ttl=idp.policy.access_token_ttl(scopes, () if grant.approved is None else grant.approved.types),
        id_token_ttl=idp.policy.tokens.id_token,
        nonce=nonce,
        refresh_token=refresh,
        person=person,
    ).body


def _asked_scopes(idp: Idp, params: Params) -> list[str]:
    """The scopes a refresh names. Raises invalid_scope for an empty list, and for what no refresh token carries.

    Before the token is used up: a request that cannot succeed must not cost the family (RFC 6749 6).
    """
    asked = params.get("scope", "").split()
    rules = [idp.policy.scope_rule(scope) for scope in asked]
    if ("scope" in params and not asked) or any(rule is not None and not rule.refresh for rule in rules):
        raise OAuthError("invalid_scope", "A requested scope is not available here.")
    return asked


async def _refresh(idp: Idp, client: Client, params: Params, *, now: datetime) -> dict[str, Any]:
    presented = judging.secret_of(params, GrantType.REFRESH_TOKEN)
    asked = _asked_scopes(idp, params)
    successor = idp.secrets.successors(presented, purpose="refresh")[0] if client.rotate_refresh else None
    audit = TokensIssued(grant="", grant_type="refresh_token", scopes=asked)
    expires_at = now + idp.policy.tokens.refresh
    used = await refresh_tokens.use(
        idp.db,
        token_hash=digest(presented),
        successor_hash=None if successor is None else digest(successor),
        client_id=client.id,
        asked_scopes=asked,
        refresh_expires_at=expires_at,
        audit=audit,
        now=now,
    )
    if used is None:
        return await _refresh_again(idp, client, params, presented, now=now)
    stored, holder = used
    return await _refreshed(idp, client, params, stored_grant=stored.grant, holder=holder, token=successor, now=now)


async def _refresh_again(idp: Idp, client: Client, params: Params, presented: str, *, now: datetime) -> dict[str, Any]:
    """Why the one statement found nothing: say so, forgive a lost answer, or end a stolen family."""
    found = await refresh_tokens.load(idp.db, token_hash=digest(presented))
    stored, holder = found if found is not None else (None, None)
    forgiven = idp.policy.tokens.forgiven
    judged = judging.check_refresh(stored, client=client, params=params, forgiven=forgiven, now=now)
    if isinstance(judged, Reused):
        raise await _revoke_reused(idp, judged.grant, now=now)
    # Whoever was first may have used another key of the list: the one whose token is stored is right.
    successors = {digest(token): token for token in idp.secrets.successors(presented, purpose="refresh")}
    standing = judged.retried and await refresh_tokens.retry(
        idp.db,
        token_hash=digest(presented),
        successor_hashes=list(successors),
        client_id=client.id,
        audit=TokensIssued(grant=str(judged.grant.id), grant_type="refresh_token", scopes=list(judged.scopes)),
        forgiven_since=now - forgiven,
        now=now,
    )
    if not standing:
        raise judging.invalid_grant("somebody was first")
    token = successors[standing]
    return await _refreshed(idp, client, params, stored_grant=judged.grant, holder=holder, token=token, now=now)


async def _refreshed(
    idp: Idp,
    client: Client,
    params: Params,
    *,
    stored_grant: Grant,
    holder: Holder | None,
    token: str | None,
    now: datetime,
) -> dict[str, Any]:
    asked = params["scope"].split() if "scope" in params else stored_grant.scopes
    scopes = tuple(scope for scope in stored_grant.scopes if scope in asked)
    async with _ending(idp, stored_grant, now=now):
        permitted = _permitted(idp, client, stored_grant, holder, scopes, refreshing=True, now=now)
    # OIDC Core 12.2: the nonce is not repeated; time and level are the grant's
    person = await _in_id_token(idp, stored_grant, client, permitted)
    return _issued(idp, stored_grant, client, permitted, refresh=token, person=person, now=now)


async def _machine(idp: Idp, client: Client, params: Params, *, now: datetime) -> dict[str, Any]:
    scopes = judging.machine_scopes(params, client=client, machine=idp.policy.for_machines())
    grant = Grant(id=uuid4(), client_id=client.id, scopes=scopes, created_at=now)
    ttl = idp.policy.access_token_ttl(scopes)
    audit = TokensIssued(grant=str(grant.id), grant_type="client_credentials", scopes=list(scopes))
    if not await grants.issue_machine(idp.db, grant, expires_at=now + ttl, audit=audit):
        raise client_auth.invalid_client("removed or disabled")
    return _issued(idp, grant, client, scopes, now=now)
