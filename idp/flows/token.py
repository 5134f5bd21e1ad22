"""Tokens: codes and refresh tokens become tokens once; userinfo, introspection and revocation look grants up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from idp import limits
from idp.audit import GrantRevoked, TokensIssued
from idp.crypto import digest, mac, random_token
from idp.errors import IdpError, OAuthError
from idp.flows.challenge import NUMBER, bound
from idp.flows.idp import INTERNAL, Idp, Visitor, address_key
from idp.model import Client, Grant
from idp.oidc import client_auth, introspection, metadata, tokens, userinfo
from idp.oidc import grants as judging
from idp.oidc.errors import Challenged
from idp.oidc.grants import GrantType, Redeemable, Refreshable, Reused
from idp.oidc.params import Params
from idp.policy import recheck
from idp.store import clients as store_clients
from idp.store import codes, grants, rate_limits, refresh_tokens
from idp.store.grants import Holder


class TooMany(IdpError):
    """A client, or somebody who claims to be one, guesses credentials. Wait for `retry_after`."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("Too many failed client authentications.")
        self.retry_after = retry_after


async def authenticate(
    idp: Idp, authorization: str | None, params: Params, visitor: Visitor, *, allow_public: bool = True
) -> Client:
    """The client that proved who it is. Raises invalid_client (RFC 6749 5.2), or `TooMany` for who keeps guessing."""
    now = idp.clock.now()
    try:
        proved = client_auth.authenticate(
            authorization,
            params,
            client_lookup=idp.registered,
            issuer=idp.issuer,
            token_endpoint=idp.issuer + metadata.TOKEN,
            now=now,
            allow_public=allow_public,
        )
        if proved.assertion_jti is not None:
            assert proved.assertion_expires_at is not None
            name = mac(b"assertion", proved.client.id.encode(), proved.assertion_jti.encode())
            # RFC 7523 3: an assertion is accepted once
            if not await store_clients.use_assertion(
                idp.db, assertion_hash=name, expires_at=proved.assertion_expires_at
            ):
                raise client_auth.invalid_client("replayed assertion")
    except Challenged as refused:
        if refused.code == "invalid_client":
            claimed = idp.secrets.index(params.get("client_id", "")[:200], purpose="client")
            key = limits.subject(limits.CLIENT_FAILURES, claimed, address_key(idp, visitor))
            charged = await rate_limits.spend(idp.db, [(limits.CLIENT_FAILURES, key)], now=now)
            if isinstance(charged, limits.Refused):
                raise TooMany(charged.retry_after) from None
        raise
    return proved.client


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
    code_hash = digest(judging.secret_of(params, GrantType.AUTHORIZATION_CODE))
    found = await codes.load(idp.db, code_hash=code_hash)
    stored, holder = found if found is not None else (None, None)
    judged = judging.check_code(stored, client=client, params=params, now=now)
    if isinstance(judged, Reused):
        raise await _revoke_reused(idp, judged.grant, now=now)
    assert stored is not None
    assert holder is not None
    # Promise 2: from the stored proofs, again
    scopes = _permitted(idp, judged, holder, judged.grant.scopes, now=now)
    # Before the code is used up: a sealed value that does not open must not cost it.
    person = await _in_id_token(idp, judged.grant, holder)
    refresh_token = random_token() if _gets_refresh_token(client, scopes) else None
    consumed = await codes.redeem(
        idp.db,
        code_hash=code_hash,
        grant=judged.grant,
        refresh_hash=None if refresh_token is None else digest(refresh_token),
        refresh_expires_at=now + idp.policy.refresh_ttl,
        audit=TokensIssued(grant=str(judged.grant.id), grant_type="authorization_code", scopes=list(scopes)),
        now=now,
    )
    if not consumed:
        # Two at once: somebody was first, and a code used twice ends everything it brought (RFC 6749 4.1.2).
        raise await _revoke_reused(idp, judged.grant, now=now)
    return _issued(idp, judged.grant, client, scopes, nonce=judged.nonce, refresh=refresh_token, person=person, now=now)


def _gets_refresh_token(client: Client, scopes: tuple[str, ...]) -> bool:
    return "refresh_token" in client.grant_types and "offline_access" in scopes


def _permitted(
    idp: Idp,
    judged: Redeemable | Refreshable,
    holder: Holder,
    scopes: tuple[str, ...],
    *,
    now: datetime,
) -> tuple[str, ...]:
    refreshing = isinstance(judged, Refreshable)
    if holder.account is None:
        raise judging.invalid_grant("nobody holds this grant")
    permitted = recheck(
        judged.grant, holder.account, holder.authenticators, scopes, idp.policy, now, refreshing=refreshing
    )
    if not permitted or ("openid" in scopes and "openid" not in permitted):
        raise judging.invalid_grant("the stored proofs are not enough any more")
    return permitted


async def _in_id_token(idp: Idp, grant: Grant, holder: Holder) -> Mapping[str, Any]:
    if not grant.claims.id_token or holder.account is None:
        return {}
    phone = None
    if "phone_number" in grant.claims.id_token and (found := await grants.load(idp.db, grant_id=grant.id)):
        phone = _phone(idp, found[1])
    return userinfo.in_id_token(holder.account, grant, phone_number=phone)


def _phone(idp: Idp, holder: Holder) -> str | None:
    if holder.account is None or holder.phone is None or holder.phone_authenticator is None:
        return None
    where = bound(holder.account.id, holder.phone_authenticator)
    return idp.secrets.unseal(holder.phone, purpose=NUMBER, bound_to=where).decode()


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
        access_ttl=idp.policy.access_token_ttl(scopes),
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
    successor = random_token() if client.rotate_refresh else None
    audit = TokensIssued(grant="", grant_type="refresh_token", scopes=asked)
    expires_at = now + idp.policy.refresh_ttl
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
    judged = judging.check_refresh(stored, client=client, params=params, now=now)
    if isinstance(judged, Reused):
        raise await _revoke_reused(idp, judged.grant, now=now)
    assert holder is not None
    successor = random_token()
    if not judged.retried or not await refresh_tokens.retry(
        idp.db,
        token_hash=digest(presented),
        successor_hash=digest(successor),
        client_id=client.id,
        refresh_expires_at=now + idp.policy.refresh_ttl,
        audit=TokensIssued(grant=str(judged.grant.id), grant_type="refresh_token", scopes=list(judged.scopes)),
        now=now,
    ):
        raise judging.invalid_grant("somebody was first")
    return await _refreshed(idp, client, params, stored_grant=judged.grant, holder=holder, token=successor, now=now)


async def _refreshed(
    idp: Idp,
    client: Client,
    params: Params,
    *,
    stored_grant: Grant,
    holder: Holder,
    token: str | None,
    now: datetime,
) -> dict[str, Any]:
    asked = params["scope"].split() if "scope" in params else stored_grant.scopes
    scopes = tuple(scope for scope in stored_grant.scopes if scope in asked)
    judged = Refreshable(stored_grant, scopes, retried=False)
    try:
        permitted = _permitted(idp, judged, holder, scopes, now=now)
    except OAuthError:
        await grants.revoke(idp.db, stored_grant, audit=GrantRevoked(why="policy", grant=str(stored_grant.id)), now=now)
        raise
    # OIDC Core 12.2: the nonce is not repeated; time and level are the grant's
    person = await _in_id_token(idp, stored_grant, holder)
    return _issued(idp, stored_grant, client, permitted, refresh=token, person=person, now=now)


async def _machine(idp: Idp, client: Client, params: Params, *, now: datetime) -> dict[str, Any]:
    machine = frozenset(client.scopes - idp.policy.scopes.keys())
    scopes = judging.machine_scopes(params, client=client, machine=machine)
    grant = Grant(id=uuid4(), client_id=client.id, scopes=scopes, created_at=now)
    ttl = idp.policy.access_token_ttl(scopes)
    audit = TokensIssued(grant=str(grant.id), grant_type="client_credentials", scopes=list(scopes))
    await grants.issue_machine(idp.db, grant, expires_at=now + ttl, audit=audit)
    return _issued(idp, grant, client, scopes, now=now)


@dataclass(frozen=True, slots=True)
class UserInfo:
    """What userinfo answers: a JSON object, and the same as a signed JWT for a client registered for one."""

    claims: dict[str, Any]
    jwt: str | None


async def about_person(idp: Idp, presented: str) -> UserInfo:
    """Userinfo for an access token. Raises `Challenged` as RFC 6750 3.1 has it."""
    now = idp.clock.now()
    access = tokens.read_access_token(presented, keys=idp.keys, issuer=idp.issuer, now=now)
    userinfo.check(access, issuer=idp.issuer)
    found = await grants.load(idp.db, grant_id=access.grant_id)
    if found is None:
        raise tokens.invalid_token(detail="no such grant")
    grant, holder = found
    client = idp.registered(grant.client_id)
    if grant.revoked_at is not None or holder.account is None or holder.account.disabled:
        raise tokens.invalid_token(detail="revoked")
    if client is None or client.disabled or client.id == INTERNAL:
        raise tokens.invalid_token(detail="no such client")
    claims = userinfo.claims_for(holder.account, access=access, asked=grant.claims, phone_number=_phone(idp, holder))
    return UserInfo(claims, userinfo.signed(claims, client=client, issuer=idp.issuer, keys=idp.keys))


async def introspect(idp: Idp, authorization: str | None, params: Params, visitor: Visitor) -> dict[str, Any]:
    """What a resource server may know of a token (RFC 7662)."""
    caller = await authenticate(idp, authorization, params, visitor, allow_public=False)
    now = idp.clock.now()
    match introspection.token_of(params, keys=idp.keys, issuer=idp.issuer, now=now):
        case introspection.Nothing():
            return introspection.INACTIVE
        case introspection.Opaque(token=opaque):
            found = await refresh_tokens.load(idp.db, token_hash=digest(opaque))
            return introspection.about_refresh(found[0] if found else None, caller=caller, issuer=idp.issuer, now=now)
        case access:
            held = await grants.load(idp.db, grant_id=access.grant_id)
            if held is not None and held[1].account is not None and held[1].account.disabled:
                return introspection.INACTIVE
            return introspection.about_access(access, held[0] if held else None, caller=caller)


async def revoke(idp: Idp, authorization: str | None, params: Params, visitor: Visitor) -> None:
    """End the grant of a token, if it is the caller's (RFC 7009). Silent about everything else."""
    caller = await authenticate(idp, authorization, params, visitor)
    now = idp.clock.now()
    match introspection.token_of(params, keys=idp.keys, issuer=idp.issuer, now=now):
        case introspection.Nothing():
            return
        case introspection.Opaque(token=opaque):
            refresh = await refresh_tokens.load(idp.db, token_hash=digest(opaque))
            grant = refresh[0].grant if refresh else None
        case access:
            held = await grants.load(idp.db, grant_id=access.grant_id)
            grant = held[0] if held else None
    if grant is not None and introspection.may_revoke(grant, caller=caller):
        await grants.revoke(idp.db, grant, audit=GrantRevoked(why="revoked", grant=str(grant.id)), now=now)
